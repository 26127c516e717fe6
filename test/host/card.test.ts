import t from 'tap'
import { type BoardCard, decodeBoardCard, encodeBoardCard } from '../../host/card/binary.js'
import type { ModelCard } from '../../host/card/card.js'
import { cardPathFor, parseCard, printCard } from '../../host/card/parse.js'
import { isBridgeError } from '../../host/foundation/errors.js'

const yolo: ModelCard = {
  schema: 1,
  name: 'face',
  task: 'face-detect',
  input: {
    width: 320,
    height: 256,
    colour: 'rgb',
    resize: 'letterbox',
    fill: 0,
    mean: [117.001, 114.697, 97.404],
    std: [256, 256, 256],
    scale: 1,
    zeroPoint: 0,
  },
  decoder: {
    kind: 'yolov2',
    classes: 0,
    stride: 32,
    anchors: [
      [1.5, 2],
      [6, 7.25],
    ],
    scoreThreshold: 0.5,
    iouThreshold: 0.25,
    maxBoxes: 32,
  },
  labels: ['face'],
  outputs: [{ name: 'output', shape: [10, 8, 10], type: 'uint8', scale: 0.125, zeroPoint: 121 }],
  source: { file: 'face.onnx', sha256: 'ab', licence: 'MIT' },
  compile: { version: '0.1.0', options: { method: 'minmax' } },
  accuracy: { ap50: 0.9 },
  forecast: {
    memory: { modelBytes: 1, mainBytes: 2, kpuRows: 3, peakBytes: 4, limitBytes: 5, fits: true },
    ms: 4.5,
  },
}

const ssd: BoardCard = {
  input: { ...yolo.input, height: 240, colour: 'bgr', resize: 'stretch', fill: 9, mean: [0, 0, 0], std: [1, 1, 1] },
  decoder: {
    kind: 'ssd',
    classes: 2,
    centreVariance: 0.125,
    sizeVariance: 0.25,
    heads: [
      { scores: 0, boxes: 1, stride: 8, minSizes: [10, 16, 24] },
      { scores: 2, boxes: 3, stride: 16, minSizes: [32, 48] },
    ],
    scoreThreshold: 0.75,
    iouThreshold: 0.5,
    maxBoxes: 200,
  },
  outputs: [6, 12, 4, 8].map((channels, i) => ({
    name: `output${i}`,
    shape: [channels, 30, 40],
    type: i === 3 ? 'float32' : 'uint8',
    scale: 0.5,
    zeroPoint: -7 + i,
  })),
}

/** A deep copy of `yolo` with one key (dotted path) set, or removed by `undefined`. */
function changed(path: string, value: unknown): unknown {
  const copy = JSON.parse(JSON.stringify(yolo))
  const keys = path.split('.')
  const last = keys.pop()!
  const parent = keys.reduce((object, key) => object[key], copy)
  if (value === undefined) delete parent[last]
  else parent[last] = value
  return copy
}

t.test('a card survives printing and parsing', async (t) => {
  t.same(parseCard(JSON.parse(printCard(yolo))), yolo)
})

t.test('optional parts of a card may be absent and take their defaults', async (t) => {
  const { compile, accuracy, forecast, ...rest } = yolo
  t.same(parseCard(JSON.parse(JSON.stringify(rest))), rest)
  t.equal(parseCard(changed('input.fill', undefined)).input.fill, 0)
  t.equal(parseCard(changed('input.scale', undefined)).input.scale, 1)
  t.equal(parseCard(changed('outputs.0.type', undefined)).outputs[0]!.type, 'uint8')
  t.same(parseCard(changed('decoder', { kind: 'none' })).decoder, { kind: 'none' })
})

t.test('a card that breaks the schema is refused with the path of the key', async (t) => {
  const cases: [string, unknown, string][] = [
    ['schema', 2, 'schema'],
    ['name', 5, 'name'],
    ['task', 'fly', 'task'],
    ['input', [], 'input'],
    ['input.width', 0, 'input.width'],
    ['input.height', 1.5, 'input.height'],
    ['input.colour', 'yuv', 'input.colour'],
    ['input.mean', [1, 2], 'input.mean'],
    ['input.std', [1, 0, 1], 'input.std[1]'],
    ['decoder.kind', 'magic', 'decoder.kind'],
    ['decoder.scoreThreshold', '0.5', 'decoder.scoreThreshold'],
    ['decoder.anchors', [], 'decoder.anchors'],
    ['decoder.anchors.1', [1], 'decoder.anchors[1]'],
    ['decoder.anchors.0', [1, 'x'], 'decoder.anchors[0][1]'],
    ['labels', ['a', 1], 'labels[1]'],
    ['outputs', {}, 'outputs'],
    ['outputs.0.scale', 0, 'outputs[0].scale'],
    ['outputs.0.shape', [1, -1], 'outputs[0].shape[1]'],
    ['source.sha256', undefined, 'source.sha256'],
    ['forecast.memory.fits', 'yes', 'forecast.memory.fits'],
  ]
  for (const [path, value, where] of cases) {
    try {
      parseCard(changed(path, value), 'x.card.json')
      t.fail(`${path} was accepted`)
    } catch (error) {
      t.ok(isBridgeError(error, 'CARD_INVALID'), `${path} is refused`)
      if (isBridgeError(error)) t.same(error.where, { file: 'x.card.json', path: where })
    }
  }
  t.throws(() => parseCard(null), { code: 'CARD_INVALID' })
})

t.test('an ssd head that names an output that is not there is refused', async (t) => {
  const heads = [{ scores: 0, boxes: 9, stride: 8, minSizes: [10] }]
  const decoder = { ...ssd.decoder, heads }
  t.throws(() => parseCard(changed('decoder', decoder)), { code: 'CARD_INVALID', where: { path: 'decoder.heads[0]' } })
})

t.test('the binary card gives back what a board needs', async (t) => {
  t.same(decodeBoardCard(encodeBoardCard(ssd)), ssd)
  const back = decodeBoardCard(encodeBoardCard(yolo))
  t.same(back.decoder, yolo.decoder)
  t.same(back.input, { ...yolo.input, mean: [0, 0, 0], std: [1, 1, 1] })
  t.same(back.outputs, [{ ...yolo.outputs[0], name: 'output0' }])
})

t.test('the binary card: plain shapes become channels, a batch axis goes', async (t) => {
  const outputs = [
    { ...yolo.outputs[0]!, shape: [1, 10, 8, 10] },
    { ...yolo.outputs[0]!, shape: [1, 128] },
  ]
  const back = decodeBoardCard(encodeBoardCard({ ...yolo, decoder: { kind: 'none' }, outputs }))
  t.same(
    back.outputs.map((output) => output.shape),
    [
      [10, 8, 10],
      [128, 1, 1],
    ],
  )
})

t.test('the binary card refuses what a board cannot hold', async (t) => {
  const wrongType = { ...yolo, outputs: [{ ...yolo.outputs[0]!, type: 'int64' as const }] }
  t.throws(() => encodeBoardCard(wrongType), { code: 'CARD_INVALID', where: { path: 'outputs[0].type' } })
  const anchors = Array.from({ length: 17 }, () => [1, 1] as const)
  const tooMany = { ...yolo, decoder: { ...yolo.decoder, anchors } as BoardCard['decoder'] }
  t.throws(() => encodeBoardCard(tooMany), { code: 'CARD_INVALID' })
  const future = encodeBoardCard(yolo)
  future[0] = 2
  t.throws(() => decodeBoardCard(future), { code: 'CARD_INVALID', where: { path: 'version' } })
  t.throws(() => decodeBoardCard(encodeBoardCard(yolo).subarray(0, 20)), { code: 'LINK_MESSAGE' })
})

t.test('a card stands beside its model with the same stem', async (t) => {
  t.equal(cardPathFor('/a.b/face.kmodel'), '/a.b/face.card.json')
  t.equal(cardPathFor('face.onnx'), 'face.card.json')
  t.equal(cardPathFor('/a.b/face'), '/a.b/face.card.json')
})

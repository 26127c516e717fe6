import { readFileSync } from 'node:fs'
import t from 'tap'
import { isBridgeError } from '../../host/foundation/errors.js'
import { kmodelSummary } from '../../host/kmodel/describe.js'
import { readKmodel } from '../../host/kmodel/read.js'
import type { KmodelV4, KmodelV4Model, KmodelV4Node } from '../../host/kmodel/v4/model.js'
import { OPS } from '../../host/kmodel/v4/ops.js'
import type { MemoryRange } from '../../host/kmodel/v4/values.js'
import { writeKmodelV4 } from '../../host/kmodel/v4/writer.js'
import { validateKmodelV4 } from '../../host/kmodel/validate/validate-v4.js'
import { EVERY_OP } from '../support/every-op.js'
import { createRandom } from '../support/random.js'
import { noSharedData, sharedData } from '../support/shared-data.js'
import { main, smallKmodel } from '../support/small-kmodel.js'
import { throwsAt } from '../support/throws-at.js'

const GOLDEN_V4 = ['slim320_v4', 'rfb320_v4', 'yolo20_v4', 'maix_asr_v4', 'iris_v4']
const GOLDEN_V3 = ['face_detect_v3', 'face_mask_detect5_v3', 'yolo20_v3', 'maix_mask_v3', 'mnist_v3', 'iris_v3']
const skip = sharedData('kmodels') ? false : noSharedData
const golden = (name: string): Uint8Array => new Uint8Array(readFileSync(sharedData('kmodels', `${name}.kmodel`)!))

/** A v4 file as read, without unknown nodes. */
const asModel = (file: Uint8Array): KmodelV4Model => {
  const { inputs, outputs, constants, mainBytes, nodes } = readKmodel(file) as KmodelV4
  return { inputs, outputs, constants, mainBytes, nodes: nodes as KmodelV4Node[] }
}

t.test('kmodel v4: what is written is read', async (t) => {
  const model = smallKmodel()
  const file = writeKmodelV4(model)
  t.strictSame(asModel(file), { ...model, constants: model.constants })
  t.equal((readKmodel(file) as KmodelV4).usedBytes, file.length)
})

t.test('kmodel v4: header and first body lie where the reference says', async (t) => {
  const file = writeKmodelV4(smallKmodel())
  const view = new DataView(file.buffer)
  const words = Array.from({ length: 10 }, (_, index) => view.getUint32(index * 4, true))
  // identifier, version, flags, target, constants, main memory, nodes, inputs, outputs, reserved
  t.strictSame(words, [0x4b4d444c, 4, 0, 1, 16, 256, 3, 1, 1, 0])
  t.equal(view.getUint32(40, true), 2, 'input in KPU RAM')
  t.equal(view.getInt32(56 + 12, true), 12, 'width of the input')
  t.equal(view.getUint32(72, true), 1, 'output in main memory')
  t.equal(view.getUint32(104, true), 0x2002, 'first node header behind 88 + 16 bytes')
})

t.test('kmodel v4: every opcode survives the round trip', async (t) => {
  const nodes = Object.values(EVERY_OP)
  t.equal(nodes.length + 1, Object.keys(OPS).length)
  const model: KmodelV4Model = { ...smallKmodel(), nodes }
  asModel(writeKmodelV4(model)).nodes.forEach((node, index) => {
    t.strictSame(node, nodes[index], node.op)
  })
})

t.test('kmodel v4: an opcode without a row is kept as unknown', async (t) => {
  const file = writeKmodelV4({ ...smallKmodel(), nodes: [EVERY_OP.memoryCopy] })
  new DataView(file.buffer).setUint32(104, 0x1003, true)
  t.match((readKmodel(file) as KmodelV4).nodes[0], { op: 'unknown', opcode: 0x1003 })
})

t.test('kmodel v4: a table of the wrong size is refused when writing', async (t) => {
  const model = smallKmodel()
  const [first] = model.nodes
  if (first?.op !== 'kpuConv2d') throw new Error('the first node is a KPU layer')
  const kpu = { ...first.kpu, weights: first.kpu.weights.subarray(1) }
  await throwsAt(t, () => writeKmodelV4({ ...model, nodes: [{ ...first, kpu }] }), 'KMODEL_INVALID', { node: 0 })
})

t.test('readKmodel: trailing data and missing padding are tolerated, a cut body is not', async (t) => {
  const model: KmodelV4Model = { ...smallKmodel(), nodes: [EVERY_OP.unary] }
  const file = writeKmodelV4(model)
  const longer = new Uint8Array(file.length + 500)
  longer.set(file)
  t.equal((readKmodel(longer) as KmodelV4).usedBytes, file.length)
  t.ok(readKmodel(file.subarray(0, file.length - 4)), '36 of 40 bytes: only padding is gone')
  await throwsAt(t, () => readKmodel(file.subarray(0, file.length - 8)), 'KMODEL_TRUNCATED', { node: 0 })
})

t.test('readKmodel: what is no kmodel is named', async (t) => {
  const words = (...values: number[]): Uint8Array =>
    new Uint8Array(Uint32Array.from([...values, ...Array(40).fill(0)]).buffer)
  const swapped = writeKmodelV4(smallKmodel())
  new DataView(swapped.buffer).setUint32(0, 0x4b4d444c, false)
  await throwsAt(t, () => readKmodel(words(0x4b4d444c, 5)), 'KMODEL_VERSION', { version: 5 })
  await throwsAt(t, () => readKmodel(words(1)), 'KMODEL_VERSION')
  await throwsAt(t, () => readKmodel(words(3, 1, 7)), 'KMODEL_VERSION', { offset: 8 })
  await throwsAt(t, () => readKmodel(words(0x03000000)), 'KMODEL_FORMAT', { firstWord: '0x03000000' })
  await throwsAt(t, () => readKmodel(swapped), 'KMODEL_FORMAT')
  await throwsAt(t, () => readKmodel(Buffer.from('version https://git-lfs.github.com/spec/v1\n')), 'KMODEL_FORMAT')
  await throwsAt(t, () => readKmodel(Buffer.from('PK\u0003\u0004 and more')), 'KMODEL_FORMAT')
  await throwsAt(t, () => readKmodel(new Uint8Array(0)), 'KMODEL_TRUNCATED', { fileBytes: 0 })
  await throwsAt(t, () => readKmodel(words(0x4b4d444c, 4).subarray(0, 20)), 'KMODEL_TRUNCATED')
})

/** Reads a damaged file: an error must be a BridgeError; the validator must not throw at all. */
function survives(file: Uint8Array): string {
  validateKmodelV4(file)
  try {
    kmodelSummary(readKmodel(file))
  } catch (error) {
    if (!isBridgeError(error)) return String(error)
  }
  return ''
}

t.test('damaged files: never anything but a BridgeError', async (t) => {
  const random = createRandom()
  t.comment(`seed ${random.seed}`)
  const files = [writeKmodelV4(smallKmodel()), writeKmodelV4({ ...smallKmodel(), nodes: Object.values(EVERY_OP) })]
  if (!skip) files.push(golden('mnist_v3').slice(0, 4000), golden('slim320_v4'), golden('iris_v3'), golden('iris_v4'))
  const failures: string[] = []
  for (let round = 0; round < 400; round++) {
    const file = files[round % files.length]!.slice(0, 60_000)
    for (let flips = random.integer(1, 6); flips > 0; flips--) {
      const near = random.integer(0, 1) ? 300 : file.length
      file[random.integer(0, Math.min(near, file.length) - 1)] = random.integer(0, 255)
    }
    const cut = random.integer(0, 2) ? file.length : random.integer(0, file.length)
    const failure = survives(file.subarray(0, cut))
    if (failure) failures.push(`round ${round}: ${failure}`)
  }
  t.strictSame(failures, [])
})

t.test('validate: a written file breaks no rule', async (t) => {
  t.strictSame(validateKmodelV4(writeKmodelV4(smallKmodel())), [])
})

t.test('validate: each defect is found by its rule', async (t) => {
  const rules = (
    change: (model: KmodelV4Model) => KmodelV4Model,
    damage: (file: Uint8Array) => Uint8Array = (file) => file,
  ) => [...new Set(validateKmodelV4(damage(writeKmodelV4(change(smallKmodel())))).map(({ rule }) => rule))].sort()
  const changeNode =
    (index: number, fields: object) =>
    (model: KmodelV4Model): KmodelV4Model => ({
      ...model,
      nodes: model.nodes.map((node, at) => (at === index ? ({ ...node, ...fields } as KmodelV4Node) : node)),
    })
  const changeLayer =
    (index: number, fields: object) =>
    (model: KmodelV4Model): KmodelV4Model => {
      const node = model.nodes[index]!
      if (node.op !== 'kpuConv2d') throw new Error('no KPU layer')
      return changeNode(index, { kpu: { ...node.kpu, layer: { ...node.kpu.layer, ...fields } } })(model)
    }
  const range = (start: number, bytes: number): MemoryRange => main(start, bytes, 'uint8')
  t.strictSame(rules(changeLayer(0, { rowSwitchAddr: 2 })), ['register'])
  t.strictSame(rules(changeLayer(0, { loadPara: 0 })), ['register'])
  t.strictSame(rules(changeLayer(1, { sendDataOut: 0 })), ['send-data-out'])
  t.strictSame(rules(changeLayer(1, { imageSrcAddr: 4 })), ['lifetime'], 'reads a part of the input')
  t.strictSame(rules(changeLayer(1, { imageDstAddr: 8 })), ['overlap'])
  t.strictSame(rules(changeLayer(1, { imageDstAddr: 32_767 })), ['kpu-ram'])
  t.strictSame(rules(changeNode(2, { in: range(8, 48), out: main(64, 192) })), ['lifetime'])
  t.strictSame(rules(changeNode(2, { out: main(16, 192) })), ['lifetime', 'overlap'])
  t.strictSame(rules(changeNode(2, { out: main(128, 192) })), ['lifetime', 'main-memory'])
  t.strictSame(rules(changeNode(2, { out: main(68, 188) })), ['alignment', 'lifetime', 'shape'])
  t.strictSame(
    rules((model) => ({ ...model, inputs: [{ ...model.inputs[0]!, shape: [1, 3, 8, 40] }] })),
    ['shape'],
  )
  const set =
    (offset: number, value: number) =>
    (file: Uint8Array): Uint8Array => {
      new DataView(file.buffer).setUint32(offset, value, true)
      return file
    }
  t.strictSame(
    rules((model) => model, set(36, 1)),
    ['reserved'],
  )
  t.strictSame(
    rules((model) => model, set(12, 0)),
    ['header'],
  )
  t.strictSame(
    rules(
      (model) => model,
      (file) => file.subarray(0, file.length - 8),
    ),
    ['size'],
  )
  t.strictSame(rules((model) => model, set(104, 0x999)).slice(0, 1), ['header'])
})

t.test('validate: blocks that are not at multiples of 256 of the file are found', async (t) => {
  const model = smallKmodel()
  const file = writeKmodelV4(model)
  const moved = new Uint8Array(file.length + 8)
  moved.set(file.subarray(0, 104))
  moved.set(file.subarray(104), 112)
  new DataView(moved.buffer).setUint32(16, 24, true)
  const rules = new Set(validateKmodelV4(moved).map(({ rule }) => rule))
  t.strictSame([...rules], ['alignment'])
})

t.test('summary: shapes, memory and forecast of a small model', async (t) => {
  const file = writeKmodelV4(smallKmodel())
  const summary = kmodelSummary(readKmodel(file))
  t.match(summary, {
    version: 4,
    inputs: [{ type: 'uint8', shape: [1, 3, 8, 12], bytes: 288, memory: 'kpu' }],
    outputs: [{ type: 'float32', shape: [1, 2, 4, 6], bytes: 192 }],
    memory: { modelBytes: file.length, mainBytes: 256, kpuRows: 12 },
  })
  t.equal(summary.layers[0]?.text, '3x3 3x8x12 -> 4x4x6 max_2_s2')
  t.equal(summary.layers[0]?.macs, 8 * 12 * 4 * 27)
  t.ok(summary.predictedMs.ours > 0 && summary.predictedMs.ours < summary.predictedMs.vendorV4)
})

for (const name of GOLDEN_V4) {
  t.test(
    `golden ${name}: read and written gives the same bytes, the validator finds only reserved bits`,
    { skip },
    async (t) => {
      const file = golden(name)
      const model = readKmodel(file) as KmodelV4
      const again = writeKmodelV4(asModel(file))
      const reserved = new Set([36, 37, 38, 39])
      const differing = [...file.subarray(0, model.usedBytes).keys()].filter((at) => file[at] !== again[at])
      t.strictSame(
        differing.filter((at) => !reserved.has(at)),
        [],
      )
      const summary = kmodelSummary(readKmodel(again))
      t.strictSame({ ...summary, memory: null }, { ...kmodelSummary(model), memory: null })
      t.strictSame(
        validateKmodelV4(again).filter(({ rule }) => rule !== 'reserved'),
        [],
      )
    },
  )
}

t.test('golden forecasts: vendor runtime within 20 % of the printed totals', { skip }, async (t) => {
  const printed = { slim320_v4: 65.6, rfb320_v4: 164.8, face_detect_v3: 12.7 }
  for (const [name, ms] of Object.entries(printed)) {
    const { predictedMs } = kmodelSummary(readKmodel(golden(name)))
    t.ok(Math.abs(predictedMs.vendorV4 / ms - 1) < 0.2, `${name}: ${predictedMs.vendorV4.toFixed(1)} ms, printed ${ms}`)
  }
})

t.test('golden v3: all bodies are known layers', { skip }, async (t) => {
  for (const name of GOLDEN_V3) {
    const model = readKmodel(golden(name))
    t.equal(model.version, 3)
    const unknown = model.version === 3 ? model.layers.filter((layer) => layer.type === 'unknown') : []
    t.strictSame(unknown, [], name)
  }
})

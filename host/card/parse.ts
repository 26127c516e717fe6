import { readFileBytes } from '../foundation/files.js'
import type { DataType } from '../tensor/tensor.js'
import {
  CARD_SCHEMA,
  type CardDecoder,
  type CardInput,
  type CardMemory,
  type CardOutput,
  type DetectorThresholds,
  type ModelCard,
  type SsdHead,
} from './card.js'
import { CardReader } from './reader.js'

const DATA_TYPES: readonly DataType[] = ['uint8', 'int8', 'uint16', 'int32', 'int64', 'float32', 'float16', 'bool']
const TASKS: readonly ModelCard['task'][] = ['face-detect', 'face-landmarks', 'face-embed', 'classify', 'other']

function parseInput(card: CardReader): CardInput {
  const colour = card.oneOf('colour', ['rgb', 'bgr', 'grey'] as const)
  const channels = colour === 'grey' ? 1 : 3
  return {
    width: card.integer('width', 1, 4096),
    height: card.integer('height', 1, 4096),
    colour,
    resize: card.oneOf('resize', ['letterbox', 'stretch', 'crop'] as const),
    fill: card.integer('fill', 0, 255, 0),
    mean: card.numbers('mean', channels),
    std: card.numbers('std', channels, 1e-6),
    scale: card.number('scale', { above: 0, absent: 1 }),
    zeroPoint: card.integer('zeroPoint', -128, 255, 0),
  }
}

function parseThresholds(card: CardReader): DetectorThresholds {
  return {
    scoreThreshold: card.number('scoreThreshold', { min: 0, max: 1 }),
    iouThreshold: card.number('iouThreshold', { min: 0, max: 1 }),
    maxBoxes: card.integer('maxBoxes', 1, 65535),
  }
}

function parseSsdHead(card: CardReader): SsdHead {
  return {
    scores: card.integer('scores', 0, 255),
    boxes: card.integer('boxes', 0, 255),
    stride: card.integer('stride', 1, 65535),
    minSizes: card.numbers('minSizes', undefined, 0),
  }
}

function parseAnchor(card: CardReader): readonly [number, number] {
  const [width, height] = card.numbersHere(2, 1e-6)
  return [width!, height!]
}

function parseDecoder(card: CardReader): CardDecoder {
  const kind = card.oneOf('kind', ['ssd', 'yolov2', 'none'] as const)
  switch (kind) {
    case 'none':
      return { kind }
    case 'ssd':
      return {
        kind,
        ...parseThresholds(card),
        classes: card.integer('classes', 2, 255),
        centreVariance: card.number('centreVariance', { above: 0 }),
        sizeVariance: card.number('sizeVariance', { above: 0 }),
        heads: card.list('heads', parseSsdHead, 1),
      }
    case 'yolov2':
      return {
        kind,
        ...parseThresholds(card),
        classes: card.integer('classes', 0, 250),
        stride: card.integer('stride', 1, 65535),
        anchors: card.list('anchors', parseAnchor, 1),
      }
  }
}

function parseOutput(card: CardReader): CardOutput {
  return {
    name: card.text('name'),
    shape: card.integers('shape', 1),
    type: card.oneOf('type', DATA_TYPES, 'uint8'),
    scale: card.number('scale', { above: 0 }),
    zeroPoint: card.integer('zeroPoint', -0x8000_0000, 0x7fff_ffff),
  }
}

function parseMemory(card: CardReader): CardMemory {
  return {
    modelBytes: card.integer('modelBytes', 0),
    mainBytes: card.integer('mainBytes', 0),
    kpuRows: card.integer('kpuRows', 0),
    peakBytes: card.integer('peakBytes', 0),
    limitBytes: card.integer('limitBytes', 0),
    fits: card.boolean('fits'),
  }
}

/** Output indices in decoder heads must exist. */
function checkHeads(card: CardReader, decoder: CardDecoder, outputs: readonly CardOutput[]): void {
  if (decoder.kind !== 'ssd' || outputs.length === 0) return
  decoder.heads.forEach((head, i) => {
    for (const index of [head.scores, head.boxes]) {
      if (index >= outputs.length) {
        card.refuse(`decoder.heads[${i}]`, `names output ${index}, the card has ${outputs.length}`)
      }
    }
  })
}

/**
 * Checks a parsed `model.card.json` and gives it its type. Keys that this schema does not know are dropped; `input.fill`,
 * `input.scale`, `input.zeroPoint` and an output's `type` may be absent (0, 1, 0, uint8).
 * @param file - name for error texts
 * @throws BridgeError `CARD_INVALID` whose `where.path` names the first key that does not fit
 */
export function parseCard(json: unknown, file = 'model card'): ModelCard {
  const card = new CardReader(json, '', file)
  const schema = card.integer('schema', 0)
  if (schema !== CARD_SCHEMA) card.refuse('schema', `is ${schema}; this version reads ${CARD_SCHEMA}`)
  const outputs = card.list('outputs', parseOutput)
  const decoder = parseDecoder(card.child('decoder'))
  checkHeads(card, decoder, outputs)
  const source = card.child('source')
  const compile = card.optional('compile')
  const accuracy = card.optional('accuracy')
  const forecast = card.optional('forecast')
  return {
    schema: CARD_SCHEMA,
    name: card.text('name'),
    task: card.oneOf('task', TASKS),
    input: parseInput(card.child('input')),
    decoder,
    labels: card.texts('labels'),
    outputs,
    source: { file: source.text('file'), sha256: source.text('sha256'), licence: source.text('licence') },
    ...(compile && { compile: { version: compile.text('version'), options: compile.child('options').record() } }),
    ...(accuracy && { accuracy: accuracy.record() }),
    ...(forecast && { forecast: { memory: parseMemory(forecast.child('memory')), ms: forecast.number('ms', {}) } }),
  }
}

/** Text of a `model.card.json` file, as written beside a model. */
export function printCard(card: ModelCard): string {
  return `${JSON.stringify(card, null, 2)}\n`
}

/** Reads and checks a card file. @throws BridgeError `FILE_READ`, `CARD_INVALID` */
export async function loadCard(path: string): Promise<ModelCard> {
  return parseCard(CardReader.parseJson(await readFileBytes(path), path), path)
}

/** Where the card of a model file stands: `face.kmodel` and `face.onnx` have `face.card.json`. */
export function cardPathFor(modelPath: string): string {
  return `${modelPath.replace(/\.[^./\\]+$/, '')}.card.json`
}

import {
  type BinaryCard,
  type BinaryCardOutput,
  CARD_CODES,
  card as cardRow,
  decode,
  encode,
  MODEL,
} from '../../protocol/index.js'
import { BridgeError } from '../foundation/errors.js'
import { elementCount, type Shape } from '../tensor/tensor.js'
import type { CardDecoder, CardInput, CardOutput, ModelCard, SsdHead } from './card.js'

/** Version field of the binary form. */
const BINARY_VERSION = 1

/** What a board needs of a card. Mean and std are 0 and 1 after reading back: they are folded into the network. */
export type BoardCard = Pick<ModelCard, 'input' | 'decoder' | 'outputs'>

const refuse = (path: string, what: string): never => {
  throw new BridgeError('CARD_INVALID', { what, where: { path } })
}

/** Name of a code; the inverse of the tables in CARD_CODES. */
function nameOf<T extends string>(codes: Readonly<Record<T, number>>, code: number, path: string): T {
  const names = Object.keys(codes) as T[]
  return names.find((name) => codes[name] === code) ?? refuse(path, `the binary card has an unknown code ${code}`)
}

/** [channels, height, width] of any shape: a leading batch of 1 goes, what is no map becomes channels. */
function mapShape(shape: Shape): { channels: number; height: number; width: number } {
  const plain = shape.length === 4 && shape[0] === 1 ? shape.slice(1) : shape
  if (plain.length === 3) return { channels: plain[0]!, height: plain[1]!, width: plain[2]! }
  return { channels: elementCount(shape), height: 1, width: 1 }
}

function outputRow(output: CardOutput, index: number): BinaryCardOutput {
  const types: Readonly<Record<string, number>> = CARD_CODES.type
  const type = types[output.type] ?? refuse(`outputs[${index}].type`, `boards do not know outputs of ${output.type}`)
  return { ...mapShape(output.shape), type, scale: output.scale, zeroPoint: output.zeroPoint }
}

type DecoderRow = Omit<BinaryCard, 'version' | 'width' | 'height' | 'colour' | 'resize' | 'fill' | 'outputs'>

const EMPTY_DECODER: DecoderRow = {
  decoder: CARD_CODES.decoder.none,
  scoreThreshold: 0,
  iouThreshold: 0,
  maxBoxes: 0,
  classes: 0,
  stride: 0,
  anchors: [],
  centreVariance: 0,
  sizeVariance: 0,
  heads: [],
}

function decoderRow(decoder: CardDecoder): DecoderRow {
  switch (decoder.kind) {
    case 'none':
      return EMPTY_DECODER
    case 'ssd': {
      const { kind, ...fields } = decoder
      return { ...EMPTY_DECODER, ...fields, decoder: CARD_CODES.decoder[kind] }
    }
    case 'yolov2': {
      const { kind, anchors, ...fields } = decoder
      const rows = anchors.map(([w, h]) => ({ w, h }))
      return { ...EMPTY_DECODER, ...fields, anchors: rows, decoder: CARD_CODES.decoder[kind] }
    }
  }
}

/**
 * The board's form of a card, at most 880 bytes.
 * @throws BridgeError `CARD_INVALID` with the path of what a board cannot hold
 */
export function encodeBoardCard(card: BoardCard): Uint8Array {
  const { width, height, colour, resize, fill } = card.input
  const row: BinaryCard = {
    version: BINARY_VERSION,
    width,
    height,
    colour: CARD_CODES.colour[colour],
    resize: CARD_CODES.resize[resize],
    fill,
    outputs: card.outputs.map(outputRow),
    ...decoderRow(card.decoder),
  }
  const bytes = encodeRow(row)
  if (bytes.length <= MODEL.cardBytes) return bytes
  return refuse('', `the binary card takes ${bytes.length} bytes; boards hold ${MODEL.cardBytes}`)
}

function encodeRow(row: BinaryCard): Uint8Array {
  try {
    return encode(cardRow, row)
  } catch (error) {
    if (!(error instanceof BridgeError)) throw error
    throw new BridgeError('CARD_INVALID', {
      what: `a board cannot hold this card: ${error.what}`,
      where: { path: String(error.where.field ?? '') },
      cause: error,
    })
  }
}

function inputOf(row: BinaryCard): CardInput {
  const colour = nameOf(CARD_CODES.colour, row.colour, 'input.colour')
  const channels = colour === 'grey' ? 1 : 3
  return {
    width: row.width,
    height: row.height,
    colour,
    resize: nameOf(CARD_CODES.resize, row.resize, 'input.resize'),
    fill: row.fill,
    mean: new Array<number>(channels).fill(0),
    std: new Array<number>(channels).fill(1),
    scale: 1,
    zeroPoint: 0,
  }
}

function decoderOf(row: BinaryCard): CardDecoder {
  const kind = nameOf(CARD_CODES.decoder, row.decoder, 'decoder.kind')
  const { scoreThreshold, iouThreshold, maxBoxes, classes } = row
  switch (kind) {
    case 'none':
      return { kind }
    case 'ssd': {
      const { centreVariance, sizeVariance } = row
      const heads: SsdHead[] = row.heads.map((head) => ({ ...head, minSizes: [...head.minSizes] }))
      return { kind, classes, centreVariance, sizeVariance, heads, scoreThreshold, iouThreshold, maxBoxes }
    }
    case 'yolov2': {
      const anchors = row.anchors.map(({ w, h }) => [w, h] as const)
      return { kind, classes, stride: row.stride, anchors, scoreThreshold, iouThreshold, maxBoxes }
    }
  }
}

function outputOf(row: BinaryCardOutput, index: number): CardOutput {
  const type = nameOf(CARD_CODES.type, row.type, `outputs[${index}].type`)
  if (type === 'int16') return refuse(`outputs[${index}].type`, 'outputs of int16 are not in use')
  const { channels, height, width, scale, zeroPoint } = row
  return { name: `output${index}`, shape: [channels, height, width], type, scale, zeroPoint }
}

/**
 * Reads the board's form. Numbers come back rounded to float32, outputs as `output0`, `output1` ...
 * @throws BridgeError `CARD_INVALID` for unknown codes or versions, `LINK_MESSAGE` for bytes that end early
 */
export function decodeBoardCard(bytes: Uint8Array): BoardCard {
  const row = decode(cardRow, bytes)
  if (row.version !== BINARY_VERSION) refuse('version', `the binary card has version ${row.version}`)
  return { input: inputOf(row), decoder: decoderOf(row), outputs: row.outputs.map(outputOf) }
}

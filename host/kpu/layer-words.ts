import { BridgeError } from '../foundation/errors.js'

/** One register field of the twelve layer words. */
export interface LayerField {
  readonly name: string
  readonly word: number
  readonly bit: number
  readonly width: number
  readonly signed: boolean
  /** Stored minus one; the decoded value is the count itself. */
  readonly minusOne: boolean
  /** Only the low bits are stored; larger values are legal. */
  readonly wraps: boolean
}

interface FieldKind {
  readonly signed?: boolean
  readonly minusOne?: boolean
  readonly wraps?: boolean
}

const field = <N extends string>(name: N, word: number, bit: number, width: number, kind: FieldKind = {}) => ({
  name,
  word,
  bit,
  width,
  signed: kind.signed ?? false,
  minusOne: kind.minusOne ?? false,
  wraps: kind.wraps ?? false,
})
const count = { minusOne: true }
const signed = { signed: true }

/** Every field of a layer argument, in word and bit order. Source: kpu.md section 3. */
export const LAYER_FIELDS = [
  field('intEn', 0, 0, 1),
  field('ramFlag', 0, 1, 1),
  field('fullAdd', 0, 2, 1),
  field('depthWiseLayer', 0, 3, 1),
  field('imageSrcAddr', 1, 0, 15),
  field('imageDstAddr', 1, 32, 15),
  field('iChNum', 2, 0, 10, count),
  field('oChNum', 2, 32, 10, count),
  field('oChNumCoef', 2, 48, 10, count),
  field('iRowWid', 3, 0, 10, count),
  field('iColHigh', 3, 10, 9, count),
  field('oRowWid', 3, 32, 10, count),
  field('oColHigh', 3, 42, 9, count),
  field('kernelType', 4, 0, 3),
  field('padType', 4, 3, 1),
  field('poolType', 4, 4, 4),
  field('firstStride', 4, 8, 1),
  field('bypassConv', 4, 9, 1),
  field('loadPara', 4, 10, 1),
  field('dmaBurstSize', 4, 16, 8, count),
  field('padValue', 4, 24, 8),
  field('bwsxBaseAddr', 4, 32, 32),
  field('loadCoor', 5, 0, 1),
  field('loadTime', 5, 1, 6, count),
  field('paraSize', 5, 15, 17),
  field('paraStartAddr', 5, 32, 32),
  field('coefColumnOffset', 6, 0, 4),
  field('coefRowOffset', 6, 4, 12),
  field('channelSwitchAddr', 7, 0, 15),
  field('rowSwitchAddr', 7, 16, 4),
  field('coefSize', 7, 20, 8),
  field('coefGroup', 7, 28, 3),
  field('loadAct', 7, 31, 1),
  field('activeAddr', 7, 32, 32),
  field('wbChannelSwitchAddr', 8, 0, 15),
  field('wbRowSwitchAddr', 8, 16, 4),
  field('wbGroup', 8, 20, 3),
  field('shrW', 9, 0, 4),
  field('shrX', 9, 4, 4),
  field('argW', 9, 8, 24, signed),
  field('argX', 9, 32, 24, signed),
  field('argAdd', 10, 0, 40, signed),
  field('sendDataOut', 11, 0, 1),
  field('channelByteNum', 11, 16, 16, { minusOne: true, wraps: true }),
  field('dmaTotalByte', 11, 32, 32, count),
] as const satisfies readonly LayerField[]

/** Name of a register field, as in kpu.md but camelCase. */
export type LayerFieldName = (typeof LAYER_FIELDS)[number]['name']

/**
 * One KPU layer as numbers: all fields of the twelve words. Fields that the chip stores minus one (channel counts,
 * sizes, loadTime, dmaBurstSize, channelByteNum, dmaTotalByte) hold the count itself. Addresses are KPU rows.
 */
export type KpuLayer = { readonly [N in LayerFieldName]: number }

/** Bytes of an encoded layer. */
export const LAYER_BYTES = 96
const WORDS = 12

function encodeField(row: LayerField, value: number): bigint {
  const stored = BigInt(row.minusOne ? value - 1 : value)
  const low = row.signed ? -(1n << BigInt(row.width - 1)) : 0n
  const high = row.signed ? 1n << BigInt(row.width - 1) : 1n << BigInt(row.width)
  if (!row.wraps && (stored < low || stored >= high)) {
    throw new BridgeError('KPU_LIMIT', {
      what: `${row.name} = ${value} does not fit its ${row.width} bits`,
      where: { field: row.name, word: row.word, bit: row.bit },
    })
  }
  return BigInt.asUintN(row.width, stored)
}

/**
 * The twelve 64-bit words of a layer. Reserved bits are 0.
 * @throws BridgeError `KPU_LIMIT` when a value does not fit its bits
 */
export function encodeLayerWords(layer: KpuLayer): bigint[] {
  const words = new Array<bigint>(WORDS).fill(0n)
  for (const row of LAYER_FIELDS) {
    words[row.word] = words[row.word]! | (encodeField(row, layer[row.name]) << BigInt(row.bit))
  }
  return words
}

/** Twelve words to a layer; reserved bits are ignored. */
export function decodeLayerWords(words: readonly bigint[]): KpuLayer {
  const layer: Record<string, number> = {}
  for (const row of LAYER_FIELDS) {
    const bits = words[row.word]! >> BigInt(row.bit)
    const value = Number(row.signed ? BigInt.asIntN(row.width, bits) : BigInt.asUintN(row.width, bits))
    layer[row.name] = row.minusOne ? value + 1 : value
  }
  return layer as KpuLayer // every name of LAYER_FIELDS was just set
}

/** The 96 little-endian bytes of a layer. @throws BridgeError `KPU_LIMIT` */
export function encodeLayer(layer: KpuLayer): Uint8Array {
  const bytes = new Uint8Array(LAYER_BYTES)
  const view = new DataView(bytes.buffer)
  encodeLayerWords(layer).forEach((word, index) => {
    view.setBigUint64(index * 8, word, true)
  })
  return bytes
}

/** A layer from its 96 bytes. */
export function decodeLayer(bytes: Uint8Array, offset = 0): KpuLayer {
  const view = new DataView(bytes.buffer, bytes.byteOffset + offset, LAYER_BYTES)
  return decodeLayerWords(Array.from({ length: WORDS }, (_, index) => view.getBigUint64(index * 8, true)))
}

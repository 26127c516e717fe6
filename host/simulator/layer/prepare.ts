import { BridgeError } from '../../foundation/errors.js'
import { decodeActivationTable } from '../../kpu/activation-table.js'
import { decodeBatchNorm } from '../../kpu/batch-norm.js'
import type { KpuLayer } from '../../kpu/layer-words.js'
import { CHANNELS_AT_ONCE, type Geometry, layerGeometry } from './geometry.js'
import { chooseGuess, fillWindows, GUESS, type Guess, type SumRange, WINDOWS } from './guess.js'
import { fillThresholds, legalSums, type RisingChannel, THRESHOLDS, tableThresholds } from './thresholds.js'

/** Parameters of one layer beside its words. */
export interface LayerTables {
  /** 8 bytes an output channel. */
  readonly batchNorm: Uint8Array
  /** 144 bytes. */
  readonly activation: Uint8Array
  readonly weights: Uint8Array
  readonly weightBits: 8 | 16
}

/** A layer ready for the fast path; typed arrays are copied into the kernels' memory. */
export interface FastTables {
  readonly geometry: Geometry
  /** [oc / 4][entry][4][2] words, or [channel][taps] for depthwise layers. */
  readonly weights: Int16Array
  readonly thresholds: Int32Array
  readonly windows: Uint8Array
  /** channel_t records of kernels/layer.h. */
  readonly channelRecords: Uint8Array
  readonly guess: Guess
  /** Some sums could leave the range in which thresholds hold: the kernel looks at each, the exact path decides. */
  readonly checkRange: boolean
}

/** What both paths need: constants of every channel as the exact path takes them. */
export interface ExactTables {
  /** Per channel: constant term, norm_mul, norm_add, norm_shift. */
  readonly tables: BigInt64Array
  /** 16 times x_start, y_mul, shift, bias. */
  readonly segments: BigInt64Array
}

/** Largest sum that the kernels' 32-bit accumulators may reach. */
const MOST_SUM = 2 ** 31 - 2
const CHANNEL_RECORD_BYTES = 36

const tapsOf = (layer: KpuLayer): number => (layer.kernelType === 1 ? 9 : 1)

/** Weights of one output channel: taps times input channels (1 when depthwise). */
export const weightsPerChannel = (layer: KpuLayer): number => tapsOf(layer) * (layer.depthWiseLayer ? 1 : layer.iChNum)

/** Raw weights as numbers; a copy when they are not aligned for 16-bit reads. */
export function rawWeights(tables: LayerTables): Uint8Array | Uint16Array {
  if (tables.weightBits === 8) return tables.weights
  return new Uint16Array(tables.weights.slice().buffer)
}

/** ((arg_w * Sw) >> shr_w) + arg_add * N of each channel. Exact: below 2^53. */
function constants(layer: KpuLayer, raw: Uint8Array | Uint16Array): number[] {
  const per = weightsPerChannel(layer)
  const inputs = layer.depthWiseLayer ? 1 : layer.iChNum
  const unit = 2 ** layer.shrW
  const terms: number[] = []
  for (let channel = 0; channel < layer.oChNum; channel++) {
    const sum = layer.argW === 0 ? 0 : sumOf(raw, channel * per, per)
    terms.push(Math.floor((layer.argW * sum) / unit) + layer.argAdd * inputs)
  }
  return terms
}

function sumOf(raw: Uint8Array | Uint16Array, start: number, count: number): number {
  let sum = 0
  for (let index = start; index < start + count; index++) sum += raw[index]!
  return sum
}

/** Shifts above 31 overflow in the reference and never occur. */
const MOST_SHIFT = 31

/** Tables of the exact path. @throws BridgeError `SIM_UNSUPPORTED` on activation shifts above 31 */
export function exactTables(layer: KpuLayer, tables: LayerTables): ExactTables {
  const terms = constants(layer, rawWeights(tables))
  const rows = decodeBatchNorm(tables.batchNorm).slice(0, layer.oChNum)
  const flat = rows.flatMap((entry, channel) => [terms[channel]!, entry.normMul, entry.normAdd, entry.normShift])
  const table = decodeActivationTable(tables.activation)
  const wild = table.findIndex((segment) => segment.shiftNumber > MOST_SHIFT)
  if (wild >= 0) {
    throw new BridgeError('SIM_UNSUPPORTED', {
      what: `activation segment ${wild} shifts by ${table[wild]!.shiftNumber}; more than ${MOST_SHIFT} overflows in the reference`,
      where: { segment: wild },
    })
  }
  const segments = table.flatMap((s) => [s.xStart, s.yMul, s.shiftNumber, s.resultBias])
  return { tables: BigInt64Array.from(flat, BigInt), segments: BigInt64Array.from(segments, BigInt) }
}

/**
 * Tables of the fast path, or null when only the exact path gives exact results: arg_x does not fold into 16-bit
 * weights, sums could leave 32 bits, or the activation table is not rising.
 */
export function fastTables(layer: KpuLayer, tables: LayerTables): FastTables | null {
  const fold = layer.argX / 2 ** layer.shrX
  const segments = decodeActivationTable(tables.activation)
  const table = tableThresholds(segments)
  if (!Number.isInteger(fold) || table === null) return null
  const raw = rawWeights(tables)
  const norms = decodeBatchNorm(tables.batchNorm)
  const signs = norms.map((entry) => (entry.normMul < 0 ? -1 : 1))
  const folded = foldWeights(layer, raw, fold, signs)
  if (folded === null) return null
  const channels: RisingChannel[] = constants(layer, raw).map((term, channel) => {
    const { normMul, normAdd, normShift } = norms[channel]!
    return { entry: { normMul: Math.abs(normMul), normAdd, normShift }, constant: signs[channel]! * term }
  })
  const geometry = layerGeometry(layer)
  const thresholds = new Int32Array(layer.oChNum * THRESHOLDS)
  channels.forEach((channel, index) => {
    fillThresholds(channel, table, thresholds.subarray(index * THRESHOLDS, (index + 1) * THRESHOLDS))
  })
  const guess = chooseGuess({ segments, table, channels, thresholds, ranges: folded.ranges })
  const packed = layer.depthWiseLayer ? folded.weights : packWeights(layer, geometry, folded.weights)
  return {
    geometry,
    weights: packed,
    thresholds,
    guess,
    ...channelTables(channels, thresholds, folded.ranges, guess, table.highest),
  }
}

/** (w + fold) * sign as 16-bit words, and what each channel's sum can reach; null when words or sums are too large. */
function foldWeights(layer: KpuLayer, raw: Uint8Array | Uint16Array, fold: number, signs: readonly number[]) {
  const per = weightsPerChannel(layer)
  const weights = new Int16Array(layer.oChNum * per)
  const ranges: SumRange[] = []
  for (let channel = 0; channel < layer.oChNum; channel++) {
    let low = 0
    let high = 0
    for (let index = channel * per; index < (channel + 1) * per; index++) {
      const weight = (raw[index]! + fold) * signs[channel]!
      if (weight < -32768 || weight > 32767) return null
      weights[index] = weight
      if (weight < 0) low += weight * 255
      else high += weight * 255
    }
    if (high > MOST_SUM || low < -MOST_SUM) return null
    ranges.push({ low, high })
  }
  return { weights, ranges }
}

/** [oc][ic][ky][kx] to the kernel's order: four channels side by side for each entry. */
function packWeights(layer: KpuLayer, geometry: Geometry, weights: Int16Array): Int16Array {
  const per = weightsPerChannel(layer)
  const blocks = Math.ceil(layer.oChNum / CHANNELS_AT_ONCE)
  const packed = new Int16Array(blocks * CHANNELS_AT_ONCE * geometry.entries.length * 2)
  let at = 0
  for (let block = 0; block < blocks; block++) {
    for (const { weightA, weightB } of geometry.entries) {
      for (let k = 0; k < CHANNELS_AT_ONCE; k++, at += 2) {
        const channel = block * CHANNELS_AT_ONCE + k
        if (channel >= layer.oChNum) continue
        packed[at] = weights[channel * per + weightA]!
        if (weightB >= 0) packed[at + 1] = weights[channel * per + weightB]!
      }
    }
  }
  return packed
}

function channelTables(
  channels: readonly RisingChannel[],
  thresholds: Int32Array,
  ranges: readonly SumRange[],
  guess: Guess,
  highest: number,
): Pick<FastTables, 'windows' | 'channelRecords' | 'checkRange'> {
  const byWindow = guess.kind === GUESS.window
  const windows = new Uint8Array(byWindow ? channels.length * WINDOWS : 0)
  const channelRecords = new Uint8Array(channels.length * CHANNEL_RECORD_BYTES)
  const view = new DataView(channelRecords.buffer)
  let checkRange = false
  channels.forEach((channel, index) => {
    const at = index * CHANNEL_RECORD_BYTES
    for (let k = 0; k < 4; k++) view.setFloat32(at + k * 4, guess.lines[index * 4 + k]!, true)
    if (byWindow) {
      const own = thresholds.subarray(index * THRESHOLDS, (index + 1) * THRESHOLDS)
      const window = fillWindows(own, windows.subarray(index * WINDOWS, (index + 1) * WINDOWS), ranges[index]!)
      view.setInt32(at + 16, window.low, true)
      view.setUint32(at + 20, window.shift, true)
      view.setUint32(at + 32, window.single ? 1 : 0, true)
    }
    const legal = legalSums(channel, highest)
    view.setInt32(at + 24, legal.low, true)
    view.setInt32(at + 28, legal.high, true)
    checkRange ||= ranges[index]!.low < legal.low || ranges[index]!.high > legal.high
  })
  return { windows, channelRecords, checkRange }
}

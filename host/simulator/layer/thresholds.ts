import type { ActivationSegment } from '../../kpu/activation-table.js'
import { ACTIVATION_LOWEST, carry } from '../../kpu/activation-table.js'
import type { BatchNormEntry } from '../../kpu/batch-norm.js'

/** Output codes 1..255 have a threshold each; index 0 and 256 close the list (kernels/layer.h). */
export const THRESHOLDS = 257
/** Signed 36 bits: the range of accumulators and batch-norm results. */
export const RANGE_36 = { low: -(2 ** 35), high: 2 ** 35 - 1 } as const
/** A table that falls below this b is left to the exact path. */
const LEAST_USEFUL = 2 ** 31
const INT32 = { low: -(2 ** 31), high: 2 ** 31 - 1 } as const

/** A rising activation table, by thresholds over the batch-norm result b. */
export interface TableThresholds {
  /** least[k] = smallest b that gives at least code k; -Infinity when always, Infinity when never. */
  readonly least: Float64Array
  /** Segment in which least[k] lies; -1 where it is infinite. */
  readonly segment: Int8Array
  /** Largest b up to which the table rises: nncase 0.1 fills the top of its range with segments that fall to 0. */
  readonly highest: number
}

/** Code of segment `s` at `b`, b > xStart. Exact: products stay below 2^53. */
function codeAt(s: ActivationSegment, b: number): number {
  return Math.max(0, Math.min(255, carry((b - s.xStart) * s.yMul, s.shiftNumber) + s.resultBias))
}

/**
 * Thresholds of an activation table, or null when it falls below b = 2^31 (then only the exact path will do).
 * @see kpu.md section 5
 */
export function tableThresholds(segments: readonly ActivationSegment[]): TableThresholds | null {
  if (segments[0]!.xStart !== ACTIVATION_LOWEST) return null
  const least = new Float64Array(256).fill(Infinity)
  const segment = new Int8Array(256).fill(-1)
  least[0] = -Infinity
  let reached = -1
  let highest: number = RANGE_36.high
  for (const [index, s] of segments.entries()) {
    const end = index + 1 < segments.length ? segments[index + 1]!.xStart : RANGE_36.high
    if (end < s.xStart) return null
    if (end === s.xStart) continue
    const first = codeAt(s, s.xStart + 1)
    if (s.yMul < 0 || s.shiftNumber > 31 || first < reached) {
      if (s.xStart < LEAST_USEFUL) return null
      highest = s.xStart
      break
    }
    const last = codeAt(s, end)
    for (let code = reached + 1; code <= last; code++) {
      const always = reached < 0 && code <= first
      least[code] = always ? -Infinity : leastInSegment(s, end, code)
      segment[code] = always ? -1 : index
    }
    reached = Math.max(reached, last)
  }
  return { least, segment, highest }
}

/** Smallest b in (xStart, end] of a rising segment that gives at least `code`; there is one. */
function leastInSegment(s: ActivationSegment, end: number, code: number): number {
  const product = (code - s.resultBias - 0.5) * 2 ** s.shiftNumber
  const guess = s.xStart + (s.yMul === 0 ? 1 : Math.ceil(product / s.yMul))
  let b = Math.max(s.xStart + 1, Math.min(end, guess))
  while (b > s.xStart + 1 && codeAt(s, b - 1) >= code) b--
  while (codeAt(s, b) < code) b++
  return b
}

/** Smallest integer q with q * divisor >= value; divisor > 0; exact below 2^53. */
function ceilDivide(value: number, divisor: number): number {
  let q = Math.ceil(value / divisor)
  while (q * divisor < value) q++
  while ((q - 1) * divisor >= value) q--
  return q
}

const clampInt32 = (value: number): number => Math.max(INT32.low, Math.min(INT32.high, value))

/** One output channel, made rising: a negative norm_mul has its sign moved into the sums. */
export interface RisingChannel {
  /** norm_mul >= 0. */
  readonly entry: BatchNormEntry
  /** What is added to the convolution's sum. */
  readonly constant: number
}

/** Smallest sum whose batch-norm result is at least `b`, as an int32 (saturated). `unit` is 2^normShift. */
function leastSum(channel: RisingChannel, b: number, unit: number): number {
  const { normMul, normAdd } = channel.entry
  if (b === -Infinity) return INT32.low
  if (b === Infinity) return INT32.high
  if (normMul === 0) return normAdd >= b ? INT32.low : INT32.high
  return clampInt32(ceilDivide((b - normAdd) * unit, normMul) - channel.constant)
}

/** Fills `out` (257 entries) with the sums at which the channel's code rises. */
export function fillThresholds(channel: RisingChannel, table: TableThresholds, out: Int32Array): void {
  const unit = 2 ** channel.entry.normShift
  for (let code = 1; code < 256; code++) out[code] = leastSum(channel, table.least[code]!, unit)
  out[0] = INT32.low
  out[256] = INT32.high
}

/** Sums for which the accumulator stays within 36 bits and the batch-norm result at or below `highest`. */
export function legalSums(channel: RisingChannel, highest: number): { low: number; high: number } {
  const unit = 2 ** channel.entry.normShift
  const lowByB = leastSum(channel, RANGE_36.low, unit)
  const highByB = channel.entry.normMul === 0 ? INT32.high : leastSum(channel, highest + 1, unit) - 1
  return {
    low: Math.max(lowByB, clampInt32(RANGE_36.low - channel.constant)),
    high: Math.min(clampInt32(highByB), clampInt32(RANGE_36.high - channel.constant)),
  }
}

import { BridgeError } from '../foundation/errors.js'

/** One line of the activation table: y = carry((b - xStart) * yMul, shiftNumber) + resultBias for b > xStart. */
export interface ActivationSegment {
  /** Signed 36 bit. */
  readonly xStart: number
  /** Signed 16 bit. */
  readonly yMul: number
  /** 0..31 (larger shifts overflow in the reference). */
  readonly shiftNumber: number
  /** 0..255. */
  readonly resultBias: number
}

/** Segments of a table, and its bytes: 16 words and 16 bias bytes. */
export const ACTIVATION_SEGMENTS = 16
export const ACTIVATION_BYTES = 144
/** xStart of the first segment: below every value. */
export const ACTIVATION_LOWEST = -(2 ** 35)

/**
 * Sixteen segments, sorted by xStart, to 144 bytes. Bits 60..63 are 0.
 * @throws BridgeError `KPU_LIMIT` when there are not 16 segments or a value does not fit
 * @see kpu.md section 5
 */
export function encodeActivationTable(segments: readonly ActivationSegment[]): Uint8Array {
  if (segments.length !== ACTIVATION_SEGMENTS) {
    throw new BridgeError('KPU_LIMIT', { what: `an activation table has 16 segments, not ${segments.length}` })
  }
  const bytes = new Uint8Array(ACTIVATION_BYTES)
  const view = new DataView(bytes.buffer)
  segments.forEach((segment, index) => {
    checkSegment(segment, index)
    const mul = BigInt.asUintN(16, BigInt(segment.yMul)) << 8n
    const start = BigInt.asUintN(36, BigInt(segment.xStart)) << 24n
    view.setBigUint64(index * 8, BigInt(segment.shiftNumber) | mul | start, true)
    bytes[ACTIVATION_SEGMENTS * 8 + index] = segment.resultBias
  })
  return bytes
}

function checkSegment(segment: ActivationSegment, index: number): void {
  const fits =
    Math.abs(segment.xStart + 0.5) < 2 ** 35 &&
    Math.abs(segment.yMul + 0.5) < 2 ** 15 &&
    segment.shiftNumber >= 0 &&
    segment.shiftNumber < 256 &&
    segment.resultBias >= 0 &&
    segment.resultBias < 256
  if (fits) return
  throw new BridgeError('KPU_LIMIT', {
    what: `activation segment ${JSON.stringify(segment)} does not fit its bits`,
    where: { segment: index },
  })
}

/** 144 bytes to segments. Bits 60..63 are junk in real files and ignored. */
export function decodeActivationTable(bytes: Uint8Array): ActivationSegment[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, ACTIVATION_BYTES)
  return Array.from({ length: ACTIVATION_SEGMENTS }, (_, index) => {
    const word = view.getBigUint64(index * 8, true)
    return {
      xStart: Number(BigInt.asIntN(36, word >> 24n)),
      yMul: Number(BigInt.asIntN(16, word >> 8n)),
      shiftNumber: Number(word & 255n),
      resultBias: bytes[ACTIVATION_SEGMENTS * 8 + index]!,
    }
  })
}

/**
 * The reference's rounding shift: half to even for p >= 0; for p < 0 it takes one more off an already floored value.
 * @param p - product, |p| < 2^53
 * @param shift - 0..31
 */
export function carry(p: number, shift: number): number {
  if (shift === 0) return p
  const unit = 2 ** shift
  const floor = Math.floor(p / unit)
  const rest = p - floor * unit
  const half = unit / 2
  if (rest < half || (rest === half && floor % 2 === 0)) return floor
  return floor + (p < 0 ? -1 : 1)
}

/** Output byte of the table for a batch-norm result `b` (|b| < 2^35). The segment is the last with b > xStart. */
export function evaluateActivation(segments: readonly ActivationSegment[], b: number): number {
  let index = segments.length - 1
  while (index > 0 && b <= segments[index]!.xStart) index--
  const { xStart, yMul, shiftNumber, resultBias } = segments[index]!
  return Math.max(0, Math.min(255, carry((b - xStart) * yMul, shiftNumber) + resultBias))
}

import type { Activation, TableSegment } from '../../ir/op.js'
import { ACTIVATION_LOWEST } from '../../kpu/activation-table.js'
import type { QuantParams } from '../../tensor/tensor.js'

/** Right shift of every live segment: the only one that real kmodels have. Source: kpu.md section 5. */
export const TABLE_SHIFT = 20

const clampCode = (code: number): number => Math.min(255, Math.max(0, code))

/** Bounds of an activation's result, in codes. */
function codeBounds(activation: Activation, quant: QuantParams): { low: number; high: number } {
  const code = (real: number) => clampCode(Math.round(real / quant.scale) + quant.zeroPoint)
  if (activation.fn === 'relu') return { low: code(0), high: 255 }
  if (activation.fn === 'clip') return { low: code(activation.min), high: code(activation.max) }
  return { low: 0, high: 255 }
}

/** Multipliers of a table whose line has one code every 2^20 / `main` steps of b. */
export interface TableSlopes {
  readonly main: number
  /** Below zero; LeakyReLU only. */
  readonly negative: number
}

/**
 * A multiplier near `wanted` for which the slope below zero is a whole number too, so that LeakyReLU loses nothing.
 * @param wanted - power of two; the answer lies in [wanted, 2 * wanted)
 */
export function tableSlopes(activation: Activation, wanted: number): TableSlopes {
  if (activation.fn !== 'leakyRelu') return { main: wanted, negative: 0 }
  const { slope } = activation
  let best = wanted
  let bestError = Number.POSITIVE_INFINITY
  for (let main = wanted; main < 2 * wanted; main++) {
    const exact = main * slope
    const error = Math.abs(Math.round(exact) - exact) / exact
    // float32 attributes are never whole to the last bit
    if (error < bestError - 1e-6) {
      bestError = error
      best = main
    }
  }
  return { main: best, negative: Math.round(best * slope) }
}

/**
 * Segments of the activation table. b is the real result in steps of scale * main / 2^20, zero at b = 0, so code =
 * b * main / 2^20 + zeroPoint: a line through the zero point, a second one below zero for LeakyReLU, flat ends for
 * ReLU and Clip. Multipliers are never negative (kpu.md section 5).
 */
export function activationTable(activation: Activation, quant: QuantParams, slopes: TableSlopes): TableSegment[] {
  const stepsPerCode = 2 ** TABLE_SHIFT / slopes.main
  const { low, high } = codeBounds(activation, quant)
  const startOf = (code: number) => Math.round((code - quant.zeroPoint) * stepsPerCode)
  const segments: TableSegment[] = [{ start: ACTIVATION_LOWEST, mul: 0, shift: 0, bias: low }]
  const line = (start: number, mul: number, bias: number) => segments.push({ start, mul, shift: TABLE_SHIFT, bias })
  if (activation.fn === 'leakyRelu' && quant.zeroPoint > 0 && slopes.negative > 0) {
    const bottom = Math.round((-quant.zeroPoint * 2 ** TABLE_SHIFT) / slopes.negative)
    line(bottom, slopes.negative, 0)
    line(0, slopes.main, quant.zeroPoint)
  } else {
    line(startOf(low), slopes.main, low)
  }
  if (high < 255) segments.push({ start: startOf(high), mul: 0, shift: 0, bias: high })
  return segments
}

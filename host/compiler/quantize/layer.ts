import { BridgeError } from '../../foundation/errors.js'
import type { KpuCode, KpuConv2dOp } from '../../ir/op.js'
import type { QuantParams } from '../../tensor/tensor.js'
import { activationTable, TABLE_SHIFT, type TableSlopes, tableSlopes } from './table.js'
import { type QuantizedWeights, quantizeWeights } from './weights.js'

/** A layer in real numbers, with the quantization of its input and output. */
export interface LayerInFloat {
  readonly op: KpuConv2dOp
  /** [O, I, k, k], depthwise [C, 1, k, k]. */
  readonly weights: Float32Array
  readonly outputs: number
  readonly bias: Float32Array | undefined
  readonly input: QuantParams
  readonly output: QuantParams
  /** Mean of each input channel in real numbers, for the bias that makes up for rounded weights. */
  readonly inputMeans: readonly number[]
}

/** Widths of the batch-norm registers. Source: kpu.md section 5. */
const NORM_MUL_MAX = 2 ** 23 - 1
const NORM_SHIFT_MAX = 15
const NORM_ADD_LIMIT = 2 ** 31
const RESULT_LIMIT = 2 ** 35

/** Table multipliers that are tried, finest steps of b last. */
const MULTIPLIERS = [1024, 512, 256, 128, 64, 32]
const COARSE_MULTIPLIERS = [2048, 4096, 8192, 16384]
/** Error of a rounded norm multiplier that is not worth finer steps, in output codes. */
const GOOD_ERROR = 0.02

interface Norm {
  readonly entries: { mul: number; shift: number; add: number }[]
  /** Worst error by rounded multipliers, in output codes; infinite when a register overflows. */
  readonly error: number
}

/**
 * What the rounding of weights takes from (or adds to) each output on average: sum of (w - rounded w) * mean input.
 * Added to the bias, it cancels that shift.
 */
export function biasCorrection(layer: LayerInFloat, quantized: QuantizedWeights): Float64Array {
  const { weights, outputs, op } = layer
  const taps = op.kernel * op.kernel
  const length = weights.length / outputs
  return Float64Array.from({ length: outputs }, (_, o) => {
    let sum = 0
    for (let i = 0; i < length; i++) {
      const at = o * length + i
      const rounded = (quantized.codes[at]! - quantized.zeroPoint) * quantized.scales[o]!
      const channel = op.depthwise ? o : Math.floor(i / taps)
      sum += (weights[at]! - rounded) * layer.inputMeans[channel]!
    }
    return sum
  })
}

/** Largest |accumulator| of an output channel: all inputs at the far end of their codes. */
function accumulatorBound(quantized: QuantizedWeights, o: number, outputs: number, zeroPoint: number): number {
  const length = quantized.codes.length / outputs
  let sum = 0
  for (let i = o * length; i < (o + 1) * length; i++) sum += Math.abs(quantized.codes[i]! - quantized.zeroPoint)
  return sum * Math.max(zeroPoint, 255 - zeroPoint)
}

/** norm_mul and norm_shift for a factor: the largest shift whose multiplier still fits 24 bits. */
export function splitFactor(factor: number): { mul: number; shift: number } {
  for (let shift = NORM_SHIFT_MAX; shift >= 0; shift--) {
    const mul = Math.round(factor * 2 ** shift)
    if (mul <= NORM_MUL_MAX) return { mul, shift }
  }
  return { mul: Number.POSITIVE_INFINITY, shift: 0 }
}

function normFor(layer: LayerInFloat, quantized: QuantizedWeights, bias: Float64Array, slopes: TableSlopes): Norm {
  const stepsPerUnit = 2 ** TABLE_SHIFT / (slopes.main * layer.output.scale)
  let error = 0
  const entries = Array.from(quantized.scales, (scale, o) => {
    const factor = layer.input.scale * scale * stepsPerUnit
    const { mul, shift } = splitFactor(factor)
    const add = Math.round(bias[o]! * stepsPerUnit)
    const accumulator = accumulatorBound(quantized, o, layer.outputs, layer.input.zeroPoint)
    const overflows = Math.abs(add) >= NORM_ADD_LIMIT || accumulator * factor + Math.abs(add) >= RESULT_LIMIT
    if (overflows || mul > NORM_MUL_MAX) error = Number.POSITIVE_INFINITY
    // a result beyond the codes is clamped anyway
    const codes = Math.min(255, (accumulator * factor * slopes.main) / 2 ** TABLE_SHIFT)
    if (mul > 0) error = Math.max(error, Math.abs(mul / 2 ** shift / factor - 1) * codes)
    return { mul, shift, add }
  })
  return { entries, error }
}

/** The coarsest table whose multipliers are good enough, else the best; overflowing ones are never taken. */
function chooseNorm(layer: LayerInFloat, quantized: QuantizedWeights, bias: Float64Array) {
  let best: { norm: Norm; slopes: TableSlopes } | undefined
  for (const wanted of [...MULTIPLIERS, ...COARSE_MULTIPLIERS]) {
    const slopes = tableSlopes(layer.op.activation, wanted)
    const norm = normFor(layer, quantized, bias, slopes)
    if (norm.error < (best?.norm.error ?? Number.POSITIVE_INFINITY)) best = { norm, slopes }
    if (norm.error <= GOOD_ERROR) break
  }
  if (best) return best
  throw new BridgeError('KPU_LIMIT', {
    what: 'the results of a layer do not fit the 36 bits of the KPU',
    fix: 'Check the weights of the layer; they are far larger than its output.',
  })
}

/**
 * Registers, weight bytes and tables of one KPU layer. With x = input code, w = weight byte, the KPU computes
 * sum (x - zx)(w - zw) exactly by argX = -zw, argW = -zx, argAdd = k * k * zw * zx and no shifts (kpu.md section 10),
 * batch norm turns it into fine steps of the output with each channel's weight scale, and the table into codes.
 * @throws BridgeError `KPU_LIMIT` when results cannot be held in 36 bits
 */
export function quantizeLayer(layer: LayerInFloat): KpuCode {
  const { op, input, output } = layer
  const quantized = quantizeWeights(layer.weights, layer.outputs)
  const bias = biasCorrection(layer, quantized).map((correction, o) => correction + (layer.bias?.[o] ?? 0))
  const { norm, slopes } = chooseNorm(layer, quantized, bias)
  const padCode = Math.round(op.padValue / input.scale) + input.zeroPoint
  return {
    weights: quantized.codes,
    argX: -quantized.zeroPoint,
    shrX: 0,
    argW: -input.zeroPoint,
    shrW: 0,
    argAdd: op.kernel * op.kernel * quantized.zeroPoint * input.zeroPoint,
    padCode: Math.min(255, Math.max(0, padCode)),
    norm: norm.entries,
    table: activationTable(op.activation, output, slopes),
  }
}

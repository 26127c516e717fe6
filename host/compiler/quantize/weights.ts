/** Weights of one layer as bytes: real = (code - zeroPoint) * scales[outputChannel]. */
export interface QuantizedWeights {
  readonly codes: Uint8Array
  readonly zeroPoint: number
  /** One a output channel; 0 for a channel whose weights are all zero. */
  readonly scales: Float64Array
}

/** Range of each output channel's weights, zero included. */
function channelRanges(weights: Float32Array, outputs: number): { low: Float64Array; high: Float64Array } {
  const length = weights.length / outputs
  const low = new Float64Array(outputs)
  const high = new Float64Array(outputs)
  for (let o = 0; o < outputs; o++) {
    for (let i = o * length; i < (o + 1) * length; i++) {
      low[o] = Math.min(low[o]!, weights[i]!)
      high[o] = Math.max(high[o]!, weights[i]!)
    }
  }
  return { low, high }
}

/** Smallest step that covers [low, high] around `zeroPoint` in 0..255; infinite when one side has no codes. */
const stepFor = (low: number, high: number, zeroPoint: number): number =>
  Math.max(low < 0 ? -low / zeroPoint : 0, high > 0 ? high / (255 - zeroPoint) : 0)

/**
 * The zero point with the least sum of squared steps, each relative to its channel's width so that no channel is lost. A layer has one for all channels (register arg_x, kpu.md section
 * 5), while each channel has its own step, which batch norm undoes.
 */
export function bestZeroPoint(low: Float64Array, high: Float64Array): number {
  let best = 128
  let bestCost = Number.POSITIVE_INFINITY
  for (let zeroPoint = 0; zeroPoint <= 255; zeroPoint++) {
    let cost = 0
    for (let o = 0; o < low.length; o++) {
      const width = high[o]! - low[o]!
      if (width > 0) cost += (stepFor(low[o]!, high[o]!, zeroPoint) / width) ** 2
    }
    if (cost < bestCost) {
      bestCost = cost
      best = zeroPoint
    }
  }
  return best
}

const encode = (value: number, scale: number, zeroPoint: number): number =>
  Math.min(255, Math.max(0, Math.round(value / scale) + zeroPoint))

/** Shares of the covering step that are tried: cutting off the largest weights can cost less than a coarse step. */
const STEP_SHARES = [1, 0.97, 0.94, 0.91, 0.88, 0.85, 0.82]

function squaredError(weights: Float32Array, begin: number, end: number, scale: number, zeroPoint: number): number {
  let error = 0
  for (let i = begin; i < end; i++) {
    const rounded = (encode(weights[i]!, scale, zeroPoint) - zeroPoint) * scale
    error += (weights[i]! - rounded) ** 2
  }
  return error
}

function bestScale(weights: Float32Array, begin: number, end: number, covering: number, zeroPoint: number): number {
  let best = covering
  let bestError = Number.POSITIVE_INFINITY
  for (const share of STEP_SHARES) {
    const error = squaredError(weights, begin, end, covering * share, zeroPoint)
    if (error < bestError) {
      bestError = error
      best = covering * share
    }
  }
  return best
}

/**
 * Quantizes weights [outputs, ...] to bytes with one zero point and a step for each output channel, chosen for the
 * least squared error.
 */
export function quantizeWeights(weights: Float32Array, outputs: number): QuantizedWeights {
  const { low, high } = channelRanges(weights, outputs)
  const zeroPoint = bestZeroPoint(low, high)
  const codes = new Uint8Array(weights.length).fill(zeroPoint)
  const scales = new Float64Array(outputs)
  const length = weights.length / outputs
  for (let o = 0; o < outputs; o++) {
    const covering = stepFor(low[o]!, high[o]!, zeroPoint)
    if (covering === 0) continue
    const [begin, end] = [o * length, (o + 1) * length]
    const scale = bestScale(weights, begin, end, covering, zeroPoint)
    scales[o] = scale
    for (let i = begin; i < end; i++) codes[i] = encode(weights[i]!, scale, zeroPoint)
  }
  return { codes, zeroPoint, scales }
}

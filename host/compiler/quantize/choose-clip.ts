import type { ValueCounts } from '../../ir/graph.js'

/** Ends of a range of real numbers. */
export interface Clip {
  readonly min: number
  readonly max: number
}

/** A channel that shares the range with others. */
export interface ClipChannel {
  readonly seen: ValueCounts
  /** Value in the map = counted value / factor. */
  readonly factor: number
  /** What a squared error of this channel counts. */
  readonly weight: number
}

/** Ends tried on each side: 8/64 to 64/64 of what was seen. */
const TRIALS = 64
const FEWEST = 8

/** One end that could be taken: weighted count of values inside, weighted squared error of those cut. */
interface Trial {
  readonly end: number
  readonly inside: number
  readonly cut: number
}

type Value = readonly [size: number, weight: number]

/** Trials of one side, `values` ascending by size. */
function trialsOf(values: readonly Value[], size: number): Trial[] {
  if (size <= 0) return [{ end: 0, inside: 0, cut: 0 }]
  const trials: Trial[] = []
  let [count, sum, squares] = [0, 0, 0]
  let next = values.length - 1
  let inside = values.reduce((all, [, weight]) => all + weight, 0)
  for (let k = TRIALS; k >= FEWEST; k--) {
    const end = (size * k) / TRIALS
    // the widest trial cuts nothing, though a bin's middle may lie beyond it
    for (; k < TRIALS && next >= 0 && values[next]![0] > end; next--) {
      const [value, weight] = values[next]!
      count += weight
      sum += weight * value
      squares += weight * value * value
      inside -= weight
    }
    trials.push({ end, inside, cut: Math.max(0, squares - 2 * end * sum + end * end * count) })
  }
  return trials
}

/** Sizes of all channels' values above zero (`sign` 1) or below (-1), ascending. */
function valuesOf(channels: readonly ClipChannel[], sign: 1 | -1): Value[] {
  const values: Value[] = []
  for (const { seen, factor, weight } of channels) {
    const zero = seen.counts.length / 2
    seen.counts.forEach((count, i) => {
      const size = (sign * (i - zero + 0.5) * seen.width) / factor
      if (count > 0 && size > 0) values.push([size, count * weight])
    })
  }
  return values.sort(([a], [b]) => a - b)
}

/**
 * The range within `seen` whose 8-bit codes have the least expected squared error: step² / 12 for each value inside,
 * its squared distance to the end for each value cut off. Zeros cost nothing.
 */
export function chooseClip(seen: Clip, channels: readonly ClipChannel[]): Clip {
  const lows = trialsOf(valuesOf(channels, -1), -seen.min)
  const highs = trialsOf(valuesOf(channels, 1), seen.max)
  let best = seen
  let bestError = Number.POSITIVE_INFINITY
  for (const low of lows) {
    for (const high of highs) {
      const step = (low.end + high.end) / 255
      const error = low.cut + high.cut + ((low.inside + high.inside) * step * step) / 12
      // wide ranges come first: equal errors cut nothing
      if (error >= bestError) continue
      bestError = error
      best = { min: Math.max(seen.min, -low.end), max: Math.min(seen.max, high.end) }
    }
  }
  return best
}

import { BridgeError } from '../foundation/errors.js'
import { averagePrecision, type PictureOutcome } from './detect-metrics.js'

/** A difference and how sure it is. */
export interface BootstrapDifference {
  /** Difference over all pictures, B less A. */
  readonly estimate: number
  /** Bounds of the 95 % interval (2.5 and 97.5 percentile of the resampled differences). */
  readonly lower: number
  readonly upper: number
  readonly resamples: number
}

/** Mulberry32 as an integer source. */
function seededIndex(seed: number): (below: number) => number {
  let state = seed >>> 0
  return (below) => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * below)
  }
}

function percentile(sorted: Float64Array, share: number): number {
  const position = share * (sorted.length - 1)
  const low = Math.floor(position)
  const high = Math.min(low + 1, sorted.length - 1)
  return sorted[low]! + (sorted[high]! - sorted[low]!) * (position - low)
}

/**
 * Paired bootstrap over pictures: draws pictures with replacement, the same ones for A and B, and takes the difference
 * of a metric each time.
 * @param metric - over pooled pictures; default average precision
 * @throws BridgeError `USAGE` when the lists are empty or of different length
 */
export function pairedBootstrap(
  a: readonly PictureOutcome[],
  b: readonly PictureOutcome[],
  options: {
    readonly resamples?: number
    readonly seed?: number
    readonly metric?: (pictures: readonly PictureOutcome[]) => number
  } = {},
): BootstrapDifference {
  const { resamples = 1000, seed = 1, metric = averagePrecision } = options
  if (a.length !== b.length || a.length === 0) {
    throw new BridgeError('USAGE', { what: `paired bootstrap over ${a.length} and ${b.length} pictures` })
  }
  const draw = seededIndex(seed)
  const differences = new Float64Array(resamples)
  for (let i = 0; i < resamples; i++) {
    const picked = Array.from({ length: a.length }, () => draw(a.length))
    differences[i] = metric(picked.map((k) => b[k]!)) - metric(picked.map((k) => a[k]!))
  }
  differences.sort()
  return {
    estimate: metric(b) - metric(a),
    lower: percentile(differences, 0.025),
    upper: percentile(differences, 0.975),
    resamples,
  }
}

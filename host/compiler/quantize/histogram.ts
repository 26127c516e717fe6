import type { ValueCounts } from '../../ir/graph.js'

/** Bins on each side of zero. At least half of a side is in use, which is two bins for each of 256 codes. */
const SIDE_BINS = 1024

/**
 * Counts one channel's values in bins of equal width, which doubles when a value lies beyond: one pass over the pictures
 * is enough. Zeros are left out, because every range holds 0 exactly and never rounds it.
 */
export class Histogram implements ValueCounts {
  readonly counts = new Float64Array(2 * SIDE_BINS)
  #width = 0

  /** A power of two; 0 before the first value other than 0. */
  get width(): number {
    return this.#width
  }

  /** Adds elements `begin` to `end` (excluded); infinite values and NaN are left to those who read minimum and maximum. */
  add(values: Float32Array, begin: number, end: number): void {
    for (let i = begin; i < end; i++) {
      const value = values[i]!
      if (value === 0) continue
      let bin = Math.floor(value / this.#width)
      // also true of NaN, which the first value gives too when its width is 0
      if (!(bin >= -SIDE_BINS && bin < SIDE_BINS)) {
        if (!Number.isFinite(value)) continue
        this.#cover(Math.abs(value))
        bin = Math.floor(value / this.#width)
      }
      this.counts[SIDE_BINS + bin]!++
    }
  }

  #cover(size: number): void {
    if (this.#width === 0) this.#width = 2 ** Math.floor(Math.log2(size / SIDE_BINS))
    while (size >= this.#width * SIDE_BINS) this.#doubleWidth()
  }

  #doubleWidth(): void {
    const { counts } = this
    const half = SIDE_BINS / 2
    for (let i = 0; i < half; i++) {
      const [up, down] = [SIDE_BINS + 2 * i, SIDE_BINS - 1 - 2 * i]
      counts[SIDE_BINS + i] = counts[up]! + counts[up + 1]!
      counts[SIDE_BINS - 1 - i] = counts[down]! + counts[down - 1]!
    }
    counts.fill(0, SIDE_BINS + half)
    counts.fill(0, 0, half)
    this.#width *= 2
  }
}

const FIRST_GUESS_MS = 250
const MIN_TIMEOUT_MS = 30
const MAX_TIMEOUT_MS = 5000

/**
 * Adaptive time-out from measured round trips: 2 x smoothed + 4 x deviation, as in RFC 6298 with a larger factor for
 * the board's single loop. Times do not contain the time of the bytes on the wire, which the caller adds.
 */
export class RoundTrip {
  #smoothedMs: number | undefined
  #deviationMs = 0

  /** Takes one measurement; never one of a repeated request (Karn's rule), nor of one that does long work. */
  sample(ms: number): void {
    if (this.#smoothedMs === undefined) {
      this.#smoothedMs = ms
      this.#deviationMs = ms / 2
      return
    }
    this.#deviationMs += (Math.abs(ms - this.#smoothedMs) - this.#deviationMs) / 4
    this.#smoothedMs += (ms - this.#smoothedMs) / 8
  }

  /** Smoothed round trip without wire time; undefined before the first sample. */
  get smoothedMs(): number | undefined {
    return this.#smoothedMs
  }

  /** Time-out of a first try. */
  get timeoutMs(): number {
    if (this.#smoothedMs === undefined) return FIRST_GUESS_MS
    return Math.min(MAX_TIMEOUT_MS, Math.max(MIN_TIMEOUT_MS, 2 * this.#smoothedMs + 4 * this.#deviationMs))
  }
}

/** Milliseconds that bytes take at a rate: 8 data bits, start and stop bit. */
export const wireMs = (bytes: number, baud: number): number => (bytes * 10_000) / baud

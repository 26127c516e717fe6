/** A seeded source of numbers: the same seed gives the same sequence on every machine. */
export interface Random {
  /** Next number in 0..1, 1 excluded. */
  next(): number
  /** Next whole number in 0..limit-1. */
  below(limit: number): number
  /** How many trials to wait for the next event of probability `rate`; Infinity for rate 0. */
  gap(rate: number): number
}

/**
 * Makes a random source (mulberry32: 32 bits of state, one multiply-xorshift round a number).
 * @param seed - any number; only its low 32 bits count
 */
export function seededRandom(seed: number): Random {
  let state = seed >>> 0
  const next = () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), state | 1)
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61)
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4_294_967_296
  }
  return {
    next,
    below: (limit) => Math.floor(next() * limit),
    gap(rate) {
      if (rate <= 0) return Number.POSITIVE_INFINITY
      if (rate >= 1) return 0
      return Math.floor(Math.log(1 - next()) / Math.log(1 - rate))
    },
  }
}

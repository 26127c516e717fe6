/** Seeded random source of property tests; print `seed`, set K210_BRIDGE_SEED to repeat a run. */
export interface Random {
  readonly seed: number
  /** 0 <= x < 1. */
  next(): number
  /** Both ends included. */
  integer(low: number, high: number): number
  bytes(length: number): Uint8Array
}

/** mulberry32: small and good enough for tests. */
export function createRandom(seed = Number(process.env.K210_BRIDGE_SEED ?? Date.now() % 2 ** 31)): Random {
  let state = seed >>> 0
  const next = () => {
    state = (state + 0x6d2b79f5) >>> 0
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state)
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32
  }
  const integer = (low: number, high: number) => low + Math.floor(next() * (high - low + 1))
  return { seed, next, integer, bytes: (length) => Uint8Array.from({ length }, () => integer(0, 255)) }
}

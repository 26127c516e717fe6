/** A piece of constants, main memory or KPU RAM. */
export interface MemoryRange {
  readonly memory: 'const' | 'main' | 'kpu'
  readonly type: 'float32' | 'uint8'
  /** Byte offset in that area; multiples of 64 in KPU RAM. */
  readonly start: number
  /** Size; in KPU RAM that of the padded row layout. */
  readonly bytes: number
}

/** N, C, H, W. */
export type Shape4 = readonly [number, number, number, number]

/** Elements before and after. */
export interface PadPair {
  readonly before: number
  readonly after: number
}

/** Bounds of a float result; +-3.4028235e38 when unbounded. */
export interface ClampRange {
  readonly min: number
  readonly max: number
}

/** Clamp that does nothing: -FLT_MAX, +FLT_MAX. */
export const NO_CLAMP: ClampRange = { min: -3.4028234663852886e38, max: 3.4028234663852886e38 }

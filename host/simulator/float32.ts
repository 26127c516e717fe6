/** Arithmetic that rounds to float32 at every step, as a C compiler without contraction does. */

export const f32 = Math.fround
export const add32 = (a: number, b: number): number => Math.fround(a + b)
export const mul32 = (a: number, b: number): number => Math.fround(a * b)
export const div32 = (a: number, b: number): number => Math.fround(a / b)
/** acc + x * w, product and sum rounded. */
export const accumulate = (acc: number, x: number, w: number): number => Math.fround(acc + Math.fround(x * w))
/** Within an ulp of expf. */
export const exp32 = (x: number): number => Math.fround(Math.exp(x))
export const sqrt32 = (x: number): number => Math.fround(Math.sqrt(x))

/** C's roundf: half away from zero. */
export const roundHalfAway = (x: number): number => (x < 0 ? -Math.floor(0.5 - x) : Math.floor(x + 0.5))

/** Clamp to a byte; NaN stays (a byte array stores 0). */
export const toCode = (x: number): number => Math.min(255, Math.max(0, x))

/** 1 / (1 + e^-x). */
export const sigmoid = (x: number): number => 1 / (1 + Math.exp(-x))

/** Inverse of {@link sigmoid}; -Infinity at 0 and Infinity at 1. */
export const logit = (share: number): number => (share === 0.5 ? 0 : Math.log(share / (1 - share)))

/** Shares that sum to 1, shifted by the largest value so that no exponential overflows. */
export function softmax(values: readonly number[]): number[] {
  const largest = Math.max(...values)
  const exponentials = values.map((value) => Math.exp(value - largest))
  const sum = exponentials.reduce((total, value) => total + value, 0)
  return exponentials.map((value) => value / sum)
}

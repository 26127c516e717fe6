/** What a pool computes from its window. `first` picks the pixel (2y, 2x + column) or (4y, 4x). */
export interface Pool {
  readonly id: number
  readonly name: string
  readonly window: 1 | 2 | 4
  readonly stride: 1 | 2 | 4
  readonly kind: 'none' | 'max' | 'mean' | 'pick'
  /** Column of the picked pixel in the window. */
  readonly column: 0 | 1
}

const pool = (
  id: number,
  name: string,
  window: Pool['window'],
  stride: Pool['stride'],
  kind: Pool['kind'],
  column: 0 | 1 = 0,
): Pool => ({ id, name, window, stride, kind, column })

/** The KPU's pools by id. Means truncate; odd sizes drop the last row and column. Source: kpu.md section 7. */
export const POOLS: readonly Pool[] = [
  pool(0, 'bypass', 1, 1, 'none'),
  pool(1, 'max_2_s2', 2, 2, 'max'),
  pool(2, 'mean_2_s2', 2, 2, 'mean'),
  pool(3, 'max_4_s4', 4, 4, 'max'),
  pool(4, 'mean_4_s4', 4, 4, 'mean'),
  pool(5, 'left_top_2_s2', 2, 2, 'pick'),
  pool(6, 'right_top_2_s2', 2, 2, 'pick', 1),
  pool(7, 'left_top_4_s4', 4, 4, 'pick'),
  pool(8, 'mean_2_s1', 2, 1, 'mean'),
  pool(9, 'max_2_s1', 2, 1, 'max'),
]

/** Ids of the pools by a short name, for compilers. */
export const POOL_IDS = {
  none: 0,
  max2s2: 1,
  mean2s2: 2,
  max4s4: 3,
  mean4s4: 4,
  leftTop2s2: 5,
  rightTop2s2: 6,
  leftTop4s4: 7,
  mean2s1: 8,
  max2s1: 9,
} as const

/** Width or height after pool `id` of a map of `size` pixels; the size itself for unknown ids. */
export function poolOutputSize(id: number, size: number): number {
  return Math.floor(size / (POOLS[id]?.stride ?? 1))
}

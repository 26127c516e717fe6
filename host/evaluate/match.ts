import type { Box } from '../vision/detection.js'
import { iou } from '../vision/iou.js'

/** Anything with a box. */
export interface Boxed {
  readonly box: Box
}

/** One pair of matched boxes: indices into both lists. */
export interface BoxPair {
  readonly a: number
  readonly b: number
  readonly iou: number
}

/** Which boxes of two lists belong together. */
export interface BoxMatch {
  readonly pairs: readonly BoxPair[]
  /** Indices without a partner. */
  readonly onlyA: readonly number[]
  readonly onlyB: readonly number[]
}

/**
 * Pairs the boxes of two lists one to one, the best overlap first.
 * @param minIou - pairs with less do not count
 */
export function matchBoxes(a: readonly Boxed[], b: readonly Boxed[], minIou: number): BoxMatch {
  const candidates: BoxPair[] = []
  a.forEach((left, i) => {
    b.forEach((right, j) => {
      const overlap = iou(left.box, right.box)
      if (overlap >= minIou) candidates.push({ a: i, b: j, iou: overlap })
    })
  })
  candidates.sort((left, right) => right.iou - left.iou)
  const takenA = new Set<number>()
  const takenB = new Set<number>()
  const pairs = candidates.filter((pair) => {
    if (takenA.has(pair.a) || takenB.has(pair.b)) return false
    takenA.add(pair.a)
    takenB.add(pair.b)
    return true
  })
  return {
    pairs,
    onlyA: [...a.keys()].filter((i) => !takenA.has(i)),
    onlyB: [...b.keys()].filter((j) => !takenB.has(j)),
  }
}

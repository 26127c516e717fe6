import type { Detection } from './detection.js'
import { iou } from './iou.js'

/**
 * Greedy non-maximum suppression: by score descending (ties: lower index first), a detection goes when its IoU with
 * a kept one of the same label is above `iouThreshold`.
 * @param detections - any order; the order decides ties
 * @param maxBoxes - how many are kept at most
 * @returns kept detections, best first
 */
export function nonMaximumSuppression(
  detections: readonly Detection[],
  iouThreshold: number,
  maxBoxes = Number.POSITIVE_INFINITY,
): Detection[] {
  const ordered = [...detections].sort((a, b) => b.score - a.score)
  const kept: Detection[] = []
  for (const candidate of ordered) {
    if (kept.length >= maxBoxes) break
    const covered = kept.some((one) => one.label === candidate.label && iou(one.box, candidate.box) > iouThreshold)
    if (!covered) kept.push(candidate)
  }
  return kept
}

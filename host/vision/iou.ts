import type { Box } from './detection.js'

/** Area of a box in square pixels; 0 for a box without extent. */
export const boxArea = (box: Box): number => Math.max(0, box[2]) * Math.max(0, box[3])

/** Area that two boxes share, in square pixels. */
export function intersectionArea(a: Box, b: Box): number {
  const width = Math.min(a[0] + a[2], b[0] + b[2]) - Math.max(a[0], b[0])
  const height = Math.min(a[1] + a[3], b[1] + b[3]) - Math.max(a[1], b[1])
  return width > 0 && height > 0 ? width * height : 0
}

/** Intersection over union, 0..1; 0 when both boxes are empty. */
export function iou(a: Box, b: Box): number {
  const shared = intersectionArea(a, b)
  const union = boxArea(a) + boxArea(b) - shared
  return union > 0 ? shared / union : 0
}

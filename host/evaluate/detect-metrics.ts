/*
 * Detection metrics. Rules: detections are matched greedily by score, one truth each; a detection on an ignored place
 * or on a truth under the size limit (IoU >= 0.3) is not counted, nor is another one whose short side is under the
 * limit; a second hit on a matched truth is a false alarm. AP is the area under the whole precision envelope.
 */
import type { Box, Detection } from '../vision/detection.js'
import { iou } from '../vision/iou.js'

/** Overlap with an ignored place from which a detection is not counted. */
const IGNORE_IOU = 0.3

/** What was found in one picture and what is there. */
export interface PictureResult {
  readonly detections: readonly Detection[]
  readonly boxes: readonly Box[]
  readonly ignore: readonly Box[]
}

/** A detection that counts. */
export interface Outcome {
  readonly score: number
  readonly hit: boolean
}

/** Outcomes of one picture, and how many objects there are to find. */
export interface PictureOutcome {
  readonly outcomes: readonly Outcome[]
  readonly truths: number
}

/** Which detections count: IoU of a hit and the smallest short side of a truth, in pixels. */
export interface MatchRule {
  readonly minIou: number
  readonly minSize: number
}

const shortSide = (box: Box): number => Math.min(box[2], box[3])

/** Index of the truth that a detection overlaps most, with at least `minIou`; -1 for none. */
function bestTruth(box: Box, truths: readonly Box[], minIou: number): number {
  let best = -1
  let bestIou = minIou
  truths.forEach((truth, i) => {
    const overlap = iou(box, truth)
    if (overlap >= bestIou) {
      best = i
      bestIou = overlap
    }
  })
  return best
}

/** Judges the detections of one picture. */
export function judgePicture(result: PictureResult, rule: MatchRule): PictureOutcome {
  const truths = result.boxes.filter((box) => shortSide(box) >= rule.minSize)
  const uncounted = [...result.ignore, ...result.boxes.filter((box) => shortSide(box) < rule.minSize)]
  const found = new Set<number>()
  const outcomes: Outcome[] = []
  for (const { box, score } of [...result.detections].sort((a, b) => b.score - a.score)) {
    const truth = bestTruth(box, truths, rule.minIou)
    if (truth >= 0) {
      outcomes.push({ score, hit: !found.has(truth) })
      found.add(truth)
    } else if (shortSide(box) >= rule.minSize && !uncounted.some((place) => iou(box, place) >= IGNORE_IOU)) {
      outcomes.push({ score, hit: false })
    }
  }
  return { outcomes, truths: truths.length }
}

const total = (pictures: readonly PictureOutcome[]): number =>
  pictures.reduce((sum, picture) => sum + picture.truths, 0)

/**
 * Average precision over all points of the curve, 0..1; 0 where there is nothing to find.
 * @param pictures - pooled; a picture may occur several times (bootstrap)
 */
export function averagePrecision(pictures: readonly PictureOutcome[]): number {
  const truths = total(pictures)
  if (truths === 0) return 0
  const outcomes = pictures.flatMap((picture) => picture.outcomes).sort((a, b) => b.score - a.score)
  const precision = new Float64Array(outcomes.length)
  let hits = 0
  outcomes.forEach((outcome, i) => {
    if (outcome.hit) hits++
    precision[i] = hits / (i + 1)
  })
  let area = 0
  let envelope = 0
  for (let i = outcomes.length - 1; i >= 0; i--) {
    envelope = Math.max(envelope, precision[i]!)
    if (outcomes[i]!.hit) area += envelope / truths
  }
  return area
}

/** Counts at one score threshold. */
export interface ThresholdFigures {
  readonly faces: number
  readonly hits: number
  readonly falseAlarms: number
  readonly recall: number
  readonly precision: number
}

/** Recall and precision of detections with at least that score; precision is 1 where nothing was found. */
export function figuresAt(pictures: readonly PictureOutcome[], threshold: number): ThresholdFigures {
  const counted = pictures.flatMap((picture) => picture.outcomes).filter((outcome) => outcome.score >= threshold)
  const hits = counted.filter((outcome) => outcome.hit).length
  const faces = total(pictures)
  return {
    faces,
    hits,
    falseAlarms: counted.length - hits,
    recall: faces === 0 ? 0 : hits / faces,
    precision: counted.length === 0 ? 1 : hits / counted.length,
  }
}

import { BridgeError } from '../foundation/errors.js'
import type { ProgressListener } from '../foundation/progress.js'
import { type DetectionData, readLabelledPicture } from './dataset.js'
import { averagePrecision, figuresAt, judgePicture, type PictureResult } from './detect-metrics.js'
import { type Detector, detect } from './detector.js'

/** Detections below this score do not enter the AP. */
export const AP_SCORE = 0.1

/** Boxes kept a picture when AP is measured: more than any picture has. */
const AP_BOXES = 1000

/** Size classes of the report: smallest short side of a truth, in pixels. */
export const MIN_SIZES = [10, 24, 32, 48] as const

/** Figures of one size class. */
export interface SizeFigures {
  readonly minSize: number
  readonly faces: number
  readonly ap50: number
  readonly ap35: number
  readonly recall: number
  readonly precision: number
}

/** What `evaluate --task face-detect` prints. The first four keys are for faces of at least 10 pixels. */
export interface DetectionReport {
  readonly images: number
  readonly ap50: number
  readonly recall: number
  readonly precision: number
  /** Score threshold of recall and precision. */
  readonly threshold: number
  readonly byMinSize: readonly SizeFigures[]
}

/** Options of {@link collectResults}. */
export interface CollectOptions {
  /** Pictures at most. */
  readonly limit?: number
  /** SHA-256 of files that must not be evaluated, for example those used for calibration. */
  readonly exclude?: ReadonlySet<string>
  readonly progress?: ProgressListener
  readonly signal?: AbortSignal
}

/** Result of one picture with its name. */
export interface NamedResult extends PictureResult {
  readonly file: string
}

/**
 * Runs a detector over a data set, one result a picture, with all boxes that enter the AP (score 0.1 and above).
 * @throws BridgeError `CANCELLED`, and what reading and running throw
 */
export async function collectResults(
  detector: Detector,
  data: DetectionData,
  options: CollectOptions = {},
): Promise<NamedResult[]> {
  const pictures = data.pictures.slice(0, options.limit)
  const results: NamedResult[] = []
  for (const [done, label] of pictures.entries()) {
    if (options.signal?.aborted) throw new BridgeError('CANCELLED', { what: 'the evaluation was cancelled' })
    const { picture, sha256 } = await readLabelledPicture(label)
    if (!options.exclude?.has(sha256)) {
      const detections = await detect(detector, picture, { scoreThreshold: AP_SCORE, maxBoxes: AP_BOXES })
      results.push({ file: label.file, detections, boxes: label.boxes, ignore: label.ignore })
    }
    options.progress?.({ stage: 'evaluate', done: done + 1, total: pictures.length, unit: 'pictures' })
  }
  return results
}

function sizeFigures(results: readonly PictureResult[], minSize: number, threshold: number): SizeFigures {
  const at = (minIou: number) => results.map((result) => judgePicture(result, { minIou, minSize }))
  const outcomes = at(0.5)
  const { faces, recall, precision } = figuresAt(outcomes, threshold)
  return { minSize, faces, ap50: averagePrecision(outcomes), ap35: averagePrecision(at(0.35)), recall, precision }
}

/** Figures of results. @param threshold - score from which a box counts for recall and precision */
export function detectionReport(results: readonly PictureResult[], threshold: number): DetectionReport {
  const byMinSize = MIN_SIZES.map((minSize) => sizeFigures(results, minSize, threshold))
  const { ap50, recall, precision } = byMinSize[0]!
  return { images: results.length, ap50, recall, precision, threshold, byMinSize }
}

/** Accuracy of a detector on labelled pictures; recall and precision at the card's score threshold. */
export async function evaluateDetection(
  detector: Detector,
  data: DetectionData,
  options: CollectOptions = {},
): Promise<DetectionReport> {
  const { decoder } = detector.card
  const threshold = decoder.kind === 'none' ? 0.5 : decoder.scoreThreshold
  return detectionReport(await collectResults(detector, data, options), threshold)
}

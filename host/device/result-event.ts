import type { box as boxRow, Payload, result as resultRow } from '../../protocol/index.js'
import type { DetectionEvent } from './events.js'

/** Boxes travel in eighths of a pixel, scores in 1/65535 (protocol/messages/stream.ts). */
const BOX_UNITS_PER_PIXEL = 8
const SCORE_ONE = 65_535

/** Names of the entries of `stageUs`, in wire order. */
const STAGES = ['captureWait', 'preprocess', 'layers', 'decode'] as const

/** The fields that a result datagram and the answer to `infer` share. */
export type ResultFields = Omit<Payload<typeof resultRow>, 'status'>

/** Boxes of a result in pixels, with the card's label names. */
export function toDetections(boxes: readonly Payload<typeof boxRow>[], labels: readonly string[]): DetectionEvent[] {
  return boxes.map(({ x, y, w, h, score, label }) => ({
    box: [x / BOX_UNITS_PER_PIXEL, y / BOX_UNITS_PER_PIXEL, w / BOX_UNITS_PER_PIXEL, h / BOX_UNITS_PER_PIXEL],
    score: score / SCORE_ONE,
    ...(labels[label] === undefined ? {} : { label: labels[label] }),
  }))
}

/** Microseconds per stage by name. */
export function toStages(stageUs: readonly number[]): Record<string, number> {
  return Object.fromEntries(STAGES.flatMap((name, i) => (stageUs[i] === undefined ? [] : [[name, stageUs[i]]])))
}

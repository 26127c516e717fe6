import type { ModelCard } from '../card/card.js'
import { calibrationFiles } from '../evaluate/calibration.js'
import { loadDetectionData } from '../evaluate/dataset.js'
import { type Detector, floatDetector, kmodelDetector } from '../evaluate/detector.js'
import { type DetectionReport, evaluateDetection } from '../evaluate/evaluate-detection.js'
import { BridgeError } from '../foundation/errors.js'
import { readFileBytes } from '../foundation/files.js'
import { sha256Hex } from '../foundation/sha256.js'
import type { JobContext } from './job-manager.js'
import { findCard } from './model-file.js'

/** `evaluate MODEL_OR_KMODEL --task TASK --data DIR`. */
export interface EvaluateOptions {
  readonly model: string
  readonly task: string
  /** Folder with labels.json. */
  readonly data: string
  readonly cardFile?: string
  /** Pictures at most. */
  readonly limit?: number
  /** Folder or list of pictures that are left out, by their bytes: those of the calibration. */
  readonly exclude?: string
}

/** Figures of a detector with what they were taken of. */
export interface EvaluateReport extends DetectionReport {
  readonly model: string
  readonly sha256: string
  readonly task: 'face-detect'
  readonly card: string
  readonly runs: 'float' | 'kmodel'
}

const LATER_TASKS: readonly string[] = ['face-verify', 'classify']

function checkTask(task: string): asserts task is 'face-detect' {
  if (task === 'face-detect') return
  throw new BridgeError('USAGE', {
    what: LATER_TASKS.includes(task) ? `--task ${task} comes later` : `there is no task ${task}`,
    fix: 'This version has --task face-detect.',
  })
}

function needDetectorCard(card: ModelCard | undefined, model: string): ModelCard {
  if (card && card.decoder.kind !== 'none') return card
  throw new BridgeError('CARD_INVALID', {
    what: card ? 'the card has no detection decoder' : 'no card is known for this model',
    where: { file: model },
    fix: 'Name the card with --card, or put it beside the model as NAME.card.json.',
  })
}

/** A kmodel begins with its version 3 or its identifier; everything else is a model file. */
function isKmodel(bytes: Uint8Array): boolean {
  const first = bytes.length < 4 ? 0 : new DataView(bytes.buffer, bytes.byteOffset).getUint32(0, true)
  return first === 3 || first === 0x4b4d444c
}

/** Hashes of the files that must not be evaluated. */
async function excludedHashes(source: string | undefined): Promise<ReadonlySet<string>> {
  const files = source === undefined ? [] : await calibrationFiles(source, Number.MAX_SAFE_INTEGER)
  const hashes = new Set<string>()
  for (const file of files) hashes.add(sha256Hex(await readFileBytes(file)))
  return hashes
}

/**
 * Accuracy of a model file or a kmodel on labelled pictures.
 * @throws BridgeError `USAGE` for other tasks, `CARD_INVALID` without a usable card, and what reading and running throw
 */
export async function evaluateFile(options: EvaluateOptions, context: Partial<JobContext>): Promise<EvaluateReport> {
  const { model, task, data, limit } = options
  checkTask(task)
  const bytes = await readFileBytes(model)
  const runs = isKmodel(bytes) ? 'kmodel' : 'float'
  const card = needDetectorCard(await findCard(model, bytes, options.cardFile), model)
  const [labels, exclude] = await Promise.all([loadDetectionData(data), excludedHashes(options.exclude)])
  const detector: Detector = await (runs === 'kmodel' ? kmodelDetector(bytes, card) : floatDetector(bytes, card))
  try {
    const report = await evaluateDetection(detector, labels, { limit, exclude, ...context })
    return { model, sha256: sha256Hex(bytes), task, card: card.name, runs, ...report }
  } finally {
    await detector.dispose()
  }
}

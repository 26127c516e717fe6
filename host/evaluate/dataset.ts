import { join } from 'node:path'
import { BridgeError } from '../foundation/errors.js'
import { readFileBytes } from '../foundation/files.js'
import { sha256Hex } from '../foundation/sha256.js'
import type { PlanarPicture } from '../tensor/tensor.js'
import type { Box } from '../vision/detection.js'
import { decodePicture } from '../vision/pictures.js'

/** One labelled picture of a detection data set. */
export interface LabelledPicture {
  /** Name inside the data set's folder. */
  readonly file: string
  readonly path: string
  /** Objects to be found, pixels of the picture. */
  readonly boxes: readonly Box[]
  /** Places where a detection counts neither as hit nor as false alarm. */
  readonly ignore: readonly Box[]
}

/** A folder of pictures with `labels.json`. */
export interface DetectionData {
  readonly folder: string
  readonly pictures: readonly LabelledPicture[]
}

const isBox = (value: unknown): value is Box =>
  Array.isArray(value) && value.length === 4 && value.every((number) => Number.isFinite(number))

function refuse(file: string, what: string): never {
  throw new BridgeError('FILE_FORMAT', {
    what,
    where: { file },
    fix: 'labels.json is a list of {file, boxes: [[x, y, width, height]...], ignore: [...]}.',
  })
}

function parseLabel(entry: unknown, index: number, folder: string, labels: string): LabelledPicture {
  const { file, boxes, ignore = [] } = (entry ?? {}) as { file?: unknown; boxes?: unknown; ignore?: unknown }
  if (typeof file !== 'string') refuse(labels, `entry ${index} names no file`)
  if (!Array.isArray(boxes) || !boxes.every(isBox)) refuse(labels, `boxes of ${file} are no list of boxes`)
  if (!Array.isArray(ignore) || !ignore.every(isBox)) refuse(labels, `ignore of ${file} is no list of boxes`)
  return { file, path: join(folder, file), boxes, ignore }
}

/**
 * Reads the labels of a detection data set: `labels.json`, a list of {file, boxes, ignore}.
 * @throws BridgeError `FILE_READ`, or `FILE_FORMAT` naming the entry
 */
export async function loadDetectionData(folder: string): Promise<DetectionData> {
  const labels = join(folder, 'labels.json')
  const text = new TextDecoder().decode(await readFileBytes(labels))
  let entries: unknown
  try {
    entries = JSON.parse(text)
  } catch {
    refuse(labels, 'labels.json is no JSON text')
  }
  if (!Array.isArray(entries)) return refuse(labels, 'labels.json is no list')
  return { folder, pictures: entries.map((entry, i) => parseLabel(entry, i, folder, labels)) }
}

/** A picture's pixels together with the SHA-256 of its file. */
export async function readLabelledPicture(label: LabelledPicture): Promise<{ picture: PlanarPicture; sha256: string }> {
  const bytes = await readFileBytes(label.path)
  return {
    picture: await decodePicture(bytes, label.path),
    sha256: sha256Hex(bytes),
  }
}

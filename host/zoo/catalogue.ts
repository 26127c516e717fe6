import type { ModelCard } from '../card/card.js'
import { BridgeError } from '../foundation/errors.js'
import { writeOnnx } from '../onnx/writer.js'
import type { PackagedFile } from './package-files.js'
import { buildTinyFace, TINY_FACE_FILES, TINY_FACE_PACKAGE, tinyFaceCard, tinyFaceSize } from './tiny-face.js'

/** The network that the demo runs. */
export const DEFAULT_NETWORK = 'tiny-face-320x256'

/** One network of the catalogue. */
export interface ZooEntry {
  readonly id: string
  readonly title: string
  readonly task: ModelCard['task']
  /** npm package that ships the weights; a dependency of this one. */
  readonly package: string
  readonly version: string
  readonly files: readonly PackagedFile[]
  /** SPDX identifier. */
  readonly licence: string
  /** Shape of the float input, NCHW. */
  readonly input: readonly number[]
  readonly parameters: number
  readonly card: ModelCard
}

/** A network as model file and card. */
export interface ZooModel {
  readonly name: string
  readonly onnx: Uint8Array
  readonly card: ModelCard
}

/** The tiny face detector is fully convolutional: ids of other multiples of 32 work too. */
const LISTED_SIZES = ['tiny-face-320x256', 'tiny-face-320x224', 'tiny-face-224x224']

function tinyFaceEntry(id: string): ZooEntry | undefined {
  const size = tinyFaceSize(id)
  if (!size) return undefined
  const card = tinyFaceCard(id, size)
  return {
    id,
    title: `Tiny face detector (YOLOv2 family), ${size.width}x${size.height}`,
    task: card.task,
    package: TINY_FACE_PACKAGE,
    version: '1.7.15',
    files: Object.values(TINY_FACE_FILES),
    licence: card.source.licence,
    input: [1, 3, size.height, size.width],
    parameters: 193321,
    card,
  }
}

/** All listed networks, the default first. */
export function zooNetworks(): ZooEntry[] {
  return LISTED_SIZES.map((id) => zooEntry(id))
}

/**
 * Entry of a network; besides the listed ids any `tiny-face-WIDTHxHEIGHT` with multiples of 32.
 * @throws BridgeError `NOT_FOUND` naming the ids there are; `USAGE` for an impossible size
 */
export function zooEntry(id: string): ZooEntry {
  const entry = tinyFaceEntry(id)
  if (entry) return entry
  throw new BridgeError('NOT_FOUND', {
    what: `the zoo has no network ${id}`,
    where: { network: id },
    fix: `Take one of ${LISTED_SIZES.join(', ')}.`,
  })
}

/**
 * Writes a network as ONNX from its package's weights.
 * @throws BridgeError `NOT_FOUND` for an unknown id or a missing package, `FILE_FORMAT` for altered weights
 */
export async function buildZooModel(id: string): Promise<ZooModel> {
  const { card } = zooEntry(id)
  const graph = await buildTinyFace(id, { width: card.input.width, height: card.input.height })
  return { name: id, onnx: writeOnnx(graph), card }
}

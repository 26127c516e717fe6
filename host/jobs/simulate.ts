import { extname, join } from 'node:path'
import type { ModelCard } from '../card/card.js'
import { BridgeError, isBridgeError } from '../foundation/errors.js'
import { readFileBytes, writeFileAtomic } from '../foundation/files.js'
import { sha256Hex } from '../foundation/sha256.js'
import { prepareModel, type SimulatedRun, type Simulation } from '../simulator/model.js'
import type { TensorInfo } from '../simulator/program.js'
import type { PlanarPicture } from '../tensor/tensor.js'
import { decodeDetections } from '../vision/decode.js'
import type { Detection } from '../vision/detection.js'
import { detectionsToPicture, type Placement, placePicture, toColour } from '../vision/letterbox.js'
import type { OutputData } from '../vision/output-map.js'
import { decodePicture, drawDetections, encodeJpeg } from '../vision/pictures.js'
import { findCard } from './model-file.js'

/** `simulate FILE.kmodel --input FILE`. */
export interface SimulateOptions {
  readonly kmodel: string
  /** Raw dense NCHW tensor or a picture. */
  readonly input: string
  /** Folder that gets out0.bin, out1.bin ... */
  readonly out?: string
  readonly cardFile?: string
  /** Hash every layer's result. */
  readonly layers?: boolean
  /** PNG or JPEG file that gets the picture with the boxes found. */
  readonly draw?: string
}

/** A detection with its label in words. */
export interface LabelledDetection {
  /** [x, y, width, height] in pixels of the picture, or of the input when that was raw. */
  readonly box: readonly number[]
  readonly score: number
  readonly label: string | number
}

/** What `simulate` prints; design keys first. */
export interface SimulationReport {
  readonly outputs: readonly { readonly index: number; readonly bytes: number; readonly sha256: string }[]
  /** Empty unless asked for. */
  readonly layers: readonly {
    readonly index: number
    readonly kind: string
    readonly shape: readonly number[] | null
    readonly sha256: string
  }[]
  /** Milliseconds of one run of the prepared model: the middle of three, after a first one. */
  readonly ms: number
  readonly kmodel: string
  readonly input: { readonly kind: 'raw' | 'picture'; readonly bytes: number; readonly sha256: string }
  readonly files: readonly string[]
  /** Null when no card says how to decode the outputs. */
  readonly detections: readonly LabelledDetection[] | null
  readonly warnings: readonly string[]
}

/** The model's input, and the picture that boxes are drawn on. */
interface PreparedInput {
  readonly kind: 'raw' | 'picture'
  readonly bytes: Uint8Array
  readonly picture?: PlanarPicture
  readonly placement: Placement
}

/** Odd. */
const TIMED_RUNS = 3
const IDENTITY: Placement = { scaleX: 1, scaleY: 1, offsetX: 0, offsetY: 0 }
const PICTURE_NAMES: ReadonlySet<string> = new Set(['.jpg', '.jpeg', '.png', '.webp', '.ppm', '.pgm'])

/** A raw uint8 tensor of one or three channels can be drawn on. */
function pictureOfTensor(bytes: Uint8Array, input: TensorInfo, card: ModelCard | undefined): PlanarPicture | undefined {
  const [channels, height, width] = input.shape?.slice(-3) ?? []
  if (input.type !== 'uint8' || !height || !width || (channels !== 1 && channels !== 3)) return undefined
  const picture = { channels, height, width, data: bytes } as const
  return channels === 3 && card?.input.colour === 'bgr' ? toColour(picture, 'bgr') : picture
}

async function placeFile(
  path: string,
  bytes: Uint8Array,
  wanted: TensorInfo,
  card: ModelCard | undefined,
): Promise<PreparedInput> {
  if (card === undefined) {
    throw new BridgeError('SIM_INPUT', {
      what: `${path} has ${bytes.length} bytes, the model takes ${wanted.bytes} of ${wanted.type}; a picture needs the model's card`,
      where: { file: path, shape: wanted.shape?.join('x') ?? '' },
      fix: 'Give the dense NCHW tensor of the input type, or a picture and --card FILE.',
    })
  }
  const picture = await decodePicture(bytes, path)
  const placed = placePicture(picture, card.input)
  return { kind: 'picture', bytes: placed.picture.data, picture, placement: placed.placement }
}

/** A file named as a picture is one; else the length decides. */
async function prepareInput(path: string, wanted: TensorInfo, card: ModelCard | undefined): Promise<PreparedInput> {
  const bytes = await readFileBytes(path)
  if (PICTURE_NAMES.has(extname(path).toLowerCase()) || (bytes.length !== wanted.bytes && card !== undefined)) {
    return placeFile(path, bytes, wanted, card)
  }
  // A length that does not fit is refused by the run itself, with both lengths.
  return { kind: 'raw', bytes, picture: pictureOfTensor(bytes, wanted, card), placement: IDENTITY }
}

/** Output bytes as the simulator's type says. */
function typedOutputs({ outputs }: SimulatedRun, infos: readonly TensorInfo[]): OutputData[] {
  return outputs.map((bytes, i) => (infos[i]!.type === 'float32' ? new Float32Array(bytes.slice().buffer) : bytes))
}

/** Boxes by the card's decoder; a card beside the file that does not fit it is a warning. */
function decodeRun(
  run: SimulatedRun,
  simulation: Simulation,
  card: ModelCard | undefined,
  options: SimulateOptions,
  warnings: string[],
): Detection[] | null {
  if (!card || card.decoder.kind === 'none') return null
  try {
    return decodeDetections(card, typedOutputs(run, simulation.outputs))
  } catch (error) {
    if (!isBridgeError(error, 'CARD_INVALID') || options.cardFile || options.draw) throw error
    warnings.push(`the outputs were not decoded: ${error.what}`)
    return null
  }
}

async function drawTo(path: string, picture: PlanarPicture | undefined, boxes: readonly Detection[], card: ModelCard) {
  if (!picture) throw new BridgeError('USAGE', { what: 'the input is no picture to draw on', where: { file: path } })
  const png = await drawDetections(picture, boxes, { labels: card.labels })
  const isJpeg = /\.jpe?g$/i.test(path)
  await writeFileAtomic(path, isJpeg ? await encodeJpeg(await decodePicture(png, path)) : png)
}

function needOneInput(simulation: Simulation, kmodel: string): TensorInfo {
  const [input, ...more] = simulation.inputs
  if (input && more.length === 0) return input
  throw new BridgeError('SIM_INPUT', {
    what: `the model has ${simulation.inputs.length} inputs; one can be given`,
    where: { file: kmodel },
  })
}

/**
 * Runs a kmodel bit for bit and writes its outputs.
 * @throws BridgeError `FILE_READ`, `KMODEL_*`, `SIM_*`, `PICTURE_FORMAT`, `CARD_INVALID`, `FILE_WRITE`
 */
export async function simulateFile(options: SimulateOptions): Promise<SimulationReport> {
  const kmodel = await readFileBytes(options.kmodel)
  const simulation = await prepareModel(kmodel)
  const card = await findCard(options.kmodel, kmodel, options.cardFile)
  const input = await prepareInput(options.input, needOneInput(simulation, options.kmodel), card)
  const run = simulation.run(input.bytes, { layers: options.layers })
  const times = Array.from({ length: TIMED_RUNS }, () => simulation.run(input.bytes).ms).sort((a, b) => a - b)
  const warnings = [...simulation.warnings]
  const found = decodeRun(run, simulation, card, options, warnings)
  const boxes = found && detectionsToPicture(found, input.placement)
  const files = await writeOutputs(run, options.out)
  if (options.draw) {
    if (!card || !boxes) throw noDecoder(options.kmodel)
    await drawTo(options.draw, input.picture, boxes, card)
  }
  return {
    outputs: run.outputs.map((bytes, index) => ({ index, bytes: bytes.length, sha256: sha256Hex(bytes) })),
    layers: run.layers.map(({ index, kind, shape, sha256 }) => ({ index, kind, shape, sha256 })),
    ms: times[(TIMED_RUNS - 1) / 2]!,
    kmodel: options.kmodel,
    input: { kind: input.kind, bytes: input.bytes.length, sha256: sha256Hex(input.bytes) },
    files,
    detections: boxes?.map((one) => ({ ...one, label: card?.labels[one.label] ?? one.label })) ?? null,
    warnings,
  }
}

function noDecoder(file: string): BridgeError {
  return new BridgeError('CARD_INVALID', {
    what: 'no card says how the outputs become boxes',
    where: { file },
    fix: 'Name the card that was written together with the model: --card FILE.',
  })
}

async function writeOutputs(run: SimulatedRun, folder: string | undefined): Promise<string[]> {
  if (folder === undefined) return []
  const files = run.outputs.map((_, index) => join(folder, `out${index}.bin`))
  await Promise.all(files.map((file, index) => writeFileAtomic(file, run.outputs[index]!)))
  return files
}

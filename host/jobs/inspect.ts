import { basename } from 'node:path'
import type { ModelCard } from '../card/card.js'
import { parseCard } from '../card/parse.js'
import { describeModel, type ModelDescription } from '../compiler/describe-model.js'
import { IMAGE_HEADER_BYTES, looksLikeImage, MAX_PAYLOAD_BYTES, parseFirmware, wrapFirmware } from '../flasher/image.js'
import { isZip } from '../flasher/kfpkg.js'
import { BridgeError, isBridgeError } from '../foundation/errors.js'
import { readFileBytes } from '../foundation/files.js'
import { toHex } from '../foundation/hex.js'
import { sha256Hex } from '../foundation/sha256.js'
import type { InspectedFirmware, InspectedProgram } from './inspect/firmware.js'
import { inspectFirmware, inspectProgram, isWebAssembly } from './inspect/firmware.js'
import { type InspectedFlash, inspectFlash, looksLikeFlash } from './inspect/flash.js'
import { type InspectedKmodel, inspectKmodel } from './inspect/kmodel.js'
import { type InspectedPackage, inspectPackage } from './inspect/package.js'
import { findCard } from './model-file.js'

/** What `inspect` says of a network before compilation. */
export interface InspectedModel extends Omit<ModelDescription, 'problem'> {
  readonly kind: 'onnx'
  readonly file: string
  readonly bytes: number
  readonly sha256: string
  /** Name of its card: beside the file or known to the zoo. */
  readonly card: string | null
  readonly problem: { readonly code: string; readonly what: string; readonly fix: string } | null
}

/** What `inspect` says of a model card. */
export interface InspectedCard {
  readonly kind: 'card'
  readonly file: string
  readonly bytes: number
  readonly sha256: string
  readonly card: ModelCard
}

/** What a file is and what is in it. */
export type Inspection =
  | InspectedKmodel
  | InspectedPackage
  | InspectedFirmware
  | InspectedProgram
  | InspectedFlash
  | InspectedModel
  | InspectedCard

function inspectModel(file: string, bytes: Uint8Array, card: ModelCard | undefined): InspectedModel {
  const { problem, ...description } = describeModel(bytes, basename(file))
  const { code, what, fix } = problem ?? {}
  return {
    kind: 'onnx',
    file,
    bytes: bytes.length,
    sha256: sha256Hex(bytes),
    card: card?.name ?? null,
    ...description,
    problem: code === undefined ? null : { code, what: what!, fix: fix! },
  }
}

function inspectCard(file: string, bytes: Uint8Array): InspectedCard {
  const card = parseCard(JSON.parse(new TextDecoder().decode(bytes)), file)
  return { kind: 'card', file, bytes: bytes.length, sha256: sha256Hex(bytes), card }
}

/** True for an image that the ROM boots: beats every other guess, as its hash is right. */
function isBootable(bytes: Uint8Array): boolean {
  try {
    parseFirmware(bytes)
    return true
  } catch (error) {
    if (isBridgeError(error, 'FLASH_IMAGE')) return false
    throw error
  }
}

const HASH_BYTES = 32
const KMODEL_FIRST_WORDS: ReadonlySet<number> = new Set([3, 0x4b4d444c, 0x0300_0000, 0x4c44_4d4b, 1, 2])

function firstWord(bytes: Uint8Array): number {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength).getUint32(0, true)
}

/** An image of which only flag or length is damaged: with both put right its hash fits. */
function hasDamagedHeader(bytes: Uint8Array): boolean {
  const payload = bytes.subarray(IMAGE_HEADER_BYTES, -HASH_BYTES)
  if (payload.length === 0 || payload.length > MAX_PAYLOAD_BYTES) return false
  return toHex(wrapFirmware(payload).subarray(-HASH_BYTES)) === toHex(bytes.subarray(-HASH_BYTES))
}

/** An image, whole, damaged or cut short: a plain flag and a length that RAM could hold. */
function isMeantAsImage(bytes: Uint8Array): boolean {
  if (looksLikeImage(bytes) || hasDamagedHeader(bytes)) return true
  if (bytes.length < 5 || bytes[0] !== 0) return false
  const length = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength).getUint32(1, true)
  return length > 0 && length <= MAX_PAYLOAD_BYTES
}

/** A JSON object with a schema number, as cards have it. */
function isCard(bytes: Uint8Array): boolean {
  if (bytes[0] !== 0x7b) return false
  try {
    const value: unknown = JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes))
    return typeof value === 'object' && value !== null && 'schema' in value
  } catch {
    return false
  }
}

/** A protobuf field that an ONNX file begins with: IR version or producer. */
const looksLikeOnnx = (bytes: Uint8Array): boolean => bytes.length > 16 && (bytes[0] === 0x08 || bytes[0] === 0x12)

const isTflite = (bytes: Uint8Array): boolean => new TextDecoder('latin1').decode(bytes.subarray(4, 8)) === 'TFL3'

/** What each kind of file is told by, in the order of asking. */
const KINDS: readonly {
  readonly matches: (bytes: Uint8Array) => boolean
  readonly inspect: (file: string, bytes: Uint8Array, card: ModelCard | undefined) => Inspection
}[] = [
  { matches: isZip, inspect: inspectPackage },
  { matches: looksLikeFlash, inspect: inspectFlash },
  { matches: isBootable, inspect: inspectFirmware },
  { matches: (bytes) => KMODEL_FIRST_WORDS.has(firstWord(bytes)), inspect: inspectKmodel },
  { matches: isWebAssembly, inspect: inspectProgram },
  { matches: isTflite, inspect: refuseTflite },
  { matches: isMeantAsImage, inspect: inspectFirmware },
  { matches: isCard, inspect: inspectCard },
  { matches: looksLikeOnnx, inspect: inspectModel },
]

function refuseTflite(file: string): never {
  throw new BridgeError('MODEL_FORMAT', {
    what: 'TFLite models cannot be read yet',
    where: { file },
    fix: 'Export the network as ONNX.',
  })
}

/**
 * Tells what bytes are and what is in them.
 * @throws BridgeError `KMODEL_FORMAT` for a file that is nothing known, else what the kind's reader throws
 */
export function inspectBytes(file: string, bytes: Uint8Array, card?: ModelCard): Inspection {
  const kind = bytes.length < 8 ? undefined : KINDS.find(({ matches }) => matches(bytes))
  // Whatever is left goes to the kmodel reader, whose refusals say what a foreign file seems to be.
  return (kind?.inspect ?? inspectKmodel)(file, bytes, card)
}

/** Reads and inspects a file. @throws BridgeError `FILE_READ`, `CARD_INVALID`, see {@link inspectBytes} */
export async function inspectFile(file: string, cardFile?: string): Promise<Inspection> {
  const bytes = await readFileBytes(file)
  const card = file.endsWith('.json') ? undefined : await findCard(file, bytes, cardFile)
  try {
    return inspectBytes(file, bytes, card)
  } catch (error) {
    if (!isBridgeError(error)) throw error
    const { code, what, where, fix } = error
    throw new BridgeError(code, { what, where: { file, ...where }, fix, cause: error })
  }
}

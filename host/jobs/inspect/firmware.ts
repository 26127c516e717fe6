import { IMAGE_HEADER_BYTES, parseFirmware } from '../../flasher/image.js'
import { type BridgeError, isBridgeError } from '../../foundation/errors.js'
import { toHex } from '../../foundation/hex.js'
import { sha256Hex } from '../../foundation/sha256.js'

/** What a firmware's program is made for. */
export type PayloadKind = 'webassembly' | 'riscv' | 'unknown'

/** What `inspect` says of a firmware image (program with header and hash, as it lies at flash address 0). */
export interface InspectedFirmware {
  readonly kind: 'firmware'
  readonly file: string
  readonly bytes: number
  /** Hash of the whole file. */
  readonly sha256: string
  readonly payload: { readonly kind: PayloadKind; readonly bytes: number; readonly sha256: string }
  /** Names and versions found in the program, for example a shim's build id. */
  readonly marks: readonly string[]
  readonly isEncrypted: boolean
  readonly hash: { readonly stored: string; readonly computed: string; readonly isRight: boolean }
  /** True when the boot ROM accepts it. */
  readonly boots: boolean
  /** Why the ROM refuses it, in the form of every error. */
  readonly error?: BridgeError
}

/** A program without header and hash; the flasher wraps it. */
export interface InspectedProgram {
  readonly kind: 'program'
  readonly file: string
  readonly bytes: number
  readonly sha256: string
  readonly payload: { readonly kind: PayloadKind; readonly bytes: number; readonly sha256: string }
  readonly marks: readonly string[]
}

const HASH_BYTES = 32
/** Version and source hash of our shim; names that other firmware carries in its texts. */
const MARKS = [
  /\d+\.\d+\.\d+\+[0-9a-f]{12}/g,
  /RT-Thread/g,
  /MaixPy [-\w.]{0,40}/g,
  /MicroPython v[-\w.]{1,40}/g,
  /CanMV/g,
]

/** True for a WebAssembly module: the program of virtual boards. */
export const isWebAssembly = (bytes: Uint8Array): boolean =>
  bytes[0] === 0 && bytes[1] === 0x61 && bytes[2] === 0x73 && bytes[3] === 0x6d

/** A RISC-V program begins with a 32-bit instruction: jal, auipc, lui, a csr access or an addition. */
const RISCV_FIRST: ReadonlySet<number> = new Set([0x6f, 0x17, 0x37, 0x73, 0x13])

function payloadKind(bytes: Uint8Array): PayloadKind {
  if (isWebAssembly(bytes)) return 'webassembly'
  return bytes.length >= 4 && RISCV_FIRST.has(bytes[0]! & 0x7f) ? 'riscv' : 'unknown'
}

function marksOf(payload: Uint8Array): string[] {
  const text = Buffer.from(payload.buffer, payload.byteOffset, payload.byteLength).toString('latin1')
  return [...new Set(MARKS.flatMap((mark) => text.match(mark) ?? []).map((found) => found.trim()))].slice(0, 8)
}

const payloadOf = (bytes: Uint8Array) => ({ kind: payloadKind(bytes), bytes: bytes.length, sha256: sha256Hex(bytes) })

/** Describes a firmware image and checks its hash as the ROM does; an image that the ROM refuses is described too. */
export function inspectFirmware(file: string, bytes: Uint8Array): InspectedFirmware {
  const length = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength).getUint32(1, true)
  const end = Math.min(bytes.length, IMAGE_HEADER_BYTES + length)
  const payload = bytes.subarray(IMAGE_HEADER_BYTES, end)
  const error = refusal(bytes)
  const computed = sha256Hex(bytes.subarray(0, end))
  const stored = toHex(bytes.subarray(end, end + HASH_BYTES))
  return {
    kind: 'firmware',
    file,
    bytes: bytes.length,
    sha256: sha256Hex(bytes),
    payload: payloadOf(payload),
    marks: marksOf(payload),
    isEncrypted: bytes[0] === 1,
    hash: { stored, computed, isRight: stored === computed },
    boots: error === undefined,
    ...(error && { error }),
  }
}

/** Why the ROM refuses an image; undefined when it boots. */
function refusal(bytes: Uint8Array): BridgeError | undefined {
  try {
    parseFirmware(bytes)
    return undefined
  } catch (error) {
    if (isBridgeError(error, 'FLASH_IMAGE')) return error
    throw error
  }
}

/** Describes a bare program. */
export function inspectProgram(file: string, bytes: Uint8Array): InspectedProgram {
  const payload = payloadOf(bytes)
  return { kind: 'program', file, bytes: bytes.length, sha256: payload.sha256, payload, marks: marksOf(bytes) }
}

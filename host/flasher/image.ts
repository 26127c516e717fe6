import { createHash } from 'node:crypto'
import { BridgeError } from '../foundation/errors.js'
import { toHex } from '../foundation/hex.js'

/** Bytes before and after the payload of a firmware image: flag and length, SHA-256. Source: isp.md section 3.1. */
export const IMAGE_HEADER_BYTES = 5
const HASH_BYTES = 32
/** Largest payload that fits the RAM below what the ROM uses. isp.md section 3.1 */
export const MAX_PAYLOAD_BYTES = 5_800_000

/** A firmware image taken apart. */
export interface FirmwareImage {
  readonly payload: Uint8Array
  readonly isEncrypted: boolean
  /** The SHA-256 trailer, hex. */
  readonly sha256: string
  /** Bytes of the whole image; a file may be longer. */
  readonly bytes: number
}

/**
 * Wraps a payload as the boot ROM wants it at flash address 0: flag 0, length, payload, SHA-256 of all before.
 * @throws BridgeError `FLASH_IMAGE` when the payload is empty or larger than the RAM
 */
export function wrapFirmware(payload: Uint8Array): Uint8Array {
  checkLength(payload.length, payload.length + IMAGE_HEADER_BYTES + HASH_BYTES)
  const image = new Uint8Array(IMAGE_HEADER_BYTES + payload.length + HASH_BYTES)
  new DataView(image.buffer).setUint32(1, payload.length, true)
  image.set(payload, IMAGE_HEADER_BYTES)
  image.set(sha256(image.subarray(0, IMAGE_HEADER_BYTES + payload.length)), IMAGE_HEADER_BYTES + payload.length)
  return image
}

/**
 * Takes a firmware image apart and checks its hash, as the ROM does.
 * @throws BridgeError `FLASH_IMAGE` that says which rule is broken
 */
export function parseFirmware(bytes: Uint8Array): FirmwareImage {
  const flag = bytes[0]
  if (flag !== 0 && flag !== 1) {
    throw imageError(`the first byte is ${flag ?? 'missing'}; 0 (plain) or 1 (encrypted) is expected`, bytes.length)
  }
  const length = payloadLength(bytes)
  checkLength(length, bytes.length)
  const end = IMAGE_HEADER_BYTES + length
  const trailer = bytes.subarray(end, end + HASH_BYTES)
  if (toHex(trailer) !== toHex(sha256(bytes.subarray(0, end)))) {
    throw imageError('the SHA-256 at its end does not fit: the ROM would refuse to boot it', bytes.length)
  }
  return {
    payload: bytes.subarray(IMAGE_HEADER_BYTES, end),
    isEncrypted: flag === 1,
    sha256: toHex(trailer),
    bytes: end + HASH_BYTES,
  }
}

/** True when the bytes are meant as an image: flag and length fit, or the length is right though the flag is damaged. */
export function looksLikeImage(bytes: Uint8Array): boolean {
  const around = IMAGE_HEADER_BYTES + HASH_BYTES
  if (bytes.length <= around) return false
  const length = payloadLength(bytes)
  const isFlag = bytes[0] === 0 || bytes[0] === 1
  return length + around === bytes.length || (isFlag && length > 0 && length + around <= bytes.length)
}

/** Swaps the bytes of every aligned 4-byte group, for drivers that read the flash in words. isp.md section 3.2. */
export function reverse4Bytes(bytes: Uint8Array): Uint8Array {
  const out = new Uint8Array(Math.ceil(bytes.length / 4) * 4)
  for (let i = 0; i < out.length; i++) out[i ^ 3] = bytes[i] ?? 0
  return out
}

function payloadLength(bytes: Uint8Array): number {
  if (bytes.length < IMAGE_HEADER_BYTES) throw imageError('it ends inside its header', bytes.length)
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength).getUint32(1, true)
}

function checkLength(length: number, available: number): void {
  if (length === 0) throw imageError('its payload is empty', available)
  if (length > MAX_PAYLOAD_BYTES) {
    throw imageError(`its payload of ${length} bytes does not fit the RAM (at most ${MAX_PAYLOAD_BYTES})`, available)
  }
  if (length + IMAGE_HEADER_BYTES + HASH_BYTES > available) {
    throw imageError(`it says ${length} bytes of payload but has ${available} bytes in all`, available)
  }
}

function sha256(bytes: Uint8Array): Uint8Array {
  return createHash('sha256').update(bytes).digest()
}

function imageError(reason: string, bytes: number): BridgeError {
  return new BridgeError('FLASH_IMAGE', {
    what: `this is no valid firmware image: ${reason}`,
    where: { bytes },
    fix: 'Build or download the firmware again; a raw program is wrapped when it is given as firmware.',
  })
}

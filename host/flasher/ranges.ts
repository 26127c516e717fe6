import { crc32 } from '../../protocol/framing/crc32.js'
import { FLASH_SECTOR } from '../../protocol/isp/commands.js'
import { encodeFields, HASH_SECTORS_FIELDS, LENGTH_FIELDS } from '../../protocol/isp/payloads.js'
import { BridgeError } from '../foundation/errors.js'
import { toAddress, toHex } from '../foundation/hex.js'
import { sha256Hex } from '../foundation/sha256.js'
import type { Advance } from './advance.js'
import type { IspSession } from './isp-session.js'

const SECTORS_A_HASH_LIST = 128
const HASH_RANGE_BYTES = 1024 * 1024
const SECTOR_WORK_MS = 20 // reading and hashing 4 KiB on the chip takes about 2 ms

/** CRC-32 of a blank (0xFF) sector. */
export const BLANK_CRC = crc32(new Uint8Array(FLASH_SECTOR).fill(0xff))

/** CRC-32 of each sector of `bytes`, whose length is a multiple of 4 KiB. */
export function sectorCrcs(bytes: Uint8Array): Uint32Array {
  return Uint32Array.from({ length: bytes.length / FLASH_SECTOR }, (_, i) => crc32(sectorOf(bytes, i)))
}

/** One sector's view of `bytes`. */
export function sectorOf(bytes: Uint8Array, index: number): Uint8Array {
  return bytes.subarray(index * FLASH_SECTOR, (index + 1) * FLASH_SECTOR)
}

/** Asks our stub for the CRC-32 of each of `count` sectors from `address` on. */
export async function readSectorCrcs(
  session: IspSession,
  address: number,
  count: number,
  advance: Advance = () => {},
): Promise<Uint32Array> {
  const crcs = new Uint32Array(count)
  for (let first = 0; first < count; first += SECTORS_A_HASH_LIST) {
    const part = Math.min(SECTORS_A_HASH_LIST, count - first)
    const data = encodeFields(HASH_SECTORS_FIELDS, { count: part })
    const request = { address: address + first * FLASH_SECTOR, data }
    const reply = await session.requestPacket('hashSectors', request, { workMs: part * SECTOR_WORK_MS })
    const view = new DataView(reply.buffer, reply.byteOffset, reply.byteLength)
    for (let i = 0; i < part && i * 4 + 4 <= reply.length; i++) crcs[first + i] = view.getUint32(i * 4, true)
    advance(part * FLASH_SECTOR)
  }
  return crcs
}

/** Reads flash bytes through our stub. */
export async function readFlash(
  session: IspSession,
  address: number,
  length: number,
  advance: Advance = () => {},
): Promise<Uint8Array> {
  const out = new Uint8Array(length)
  for (let offset = 0; offset < length; offset += FLASH_SECTOR) {
    const part = Math.min(FLASH_SECTOR, length - offset)
    const data = encodeFields(LENGTH_FIELDS, { length: part })
    const reply = await session.requestPacket('flashRead', { address: address + offset, data })
    if (reply.length !== part) throw shortRead(address + offset, part, reply.length)
    out.set(reply, offset)
    advance(part)
  }
  return out
}

/**
 * Compares the flash with `bytes` by SHA-256, computed on the board.
 * @throws BridgeError `FLASH_VERIFY` with the range that differs
 */
export async function verifyRange(
  session: IspSession,
  name: string,
  address: number,
  bytes: Uint8Array,
  advance: Advance = () => {},
): Promise<void> {
  for (let offset = 0; offset < bytes.length; offset += HASH_RANGE_BYTES) {
    const part = bytes.subarray(offset, offset + HASH_RANGE_BYTES)
    const request = { address: address + offset, data: encodeFields(LENGTH_FIELDS, { length: part.length }) }
    const workMs = (part.length / FLASH_SECTOR) * SECTOR_WORK_MS
    const onBoard = toHex(await session.requestPacket('hashRange', request, { workMs }))
    const wanted = sha256Hex(part)
    if (onBoard !== wanted) {
      throw new BridgeError('FLASH_VERIFY', {
        what: `${name}: the flash holds other bytes than were written`,
        where: { address: toAddress(address + offset), bytes: part.length, wanted, onBoard },
        fix: 'Flash again; if it stays, the flash chip is worn out or write protected.',
      })
    }
    advance(part.length)
  }
}

function shortRead(address: number, wanted: number, got: number): BridgeError {
  return new BridgeError('FLASH_REPLY', {
    what: `the board read ${got} bytes of ${wanted}`,
    where: { address: toAddress(address) },
    fix: 'Flash again with a lower --baud.',
  })
}

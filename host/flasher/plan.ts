import { FLASH_SECTOR } from '../../protocol/isp/commands.js'
import { BridgeError } from '../foundation/errors.js'
import { toAddress } from '../foundation/hex.js'
import { parseFirmware, reverse4Bytes, wrapFirmware } from './image.js'

/**
 * When an item is written: data first, then directories that name data, the firmware last, so that a power cut
 * leaves nothing that points to or runs what is not there.
 */
export type FlashRole = 'data' | 'directory' | 'firmware'

/** One thing to be flashed. */
export interface FlashItem {
  /** Name for plans, progress and errors. */
  readonly name: string
  readonly address: number
  readonly bytes: Uint8Array
  /** Default: `firmware` at address 0, else `data`. */
  readonly role?: FlashRole
  /** The bytes are a program that is to be wrapped as a firmware image. */
  readonly wrap?: boolean
  /** Store every 4-byte group reversed. */
  readonly reverse4Bytes?: boolean
}

/** One item, rounded to whole sectors. */
export interface FlashRegion {
  readonly name: string
  readonly role: FlashRole
  /** A multiple of 4 KiB. */
  readonly address: number
  /** Whole sectors; what lies outside the content is 0xFF until it is read from the board. */
  readonly bytes: Uint8Array
  /** Content within `bytes`: first byte and the byte after the last. */
  readonly content: readonly [number, number]
}

/** What will be written, in the order of writing. */
export interface FlashPlan {
  readonly regions: readonly FlashRegion[]
  /** Bytes of content. */
  readonly bytes: number
  readonly warnings: readonly string[]
}

/** Options of {@link planFlash}. */
export interface PlanOptions {
  /** Bytes of the flash chip; default 16 MiB. */
  readonly flashBytes?: number
  /** Accepts a damaged firmware image, with a warning. */
  readonly force?: boolean
}

/** Size of the flash of all Maix modules. */
export const DEFAULT_FLASH_BYTES = 16 * 1024 * 1024

const ROLE_ORDER: Readonly<Record<FlashRole, number>> = { data: 0, directory: 1, firmware: 2 }

/**
 * Checks and orders what is to be flashed; touches no board.
 * @throws BridgeError `FLASH_PLAN` for nothing to do, overlaps and sizes, `FLASH_IMAGE` for a damaged firmware image
 */
export function planFlash(items: readonly FlashItem[], options: PlanOptions = {}): FlashPlan {
  if (items.length === 0) throw planError('there is nothing to flash', {}, 'Name an image or a kfpkg file.')
  const warnings: string[] = []
  const regions = items.map((item) => toRegion(item, options, warnings))
  checkSize(regions, options.flashBytes ?? DEFAULT_FLASH_BYTES)
  checkOverlaps(regions)
  regions.sort((a, b) => ROLE_ORDER[a.role] - ROLE_ORDER[b.role] || a.address - b.address)
  const bytes = regions.reduce((sum, region) => sum + region.content[1] - region.content[0], 0)
  return { regions, bytes, warnings }
}

function toRegion(item: FlashItem, options: PlanOptions, warnings: string[]): FlashRegion {
  const role = item.role ?? (item.address === 0 ? 'firmware' : 'data')
  const bytes = prepare(item, role, options, warnings)
  if (bytes.length === 0) throw planError(`${item.name} is empty`, { name: item.name }, 'Check the file.')
  if (!Number.isInteger(item.address) || item.address < 0) {
    throw planError(
      `${item.name} has no valid address`,
      { name: item.name, address: item.address },
      'Use 0x... with --at.',
    )
  }
  const from = item.address % FLASH_SECTOR
  const to = from + bytes.length
  const whole = new Uint8Array(Math.ceil(to / FLASH_SECTOR) * FLASH_SECTOR).fill(0xff)
  whole.set(bytes, from)
  return { name: item.name, role, address: item.address - from, bytes: whole, content: [from, to] }
}

function prepare(item: FlashItem, role: FlashRole, options: PlanOptions, warnings: string[]): Uint8Array {
  const bytes = item.wrap ? wrapFirmware(item.bytes) : item.bytes
  if (role === 'firmware' && !item.wrap) checkFirmware(item, options, warnings)
  return item.reverse4Bytes ? reverse4Bytes(bytes) : bytes
}

function checkFirmware(item: FlashItem, options: PlanOptions, warnings: string[]): void {
  try {
    if (parseFirmware(item.bytes).isEncrypted) {
      warnings.push(`${item.name} is encrypted: it starts only on boards whose fuses hold its key`)
    }
  } catch (error) {
    if (!options.force || !(error instanceof BridgeError)) throw error
    warnings.push(`${item.name}: ${error.what}`)
  }
}

function checkSize(regions: readonly FlashRegion[], flashBytes: number): void {
  for (const { name, address, bytes } of regions) {
    if (address + bytes.length <= flashBytes) continue
    throw planError(
      `${name} ends at ${toAddress(address + bytes.length)}, beyond the flash of ${flashBytes / 1024} KiB`,
      { name, address: toAddress(address), bytes: bytes.length },
      'Use a lower address or a smaller file.',
    )
  }
}

function checkOverlaps(regions: readonly FlashRegion[]): void {
  const sorted = [...regions].sort((a, b) => a.address - b.address)
  for (let i = 1; i < sorted.length; i++) {
    const [before, after] = [sorted[i - 1]!, sorted[i]!]
    if (before.address + before.bytes.length <= after.address) continue
    throw planError(
      `${before.name} and ${after.name} overlap (in whole 4 KiB sectors)`,
      { first: toAddress(before.address), firstBytes: before.bytes.length, second: toAddress(after.address) },
      'Give them addresses that lie apart.',
    )
  }
}

function planError(what: string, where: Record<string, string | number>, fix: string): BridgeError {
  return new BridgeError('FLASH_PLAN', { what, where, fix })
}

import { ERASE_WHOLE_CHIP, FLASH_SECTOR, FLASH_UNIT } from '../../protocol/isp/commands.js'
import type { Advance } from './advance.js'
import type { IspSession } from './isp-session.js'

// W25Q128 class, the longest times of the data sheet (isp.md 4.5): 4 KiB erase 400 ms, 64 KiB 2 s, page 3 ms, chip 200 s
const SECTOR_WORK_MS = 400 + 16 * 3
const UNIT_WORK_MS = 2000 + 256 * 3
const CHIP_WORK_MS = 200_000

/**
 * Writes whole sectors with the command that every stub knows, one request in flight: 4 KiB up to the next 64 KiB
 * boundary, 64 KiB from there, 4 KiB for the rest, so that nothing behind the range is erased.
 * @param address - a multiple of 4 KiB
 * @throws BridgeError `FLASH_REPLY`
 */
export async function writeClassic(
  session: IspSession,
  address: number,
  bytes: Uint8Array,
  advance: Advance,
): Promise<void> {
  for (let offset = 0; offset < bytes.length; ) {
    const aligned = (address + offset) % FLASH_UNIT === 0 && bytes.length - offset >= FLASH_UNIT
    const size = aligned ? FLASH_UNIT : FLASH_SECTOR
    const data = bytes.subarray(offset, offset + size)
    const workMs = aligned ? UNIT_WORK_MS : SECTOR_WORK_MS
    await session.request('flashWrite', { address: address + offset, data }, { workMs })
    offset += size
    advance(size)
  }
}

/** Erases the whole chip with one classic command, which answers at its end. */
export async function eraseChipClassic(session: IspSession): Promise<void> {
  await session.request('flashErase', { length: ERASE_WHOLE_CHIP }, { workMs: CHIP_WORK_MS, attempts: 1 })
}

/** Erases the whole chip 64 KiB at a time, so that progress shows and a lost reply costs little. */
export async function eraseChip(session: IspSession, flashBytes: number, advance: Advance): Promise<void> {
  for (let address = 0; address < flashBytes; address += FLASH_UNIT) {
    await session.request('flashErase', { address, length: FLASH_UNIT }, { workMs: UNIT_WORK_MS })
    advance(FLASH_UNIT)
  }
}

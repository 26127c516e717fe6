import { FLASH_SECTOR, FLASH_UNIT } from '../../protocol/isp/commands.js'
import { accumulate } from './advance.js'
import type { IspSession } from './isp-session.js'
import type { FlashRegion } from './plan.js'
import { BLANK_CRC, readFlash, readSectorCrcs, sectorCrcs, sectorOf, verifyRange } from './ranges.js'
import { MAX_WINDOWED_SECTORS, writeWindowed } from './windowed-write.js'

/** What one region took. */
export interface RegionResult {
  readonly sentSectors: number
  readonly skippedSectors: number
  readonly resent: number
}

type OnProgress = (stage: 'compare' | 'write' | 'verify', done: number, total: number) => void

/** Hashes of the flash around a region, from a 64 KiB boundary to another. */
interface Survey {
  readonly address: number
  readonly crcs: Uint32Array
  /** Sector number of the region's first sector. */
  readonly first: number
}

/**
 * Makes the flash hold a region: merges partial sectors with what is there, compares by hash, writes what differs,
 * verifies.
 */
export async function updateRegion(
  session: IspSession,
  region: FlashRegion,
  verify: boolean,
  onProgress: OnProgress,
): Promise<RegionResult> {
  const bytes = await mergeNeighbours(session, region)
  const survey = await surveyFlash(session, region.address, bytes.length, onProgress)
  const changed = changedSectors(survey, bytes)
  const total = changed.length * FLASH_SECTOR
  const advance = accumulate((sectors) => onProgress('write', sectors * FLASH_SECTOR, total))
  let resent = 0
  if (total > 0) onProgress('write', 0, total)
  for (const stretch of stretches(survey, changed, region.role === 'firmware')) {
    const done = await writeWindowed(session, {
      address: survey.address + stretch.from * FLASH_SECTOR,
      count: stretch.count,
      order: stretch.order.map((sector) => sector - stretch.from),
      sector: (index) => sectorOf(bytes, index + stretch.from - survey.first),
      isBlank: (index) => survey.crcs[index + stretch.from] === BLANK_CRC,
      advance,
    })
    resent += done.resent
  }
  if (verify) await verifyAll(session, region, bytes, onProgress)
  return { sentSectors: changed.length, skippedSectors: bytes.length / FLASH_SECTOR - changed.length, resent }
}

/** Fills the parts of the first and last sector that are not of the region with what the flash holds. */
async function mergeNeighbours(session: IspSession, region: FlashRegion): Promise<Uint8Array> {
  const [from, to] = region.content
  const bytes = region.bytes.slice()
  if (from > 0) bytes.set(await readFlash(session, region.address, from), 0)
  if (to < bytes.length) bytes.set(await readFlash(session, region.address + to, bytes.length - to), to)
  return bytes
}

async function surveyFlash(
  session: IspSession,
  regionAddress: number,
  length: number,
  onProgress: OnProgress,
): Promise<Survey> {
  const address = regionAddress - (regionAddress % FLASH_UNIT)
  const end = Math.ceil((regionAddress + length) / FLASH_UNIT) * FLASH_UNIT
  const total = end - address
  onProgress('compare', 0, total)
  const advance = accumulate((done) => onProgress('compare', done, total))
  const crcs = await readSectorCrcs(session, address, total / FLASH_SECTOR, advance)
  return { address, crcs, first: (regionAddress - address) / FLASH_SECTOR }
}

/** Sector numbers of the survey whose content is to change. */
function changedSectors(survey: Survey, bytes: Uint8Array): number[] {
  const wanted = sectorCrcs(bytes)
  return [...wanted.keys()].filter((i) => wanted[i] !== survey.crcs[survey.first + i]).map((i) => survey.first + i)
}

/**
 * Cuts the changed sectors into sessions of whole 64 KiB units, so that the stub may use large erases. The first
 * sector of a firmware image comes last of all: without it nothing boots.
 */
function stretches(
  survey: Survey,
  changed: readonly number[],
  headerLast: boolean,
): { from: number; count: number; order: number[] }[] {
  const perStretch = MAX_WINDOWED_SECTORS
  const byStretch = new Map<number, number[]>()
  for (const sector of changed) {
    const key = Math.floor(sector / perStretch)
    byStretch.set(key, [...(byStretch.get(key) ?? []), sector])
  }
  const keys = [...byStretch.keys()].sort((a, b) => (headerLast ? b - a : a - b))
  return keys.map((key) => {
    const from = key * perStretch
    const order = byStretch.get(key)!
    if (headerLast && order[0] === survey.first) order.push(order.shift()!)
    return { from, count: Math.min(perStretch, survey.crcs.length - from), order }
  })
}

async function verifyAll(
  session: IspSession,
  region: FlashRegion,
  bytes: Uint8Array,
  onProgress: OnProgress,
): Promise<void> {
  onProgress('verify', 0, bytes.length)
  const advance = accumulate((done) => onProgress('verify', done, bytes.length))
  await verifyRange(session, region.name, region.address, bytes, advance)
}

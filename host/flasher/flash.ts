import { createHash } from 'node:crypto'
import { FLASH_SECTOR } from '../../protocol/isp/commands.js'
import { BridgeError } from '../foundation/errors.js'
import type { Progress } from '../foundation/progress.js'
import type { Port } from '../port/port.js'
import { accumulate } from './advance.js'
import { bootError, bootFromFlash } from './boot-check.js'
import { eraseChip, eraseChipClassic, writeClassic } from './classic-write.js'
import { type EnterOptions, enterIsp } from './enter.js'
import { DETECTION_ORDER, type WiringFamily } from './families.js'
import { IspSession } from './isp-session.js'
import { layoutWarnings } from './layout.js'
import { DEFAULT_FLASH_BYTES, type FlashItem, type FlashPlan, planFlash } from './plan.js'
import { climbBaud, DEFAULT_FLASH_BAUD, type StubKind, type StubProgram, startStub } from './start-stub.js'
import { checkFlash, flashBytes, type StubInfo } from './stub-info.js'
import { updateRegion } from './update-region.js'

/** What the flasher is doing. */
export type FlashStage = 'enter' | 'stub' | 'baud' | 'erase' | 'compare' | 'write' | 'verify' | 'boot'

/** One progress event; within a stage `done` grows to `total`. */
export interface FlashProgress extends Progress {
  readonly stage: FlashStage
  /** Item that is worked on, for compare, write and verify. */
  readonly item?: string
}

/** Options of {@link flashBoard}. */
export interface FlashOptions extends Pick<EnterOptions, 'family' | 'rounds' | 'askShimToReboot' | 'signal'> {
  /** The flash stub; unused in a dry run. */
  readonly stub: StubProgram
  /** Rate for the stub, default 1.5 Mbaud; lower ones are tried when it fails. The ROM stays at 115200. */
  readonly baud?: number
  /** SHA-256 of every region, computed on the board; default true with our stub. A classic stub cannot. */
  readonly verify?: boolean
  /** Erase the whole chip first. */
  readonly erase?: boolean
  /** Plan only: the port is not touched. */
  readonly dryRun?: boolean
  /** Accept a damaged firmware image. */
  readonly force?: boolean
  readonly onProgress?: (progress: FlashProgress) => void
}

/** What was done. Times are those of the port's clock. */
export interface FlashResult {
  /** Bytes of content. */
  readonly bytes: number
  /** Bytes sent, in whole sectors. */
  readonly sentBytes: number
  /** Bytes that the flash held already, in whole sectors. */
  readonly skippedBytes: number
  readonly seconds: number
  /** SHA-256 of the content of all items in the order of their addresses. */
  readonly sha256: string
  readonly plan: readonly FlashPlanRow[]
  readonly warnings: readonly string[]
  readonly isVerified: boolean
  readonly baud: number
  readonly family?: WiringFamily
  /** Sectors and requests that were sent again. */
  readonly retries: number
}

/** One region of the plan as it is printed. */
export interface FlashPlanRow {
  readonly name: string
  readonly role: string
  readonly address: number
  readonly bytes: number
  readonly sectors: number
}

interface Tally {
  sentBytes: number
  skippedBytes: number
  resent: number
}

/**
 * Flashes one board: boot ROM, stub, rate, compare, write, verify, boot. Firmware is written last and its first
 * sector after all others; what the flash holds already is skipped, so flashing again resumes after any failure.
 * @param port - stays open; its clock is the only source of time
 * @throws BridgeError `FLASH_PLAN`, `FLASH_IMAGE` before the board is touched; `FLASH_NO_ROM`, `FLASH_NO_STUB`,
 * `FLASH_REPLY`, `FLASH_PROTECTED`, `FLASH_VERIFY`, `FLASH_BOOT`, `PORT_CLOSED`, `CANCELLED`
 */
export async function flashBoard(port: Port, items: readonly FlashItem[], options: FlashOptions): Promise<FlashResult> {
  const plan = planFlash(items, { force: options.force })
  const verify = wantsVerify(options)
  if (options.dryRun) return dryResult(plan, port.baud)
  const session = new IspSession(port, options.signal)
  try {
    return await run(session, plan, options, verify)
  } finally {
    session.dispose()
  }
}

async function run(session: IspSession, plan: FlashPlan, options: FlashOptions, verify: boolean): Promise<FlashResult> {
  const started = session.port.clock.now()
  const report = reporter(options)
  report('enter', 0, 1)
  const { family, info } = await connect(session, options, report)
  const baud = session.port.baud
  const warnings = [...plan.warnings, ...(await checkBoard(session, plan, info))]
  if (options.erase) await eraseAll(session, options.stub.kind, info, report)
  const tally = await writeAll(session, plan, options.stub.kind, verify, report)
  report('boot', 0, 1)
  const boot = await bootAndCheck(session, plan, family, options)
  report('boot', 1, 1)
  return {
    ...dryResult(plan, baud),
    sentBytes: tally.sentBytes,
    skippedBytes: tally.skippedBytes,
    seconds: (session.port.clock.now() - started) / 1000,
    warnings: [...warnings, ...boot.warnings],
    isVerified: verify,
    family: boot.family,
    retries: session.statistics.retries + tally.resent,
  }
}

type Report = (stage: FlashStage, done: number, total: number, item?: string) => void

function reporter(options: FlashOptions): Report {
  return (stage, done, total, item) => {
    const unit = stage === 'enter' || stage === 'baud' || stage === 'boot' ? 'steps' : 'bytes'
    options.onProgress?.({ stage, done, total, unit, item })
  }
}

function wantsVerify({ verify, stub, dryRun }: FlashOptions): boolean {
  if (verify && stub.kind === 'classic' && !dryRun) {
    throw new BridgeError('USAGE', {
      what: 'a classic flash stub cannot verify: it has no command to read or hash the flash',
      where: { option: 'verify' },
      fix: 'Leave out --verify, or leave out --stub to use the stub that comes with this program.',
    })
  }
  return verify ?? stub.kind === 'ours'
}

async function connect(
  session: IspSession,
  options: FlashOptions,
  report: Report,
): Promise<{ family?: WiringFamily; info?: StubInfo }> {
  const entered = await enterIsp(session, options)
  report('enter', 1, 1)
  let info = entered.info
  if (entered.stage === 'rom') {
    const total = options.stub.bytes.length
    report('stub', 0, total)
    const advance = accumulate((done) => report('stub', Math.min(total, done), total))
    info = await startStub(session, options.stub, advance)
  }
  report('baud', 0, 1)
  await climbBaud(session, options.baud ?? DEFAULT_FLASH_BAUD, options.stub.kind)
  report('baud', 1, 1)
  return { family: entered.family, info }
}

/** Flash chip and layout; a classic stub can only be told to prepare the flash. */
async function checkBoard(
  session: IspSession,
  plan: FlashPlan,
  info: StubInfo | undefined,
): Promise<readonly string[]> {
  await session.request('flashInit', { address: 1 })
  if (info === undefined) return []
  checkFlash(info, session.port.url)
  const size = flashBytes(info.flashId)
  for (const { name, address, bytes } of plan.regions) {
    if (address + bytes.length <= size) continue
    throw new BridgeError('FLASH_PLAN', {
      what: `${name} does not fit this board's flash of ${size / 1024} KiB`,
      where: { name, address, bytes: bytes.length },
      fix: 'Use a lower address or a board with a larger flash.',
    })
  }
  return await layoutWarnings(session, plan)
}

async function eraseAll(
  session: IspSession,
  kind: StubKind,
  info: StubInfo | undefined,
  report: Report,
): Promise<void> {
  const size = info === undefined ? DEFAULT_FLASH_BYTES : flashBytes(info.flashId)
  report('erase', 0, size)
  if (kind === 'classic') await eraseChipClassic(session)
  else
    await eraseChip(
      session,
      size,
      accumulate((done) => report('erase', done, size)),
    )
  report('erase', size, size)
}

async function writeAll(
  session: IspSession,
  plan: FlashPlan,
  kind: StubKind,
  verify: boolean,
  report: Report,
): Promise<Tally> {
  const tally: Tally = { sentBytes: 0, skippedBytes: 0, resent: 0 }
  for (const region of plan.regions) {
    const onProgress = (stage: FlashStage, done: number, total: number) => report(stage, done, total, region.name)
    if (kind === 'classic') {
      const advance = accumulate((done) => onProgress('write', done, region.bytes.length))
      await writeClassic(session, region.address, region.bytes, advance)
      tally.sentBytes += region.bytes.length
      continue
    }
    const { sentSectors, skippedSectors, resent } = await updateRegion(session, region, verify, onProgress)
    tally.sentBytes += sentSectors * FLASH_SECTOR
    tally.skippedBytes += skippedSectors * FLASH_SECTOR
    tally.resent += resent
  }
  return tally
}

/** Restarts the board. A board without firmware in the plan may stay in the ROM: a warning, no failure. */
async function bootAndCheck(
  session: IspSession,
  plan: FlashPlan,
  known: WiringFamily | undefined,
  options: FlashOptions,
): Promise<{ family?: WiringFamily; warnings: readonly string[] }> {
  const likely = known ? [known] : []
  const families = options.family ? [options.family] : [...likely, ...DETECTION_ORDER]
  const firmware = plan.regions.find(({ role }) => role === 'firmware')
  const imageBytes = firmware?.bytes.length ?? 0
  const { family, failure } = await bootFromFlash(session, { families, imageBytes, signal: options.signal })
  if (failure === undefined) return { family, warnings: [] }
  if (firmware) throw bootError(session, failure)
  return { family, warnings: [`the board does not boot: ${failure}`] }
}

function dryResult(plan: FlashPlan, baud: number): FlashResult {
  const hash = createHash('sha256')
  const byAddress = [...plan.regions].sort((a, b) => a.address - b.address)
  for (const { bytes, content } of byAddress) hash.update(bytes.subarray(content[0], content[1]))
  return {
    bytes: plan.bytes,
    sentBytes: 0,
    skippedBytes: 0,
    seconds: 0,
    sha256: hash.digest('hex'),
    plan: plan.regions.map(({ name, role, address, bytes, content }) => ({
      name,
      role,
      address: address + content[0],
      bytes: content[1] - content[0],
      sectors: bytes.length / FLASH_SECTOR,
    })),
    warnings: plan.warnings,
    isVerified: false,
    baud,
    retries: 0,
  }
}

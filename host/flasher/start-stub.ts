import { ISP_BAUD, ISP_COMMANDS, ROM_CHUNK, STUB_ADDRESS } from '../../protocol/isp/commands.js'
import { decodeIspReply, encodeIspPacket } from '../../protocol/isp/packet.js'
import { BAUD_FIELDS, encodeFields } from '../../protocol/isp/payloads.js'
import { BridgeError } from '../foundation/errors.js'
import type { Advance } from './advance.js'
import { greetStub } from './enter.js'
import type { IspSession } from './isp-session.js'
import { readStubInfo, type StubInfo } from './stub-info.js'

/** A flash stub: ours, with hashes and windowed write, or one that knows 0xD2..0xD7 only. */
export type StubKind = 'ours' | 'classic'

/** The program that is loaded to RAM. */
export interface StubProgram {
  readonly bytes: Uint8Array
  readonly kind: StubKind
}

/** Rates that are tried when the wanted one fails, fastest first. Source: isp.md section 1.5. */
export const BAUD_LADDER = [3_000_000, 2_000_000, 1_500_000, 1_000_000, 921_600, 460_800, 230_400, ISP_BAUD] as const
/** The rate that most bridges manage. */
export const DEFAULT_FLASH_BAUD = 1_500_000

const SETTLE_MS = 100 // kflash waits as long between boot and greeting
const GREETINGS = 10
const SWITCH_MS = 50
const TRIAL_MS = 120 // three of these fit into the half second after which our stub goes back
const TRIALS = 3
const REVERT_MS = 700
/** A module in RAM ends at an empty section; on the chip these are bytes behind the program. */
const TERMINATOR_BYTES = 8

/**
 * Loads the stub through the ROM in 1 KiB pieces and starts it.
 * @returns what our stub says of itself, undefined for a classic one
 * @throws BridgeError `FLASH_REPLY` while loading, `FLASH_NO_STUB` when it does not answer
 */
export async function startStub(
  session: IspSession,
  stub: StubProgram,
  advance: Advance,
): Promise<StubInfo | undefined> {
  const image = new Uint8Array(stub.bytes.length + TERMINATOR_BYTES)
  image.set(stub.bytes)
  for (let offset = 0; offset < image.length; offset += ROM_CHUNK) {
    const data = image.subarray(offset, offset + ROM_CHUNK)
    await session.request('romMemoryWrite', { address: STUB_ADDRESS + offset, data })
    advance(data.length)
  }
  for (let attempt = 0; attempt < GREETINGS; attempt++) {
    // The boot command is unanswered; a running stub refuses a repeated one by its op.
    if (attempt % 3 === 0) {
      await session.send(encodeIspPacket({ op: ISP_COMMANDS.romBoot.op, address: STUB_ADDRESS }))
      await session.sleep(SETTLE_MS)
    }
    if (await greetStub(session)) return stub.kind === 'ours' ? await readStubInfo(session) : undefined
  }
  throw new BridgeError('FLASH_NO_STUB', {
    what: `the flash stub does not answer after ${GREETINGS} greetings`,
    where: { port: session.port.url, stubBytes: stub.bytes.length, kind: stub.kind },
    fix:
      stub.kind === 'ours'
        ? 'The stub that comes along is for the virtual board; on a real board name one with --stub.'
        : 'Check that the --stub file is a K210 flash stub linked for 0x80000000.',
  })
}

/**
 * Raises the rate to the wanted one, or to the next lower one that works.
 * @returns the rate in use
 * @throws BridgeError `FLASH_NO_STUB` when a classic stub is lost at an unusable rate
 */
export async function climbBaud(session: IspSession, wanted: number, kind: StubKind): Promise<number> {
  const ladder = [wanted, ...BAUD_LADDER.filter((baud) => baud < wanted)]
  for (const baud of ladder) {
    if (baud === session.port.baud || (await tryBaud(session, baud, kind))) return baud
    if (await answersAgain(session, kind)) continue
    throw new BridgeError('FLASH_NO_STUB', {
      what: `the stub is lost after the change to ${baud} baud`,
      where: { port: session.port.url, baud },
      fix: `Flash again with a lower rate, for example --baud ${kind === 'classic' ? ISP_BAUD : 921_600}.`,
    })
  }
  return session.port.baud
}

async function tryBaud(session: IspSession, baud: number, kind: StubKind): Promise<boolean> {
  const before = session.port.baud
  const { op } = ISP_COMMANDS.setBaud
  const packet = encodeIspPacket({ op, data: encodeFields(BAUD_FIELDS, { baud }) })
  // Ours answers before it switches, others after it or never: any answer only shortens the wait.
  await session.exchange(packet, (frame) => (decodeIspReply(frame)?.op === op ? true : undefined), TRIAL_MS)
  await session.sleep(SWITCH_MS)
  await session.setBaud(baud)
  for (let trial = 0; trial < TRIALS; trial++) if (await answers(session, kind, TRIAL_MS)) return true
  await session.setBaud(before)
  return false
}

async function answersAgain(session: IspSession, kind: StubKind): Promise<boolean> {
  await session.sleep(REVERT_MS)
  for (let trial = 0; trial < TRIALS; trial++) if (await answers(session, kind, 500)) return true
  return false
}

/** Our stub proves the new rate with a reply that has a checksum. */
async function answers(session: IspSession, kind: StubKind, timeoutMs: number): Promise<boolean> {
  if (!(await greetStub(session, timeoutMs))) return false
  if (kind === 'classic') return true
  return await readStubInfo(session, 2).then(
    () => true,
    (error: unknown) => {
      if (error instanceof BridgeError && error.code === 'FLASH_REPLY') return false
      throw error
    },
  )
}

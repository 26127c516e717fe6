import { ISP_BAUD, ISP_COMMANDS } from '../../protocol/isp/commands.js'
import { encodeIspPacket } from '../../protocol/isp/packet.js'
import { BridgeError } from '../foundation/errors.js'
import { greetRom, greetStub } from './enter.js'
import { FAMILIES, runLines, type WiringFamily } from './families.js'
import type { IspSession } from './isp-session.js'

/** How a restart from the flash went. */
export interface BootResult {
  /** The wiring whose lines reset the chip; undefined when the stub's own command did. */
  readonly family?: WiringFamily
  /** Why the firmware does not run: what the ROM said, or that nothing reset the chip. */
  readonly failure?: string
}

/** What is known for a restart. */
export interface BootOptions {
  /** Wiring families to try, the likely one first. */
  readonly families: readonly WiringFamily[]
  /** Size of the firmware image, 0 when it is not known: the ROM reads and hashes all of it. */
  readonly imageBytes: number
  readonly signal?: AbortSignal
}

const LISTEN_MS = 100
const GREETINGS = 3
const REBOOTS = 3
/** How fast the ROM reads and hashes, estimated low. */
const ROM_BYTES_PER_MS = 4096
const FAILURE = /boot failed with exit code\s*-?\d*[^\r\n]*/i

/**
 * Restarts the board from its flash and finds out whether the firmware runs. Leaves the port at 115200. A family is
 * believed only when the stub is gone afterwards: a board that sat in the ROM before answers after any sequence.
 */
export async function bootFromFlash(session: IspSession, options: BootOptions): Promise<BootResult> {
  const stubBaud = session.port.baud
  for (const family of session.port.hasModemLines ? new Set(options.families) : []) {
    await session.setBaud(ISP_BAUD)
    session.flush()
    await runLines(session.port, FAMILIES[family].bootFlash, options.signal)
    const failure = await bootFailure(session, options.imageBytes)
    if (failure !== undefined) return { family, failure }
    if (!(await isStubAlive(session, stubBaud))) return { family }
  }
  if (session.port.hasModemLines) await session.port.setLines({ dtr: false, rts: false })
  return await bootByCommand(session, stubBaud, options.imageBytes)
}

async function bootByCommand(session: IspSession, stubBaud: number, imageBytes: number): Promise<BootResult> {
  for (let attempt = 0; attempt < REBOOTS; attempt++) {
    await session.setBaud(stubBaud)
    session.flush()
    await session.send(encodeIspPacket({ op: ISP_COMMANDS.reboot.op }))
    await session.setBaud(ISP_BAUD)
    const failure = await bootFailure(session, imageBytes)
    if (failure !== undefined) return { failure }
    if (!(await isStubAlive(session, stubBaud))) return {}
  }
  return { failure: 'the flash stub still runs, no reset reaches the chip (press RESET)' }
}

/** Asks twice at the stub's rate, as one question may be lost. */
async function isStubAlive(session: IspSession, stubBaud: number): Promise<boolean> {
  await session.setBaud(stubBaud)
  const alive = (await greetStub(session, LISTEN_MS)) || (await greetStub(session, LISTEN_MS))
  await session.setBaud(ISP_BAUD)
  return alive
}

/** The ROM prints a line when it refuses the image, and answers greetings; firmware does neither. */
async function bootFailure(session: IspSession, imageBytes: number): Promise<string | undefined> {
  await session.sleep(imageBytes / ROM_BYTES_PER_MS)
  for (let attempt = 0; attempt < GREETINGS; attempt++) {
    await session.sleep(LISTEN_MS)
    const printed = FAILURE.exec(session.consoleText)
    if (printed) return printed[0].trim()
    if (await greetRom(session, LISTEN_MS)) {
      return FAILURE.exec(session.consoleText)?.[0].trim() ?? 'the boot ROM answers instead of the firmware'
    }
  }
  return undefined
}

/** The error of a board that does not boot. */
export function bootError(session: IspSession, reason: string): BridgeError {
  return new BridgeError('FLASH_BOOT', {
    what: `the board does not boot: ${reason}`,
    where: { port: session.port.url },
    fix: 'Flash the firmware again with --verify; check that IO16 (BOOT) is not held low.',
  })
}

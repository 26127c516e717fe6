import { ISP_BAUD, ISP_COMMANDS, ISP_RESULTS } from '../../protocol/isp/commands.js'
import { decodeIspReply, encodeShortGreeting } from '../../protocol/isp/packet.js'
import { BridgeError } from '../foundation/errors.js'
import type { Port } from '../port/port.js'
import { DETECTION_ORDER, FAMILIES, runLines, type WiringFamily } from './families.js'
import type { IspSession } from './isp-session.js'
import { readStubInfo, type StubInfo } from './stub-info.js'

/** What answered. */
export interface Entered {
  readonly stage: 'rom' | 'stub'
  /**
   * The family after whose sequence the ROM answered; undefined without modem lines. A board that sat in the ROM
   * anyway answers after any sequence: only a reset that works proves a family.
   */
  readonly family?: WiringFamily
  /** Present when our stub runs already. */
  readonly info?: StubInfo
}

/** Options of {@link enterIsp}. */
export interface EnterOptions {
  /** Only this family is tried. */
  readonly family?: WiringFamily
  /** Rounds over the families, or over ROM, stub and shim; default 4. */
  readonly rounds?: number
  /** Asks a running shim, by the link, to reboot into the ROM; true when it agreed. Used when there are no lines or they reset nothing. */
  readonly askShimToReboot?: (port: Port) => Promise<boolean>
  readonly signal?: AbortSignal
}

const GREETING_MS = 500
/** The ROM answers at once; the first round over the families is quick, later ones leave room for slow bridges. */
const QUICK_GREETING_MS = 200
const ROUNDS = 4

/** Greets the boot ROM once; only `C2 E0` counts. */
export async function greetRom(session: IspSession, timeoutMs = GREETING_MS): Promise<boolean> {
  return await greet(session, ISP_COMMANDS.romGreeting.op, timeoutMs)
}

/** Greets a flash stub once with the short form that all stubs know. */
export async function greetStub(session: IspSession, timeoutMs = GREETING_MS): Promise<boolean> {
  return await greet(session, ISP_COMMANDS.stubGreeting.op, timeoutMs)
}

async function greet(session: IspSession, op: number, timeoutMs: number): Promise<boolean> {
  const answer = await session.exchange(
    encodeShortGreeting(op),
    (frame) => {
      const reply = decodeIspReply(frame)
      const right = reply?.op === op && reply.result === ISP_RESULTS.ok.code && reply.text.length === 0
      return right ? true : undefined
    },
    timeoutMs,
  )
  return answer === true
}

/**
 * Brings the board into its boot ROM's ISP, or finds our stub running.
 * @throws BridgeError `FLASH_NO_ROM` with what was seen on the wire and what to try
 */
export async function enterIsp(session: IspSession, options: EnterOptions = {}): Promise<Entered> {
  await session.setBaud(ISP_BAUD)
  const rounds = options.rounds ?? ROUNDS
  const byLines = session.port.hasModemLines ? await enterByLines(session, options, rounds) : undefined
  // Lines that exist may lead nowhere (a three-wire UART): then the board is asked, once.
  const entered = byLines ?? (await enterByAsking(session, options, session.port.hasModemLines ? 1 : rounds))
  if (entered) return entered
  throw noRom(session, options)
}

async function enterByLines(session: IspSession, options: EnterOptions, rounds: number): Promise<Entered | undefined> {
  const order = options.family ? [options.family] : DETECTION_ORDER
  for (let round = 0; round < rounds; round++) {
    for (const family of order) {
      await runLines(session.port, FAMILIES[family].enterIsp, options.signal)
      session.flush() // boot text and glitches of the reset
      if (await greetRom(session, round === 0 ? QUICK_GREETING_MS : GREETING_MS)) return { stage: 'rom', family }
    }
  }
  return undefined
}

async function enterByAsking(session: IspSession, options: EnterOptions, rounds: number): Promise<Entered | undefined> {
  for (let round = 0; round < rounds; round++) {
    if (await greetRom(session)) return { stage: 'rom' }
    const info = await readStubInfo(session, 1).catch(onlySilence)
    if (info) return { stage: 'stub', info }
    if ((await options.askShimToReboot?.(session.port)) !== true) continue
    await session.setBaud(ISP_BAUD)
    session.flush()
    for (let attempt = 0; attempt < 6; attempt++) if (await greetRom(session)) return { stage: 'rom' }
  }
  return undefined
}

function onlySilence(error: unknown): undefined {
  if (error instanceof BridgeError && error.code === 'FLASH_REPLY') return undefined
  throw error
}

/** Tells the cases apart by what was heard: text, noise or nothing. */
function noRom(session: IspSession, options: EnterOptions): BridgeError {
  const text = session.consoleText.trim()
  const heard = session.statistics.receivedBytes
  const where = { port: session.port.url, heardBytes: heard, tried: tried(session.port, options) }
  return new BridgeError('FLASH_NO_ROM', {
    what: text === '' ? silentWhat(heard) : `firmware answers, not the boot ROM (it printed "${text.slice(-60)}")`,
    where,
    fix: advice(session.port, options, text !== ''),
  })
}

function silentWhat(heard: number): string {
  return heard === 0
    ? 'the boot ROM does not answer; nothing was heard'
    : 'the boot ROM does not answer; only noise was heard'
}

function tried(port: Port, options: EnterOptions): string {
  if (!port.hasModemLines) return 'greetings of ROM, stub and shim, as the port has no modem lines'
  return `${options.rounds ?? ROUNDS} rounds of wiring ${options.family ?? [...new Set(DETECTION_ORDER)].join(', ')}`
}

function advice(port: Port, options: EnterOptions, running: boolean): string {
  if (!port.hasModemLines) {
    return 'Hold BOOT (IO16 low) while pressing RESET, then flash again; check that TX and RX are not swapped.'
  }
  const wiring = options.family ? 'Leave out --family to try all wirings. ' : ''
  const lines = running ? 'The reset lines do not reach the chip: hold BOOT while pressing RESET and flash again. ' : ''
  return `${lines}${wiring}Check the power and that this is the port of the UART (two-port bridges have another); close other programs. A board that never answers may have ISP disabled by its fuses.`
}

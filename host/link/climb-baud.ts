import { echo, LINK, setBaud } from '../../protocol/index.js'
import { sleep } from '../foundation/clock.js'
import { BridgeError, isBridgeError } from '../foundation/errors.js'
import { cancelledError } from './link-errors.js'
import { wireMs } from './round-trip.js'
import type { LinkSession } from './session.js'

/** Bytes that go there and back at each step. */
const TEST_BYTES = 4096
/** A row and its length beside the data of an echo. */
const ECHO_ROW_BYTES = 16
/** Bytes of time that the board gets to see its transmitter idle and to switch. */
const SWITCH_BYTES = 32
const SWITCH_MS = 2
const RETURN_ROUNDS = 4

/** Options of {@link climbBaud}. */
export interface ClimbOptions {
  /** Highest rate to try; default: the highest that the board names. */
  readonly targetBaud?: number
  readonly signal?: AbortSignal
}

/**
 * Raises the line rate step by step through the rates that the board names. Each step passes an echo test of 4 KiB in
 * both directions; the first failure ends the climb at the rate before it.
 * @returns the rate that holds
 * @throws BridgeError `LINK_BAUD` when after a failed step no rate works any more
 */
export async function climbBaud(link: LinkSession, options: ClimbOptions = {}): Promise<number> {
  const target = options.targetBaud ?? Number.POSITIVE_INFINITY
  const steps = link.board.bauds.filter((baud) => baud > link.port.baud && baud <= target).sort((a, b) => a - b)
  await link.withoutWatch(async () => {
    for (const baud of steps) {
      if (options.signal?.aborted) throw cancelledError('climbBaud', options.signal.reason)
      if (!(await tryRate(link, baud))) break
    }
  })
  return link.port.baud
}

/** One step; on failure the old rate is back in force. */
async function tryRate(link: LinkSession, baud: number): Promise<boolean> {
  const before = link.port.baud
  try {
    const { baud: exact } = await link.request(setBaud, { baud })
    await switchTo(link, exact)
    await echoTest(link)
    return true
  } catch (error) {
    if (isBridgeError(error, 'LINK_REFUSED') && link.port.baud === before) return false
    if (!isRateTrouble(error)) throw error
    await goBack(link, before, baud)
    return false
  }
}

const isRateTrouble = (error: unknown): boolean =>
  isBridgeError(error, 'LINK_TIMEOUT') || isBridgeError(error, 'LINK_BAUD') || isBridgeError(error, 'LINK_MESSAGE')

async function switchTo(link: LinkSession, baud: number): Promise<void> {
  await sleep(link.port.clock, SWITCH_MS + wireMs(SWITCH_BYTES, link.port.baud))
  await link.port.setBaud(baud)
}

/** All byte values in changing order there and back. Two repetitions are allowed: a few bit errors make no bad rate. */
async function echoTest(link: LinkSession): Promise<void> {
  const length = link.payloadBytes - ECHO_ROW_BYTES
  for (let sent = 0, round = 1; sent < TEST_BYTES; sent += length, round++) {
    const data = Uint8Array.from({ length }, (_, i) => (i * (2 * round + 1)) & 0xff)
    const answer = await link.request(echo, { data }, { retries: 2 })
    if (Buffer.compare(answer.data, data) === 0) continue
    throw new BridgeError('LINK_MESSAGE', { what: 'an echo came back changed', where: { baud: link.port.baud } })
  }
}

/**
 * The board returns by itself when it has heard nothing valid at the new rate. When it has, but cannot be understood, it
 * must be told, at the new rate and without hope of an answer; then it must hear something at the old rate at once, or it
 * takes that one for the failure and goes to the new rate again.
 */
async function goBack(link: LinkSession, before: number, tried: number): Promise<void> {
  await link.port.setBaud(before)
  await sleep(link.port.clock, LINK.baudRevertMs)
  if (await answers(link)) return
  for (let round = 0; round < RETURN_ROUNDS; round++) {
    await link.port.setBaud(tried)
    await link.request(setBaud, { baud: before }, { retries: 0 }).catch(() => undefined)
    await link.port.setBaud(before)
    if (await answers(link)) return
  }
  throw new BridgeError('LINK_BAUD', {
    what: `after a try at ${tried} baud the board does not answer at ${before} either`,
    where: { port: link.port.url, baud: before },
    fix: 'Reset the board; then use a lower rate.',
  })
}

async function answers(link: LinkSession): Promise<boolean> {
  try {
    await link.ping({ retries: 2 })
    return true
  } catch (error) {
    if (!isRateTrouble(error)) throw error
    return false
  }
}

import { sleep, wallClock } from '../foundation/clock.js'
import { asBridgeError, BridgeError, isBridgeError } from '../foundation/errors.js'
import type { Logger } from '../foundation/logger.js'
import type { Port, PortOpener } from '../port/port.js'
import { BoardSession, type SessionListener } from './board-session.js'
import type { BoardState, LogEvent } from './events.js'
import { bootBoard, enterRom, probeBoard, resetByLines } from './probe.js'

/** What a keeper needs of its device. */
export interface KeptBoard {
  readonly id: string
  readonly url: string
  readonly openPort: PortOpener
  readonly logger: Logger
  /** Rate to climb to after boot. */
  readonly baud: number
  readonly listener: SessionListener
  /** A session is open: begins its work. */
  opened(session: BoardSession): Promise<void>
  /** The session is over. */
  ended(): void
  /** State or note changed. */
  changed(): void
  log(level: LogEvent['level'], text: string): void
}

const BOOT_BAUD = 115_200
const RETRY_MS = 700
/** A board whose sessions end this often, each within this time, is left alone for a while. */
const SHORT_LIVES = 5
const SHORT_LIFE_MS = 15_000
const QUARANTINE_MS = 10_000
const IN_ROM = 'the boot ROM answers; there is no firmware that it boots'

/**
 * Keeps the port and the session of one board: follows it through ROM, boot and running, and opens a session again when
 * it comes back. Work that needs the wire alone takes the port over for its time.
 */
export class BoardKeeper {
  state: BoardState = 'absent'
  /** Why the board is not running, or what it said last about itself. */
  note = 'not opened yet'
  session: BoardSession | undefined
  private port: Port | undefined
  private readonly abort = new AbortController()
  private exclusive: Promise<unknown> = Promise.resolve()
  private loop: Promise<void> | undefined
  private wake: () => void = () => {}
  private paused = false
  private attempting: Promise<void> = Promise.resolve()
  private attemptAbort = new AbortController()
  private shortLives = 0
  /** The board was sent into its ROM on purpose and stays there. */
  private keepRom = false
  /** A board that was found in its ROM is restarted once: then the ROM says why it does not boot. */
  private triedBoot = false

  constructor(private readonly board: KeptBoard) {}

  /** Begins to look after the board. @throws BridgeError `PORT_URL` for a malformed URL */
  async start(): Promise<void> {
    try {
      this.port = await this.open()
    } catch (error) {
      if (isBridgeError(error, 'PORT_URL')) throw error
      this.setState('absent', asBridgeError(error).what)
    }
    this.loop = this.run()
  }

  /**
   * Restarts the board: a running shim by the link, any other by its reset lines.
   * @throws BridgeError `FLASH_NO_ROM`, `PORT_*`, `CONFLICT` when nothing answers on a port without lines
   */
  async reset(target: 'firmware' | 'rom'): Promise<void> {
    this.keepRom = target === 'rom'
    this.triedBoot = false
    this.shortLives = 0
    const before = this.state
    const note = target === 'rom' ? 'asked to restart into the boot ROM' : 'asked to restart'
    if (this.session) {
      this.setState('booting', note)
      await this.session.reboot(target)
    } else {
      await this.withPort((port) => {
        this.setState('booting', note)
        return this.resetWithoutSession(port, target, before)
      })
    }
  }

  /** Forgets that the board was sent into its ROM: after new firmware it may boot. */
  expectBoot(): void {
    this.keepRom = false
    this.triedBoot = false
  }

  /** Takes the port for work that needs it alone; the session ends before and starts again after. */
  withPort<T>(work: (port: Port) => Promise<T>): Promise<T> {
    const turn = this.exclusive.then(async () => {
      if (this.abort.signal.aborted) throw this.abort.signal.reason
      this.paused = true
      this.attemptAbort.abort(new BridgeError('CANCELLED', { what: 'other work took the port' }))
      await this.attempting
      try {
        this.port ??= await this.open()
        return await work(this.port)
      } finally {
        this.paused = false
        this.wake()
      }
    })
    this.exclusive = turn.catch(() => undefined)
    return turn
  }

  /** Ends everything of this board and closes its port. */
  async close(): Promise<void> {
    const reason = new BridgeError('CANCELLED', { what: 'the board was closed' })
    this.abort.abort(reason)
    this.attemptAbort.abort(reason)
    this.wake()
    await this.loop
    await this.port?.close()
    await this.exclusive // work that had the port has lost it and ends
  }

  /** The open session. @throws BridgeError `CONFLICT` with what the board does instead of running */
  running(): BoardSession {
    if (this.session) return this.session
    throw this.notRunning(this.state)
  }

  setState(state: BoardState, note: string): void {
    if (this.state === state && this.note === note) return
    this.state = state
    this.note = note
    this.board.changed()
    const level = state === 'lost' || state === 'quarantined' ? 'warn' : 'info'
    this.board.log(level, note ? `${state}: ${note}` : state)
  }

  private async resetWithoutSession(port: Port, target: 'firmware' | 'rom', before: BoardState): Promise<void> {
    const { signal } = this.abort
    if (target === 'rom') return enterRom(port, signal)
    if (before === 'rom' || before === 'stub') {
      const failure = await bootBoard(port, signal)
      if (failure !== undefined) this.foundRom(failure)
    } else if (port.hasModemLines) await resetByLines(port, signal)
    else throw this.notRunning(before)
  }

  private async open(): Promise<Port> {
    const port = await this.board.openPort(this.board.url, { baud: BOOT_BAUD })
    port.onClose((reason) => {
      if (this.port === port) this.port = undefined
      if (reason) this.board.log('warn', reason.what)
    })
    return port
  }

  private async run(): Promise<void> {
    while (!this.abort.signal.aborted) {
      if (this.paused) {
        await new Promise<void>((resolve) => {
          this.wake = resolve
        })
        continue
      }
      this.attemptAbort = new AbortController()
      const { signal } = this.attemptAbort
      const attempt = this.attempt(signal)
      this.attempting = attempt.then(() => undefined)
      const hasLived = await attempt
      const pauseMs = this.state === 'quarantined' ? QUARANTINE_MS : hasLived ? RETRY_MS / 4 : RETRY_MS
      await sleep(this.port?.clock ?? wallClock, pauseMs, signal).catch(() => undefined)
    }
  }

  /** One life of the session; never rejects. @returns true when it was open */
  private async attempt(signal: AbortSignal): Promise<boolean> {
    try {
      this.port ??= await this.open()
      await this.live(await this.connect(this.port, signal), signal)
      return true
    } catch (thrown) {
      if (signal.aborted) return false
      const error = asBridgeError(thrown)
      this.board.logger.debug({ code: error.code, where: error.where }, error.what)
      if (isBridgeError(error, 'LINK_TIMEOUT') && this.port?.isOpen) await this.probe(this.port, signal)
      else this.setGone(error.fix ? `${error.what}. ${error.fix}` : error.what)
      return false
    }
  }

  /** A shim starts at 115200; one that a former session left speaks the rate it climbed to. */
  private async connect(port: Port, signal: AbortSignal): Promise<BoardSession> {
    const { baud, listener } = this.board
    for (const rate of [BOOT_BAUD, baud]) {
      await port.setBaud(rate)
      try {
        return await BoardSession.open(port, baud, listener, signal)
      } catch (error) {
        if (!isBridgeError(error, 'LINK_TIMEOUT') || signal.aborted) throw error
      }
    }
    throw new BridgeError('LINK_TIMEOUT', { what: 'no shim answers' })
  }

  private async live(session: BoardSession, signal: AbortSignal): Promise<void> {
    const { clock } = session.link.port
    const sinceMs = clock.now()
    this.session = session
    this.expectBoot()
    this.setState('running', '')
    this.board.log('info', `${session.board.board} runs ${session.board.buildId} at ${session.link.port.baud} baud`)
    let reason = ''
    try {
      await this.board.opened(session)
      reason = await session.ended
    } finally {
      this.session = undefined
      this.board.ended()
      await session.close()
    }
    if (reason !== '' && !signal.aborted) this.setEnded(reason, clock.now() - sinceMs)
  }

  /** A session ended that nobody here wanted to end. */
  private setEnded(reason: string, livedMs: number): void {
    this.shortLives = livedMs < SHORT_LIFE_MS ? this.shortLives + 1 : 0
    if (this.shortLives < SHORT_LIVES) this.setState('lost', reason)
    else this.setState('quarantined', `${this.shortLives} sessions in a row ended within seconds; the last: ${reason}`)
  }

  /** Nothing answers. A board that never did is absent. */
  private setGone(note: string): void {
    if (this.state !== 'quarantined') this.setState(this.state === 'absent' ? 'absent' : 'lost', note)
  }

  private async probe(port: Port, signal: AbortSignal): Promise<void> {
    try {
      const found = await probeBoard(port, signal)
      if (!found) this.setGone('neither shim, ROM nor stub answers')
      else if (found.stage === 'stub') this.setState('stub', 'the flash stub answers')
      else await this.foundInRom(port, found.failure, signal)
    } catch (error) {
      if (!signal.aborted) this.setGone(asBridgeError(error).what)
    }
  }

  private async foundInRom(port: Port, failure: string | undefined, signal: AbortSignal): Promise<void> {
    const mayBoot = failure === undefined && port.hasModemLines && !this.keepRom && !this.triedBoot
    if (!mayBoot) return this.foundRom(failure)
    this.triedBoot = true
    const reason = await bootBoard(port, signal)
    if (reason === undefined) this.setState('booting', 'restarted by its reset line')
    else this.foundRom(reason)
  }

  /** What the ROM said once stays the note. */
  private foundRom(failure: string | undefined): void {
    const known = this.state === 'rom' ? this.note : this.keepRom ? 'the boot ROM waits, as it was asked to' : IN_ROM
    this.setState('rom', failure ?? known)
  }

  private notRunning(state: BoardState): BridgeError {
    return new BridgeError('CONFLICT', {
      what: `the board is ${state}, not running${this.note ? `: ${this.note}` : ''}`,
      where: { board: this.board.id },
      fix: 'Flash its firmware, or wait until it has booted.',
    })
  }
}

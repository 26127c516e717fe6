import {
  type HelloAnswer,
  log as logRow,
  modelList,
  type Payload,
  picture as pictureRow,
  reboot,
  result as resultRow,
  SLOT_STATE,
  stats,
  statusName,
  streamConfig,
} from '../../protocol/index.js'
import { sleep } from '../foundation/clock.js'
import { isBridgeError } from '../foundation/errors.js'
import { toHex } from '../foundation/hex.js'
import { climbBaud } from '../link/climb-baud.js'
import { LinkSession } from '../link/session.js'
import type { Port } from '../port/port.js'
import type { BoardModel, LogEvent } from './events.js'

/** What a board streams. */
export interface BoardConfig {
  /** Model slot of the pipeline. */
  readonly slot: number
  readonly results: boolean
  /** Picture of every n-th result; 0 = none. */
  readonly pictureEvery: number
  /** JPEG quality, 10..95. */
  readonly quality: number
  /** 0: the card's. */
  readonly scoreThreshold: number
}

/** Receives what a session brings. */
export interface SessionListener {
  result(fields: Payload<typeof resultRow>, link: LinkSession): void
  picture(fields: Payload<typeof pictureRow>): void
  log(level: LogEvent['level'], text: string): void
  /** Models, counters or link state changed. */
  changed(): void
}

const LOG_LEVELS = ['debug', 'info', 'warn', 'error'] as const
const POLL_MS = 2000
/** Clocks wander most while a board starts up: the first rounds come faster. */
const FIRST_POLL_MS = 250
const CONSOLE_LINE = 200

/** A link that is open: model list, counters, streaming, console lines. Ends when the link does. */
export class BoardSession {
  models: readonly BoardModel[] = []
  counters: Readonly<Record<string, number>> = {}
  /** Resolves with the reason when the session is over. */
  readonly ended: Promise<string>
  private console = ''
  private lastDamaged = 0

  private constructor(
    readonly link: LinkSession,
    private readonly listener: SessionListener,
  ) {
    this.ended = new Promise((resolve) => {
      link.onEvent((event) => {
        if (event.kind === 'lost') resolve(event.reason.what)
        if (event.kind === 'closed') resolve('')
        if (event.kind === 'rebooted') resolve('the board restarted')
        if (event.kind === 'silent') listener.log('warn', 'the board is silent; calling it')
      })
    })
    link.on(resultRow, (fields) => listener.result(fields, link))
    link.on(pictureRow, (fields) => listener.picture(fields))
    link.on(logRow, ({ level, text }) => listener.log(LOG_LEVELS[level] ?? 'info', text))
  }

  /**
   * Opens a session, climbs to the wanted rate and reads the model list.
   * @throws BridgeError `LINK_TIMEOUT` when no shim answers, `LINK_VERSION`
   */
  static async open(port: Port, baud: number, listener: SessionListener, signal: AbortSignal): Promise<BoardSession> {
    let session: BoardSession | undefined
    let early = ''
    const link = await LinkSession.open(port, {
      helloRetries: 1,
      signal,
      onConsole: (text) => {
        if (session) session.text(text)
        else early += text
      },
    })
    session = new BoardSession(link, listener)
    const stop = () => void link.close()
    signal.addEventListener('abort', stop, { once: true })
    if (signal.aborted) stop()
    void session.ended.then(() => signal.removeEventListener('abort', stop))
    try {
      session.text(early)
      await session.climb(baud, signal)
      await session.refresh()
    } catch (error) {
      await link.close()
      throw error
    }
    void session.poll()
    return session
  }

  get board(): HelloAnswer {
    return this.link.board
  }

  /** Reads the model slots and the board's counters. */
  async refresh(): Promise<void> {
    const { entries } = await this.link.request(modelList, {})
    this.models = entries
      .filter((entry) => entry.state !== SLOT_STATE.empty)
      .map((entry) => ({
        slot: entry.slot,
        name: entry.name,
        sha256: toHex(entry.sha256),
        bytes: entry.size,
        state: entry.state === SLOT_STATE.loaded ? 'loaded' : entry.state === SLOT_STATE.failed ? 'failed' : 'stored',
        ...(entry.status === 0 ? {} : { problem: statusName(entry.status) ?? String(entry.status) }),
      }))
    await this.readCounters()
    this.listener.changed()
  }

  /** Starts or stops the pipeline. @throws BridgeError `LINK_REFUSED` when the slot holds no loaded model */
  async stream(config: BoardConfig): Promise<void> {
    const { slot, results, pictureEvery, quality, scoreThreshold } = config
    await this.link.request(streamConfig, { slot, results: results ? 1 : 0, pictureEvery, quality, scoreThreshold })
  }

  /** Restarts the board; the session ends with it. */
  async reboot(target: 'firmware' | 'rom'): Promise<void> {
    await this.link.request(reboot, { target: target === 'rom' ? 1 : 0, token: Math.floor(Math.random() * 2 ** 32) })
    await this.link.close()
  }

  close(): Promise<void> {
    return this.link.close()
  }

  private async readCounters(): Promise<void> {
    const { status: _, ...board } = await this.link.request(stats, {})
    const host = this.link.statistics()
    const fromBoard = Object.entries(board).map(([key, value]) => [
      `board${key[0]!.toUpperCase()}${key.slice(1)}`,
      value,
    ])
    this.counters = { ...host, ...Object.fromEntries(fromBoard) }
    if (host.framesDamaged > this.lastDamaged) this.listener.log('debug', `${host.framesDamaged} damaged frames so far`)
    this.lastDamaged = host.framesDamaged
  }

  private async climb(baud: number, signal: AbortSignal): Promise<void> {
    if (this.link.port.baud === baud) return
    const reached = await climbBaud(this.link, { targetBaud: baud, signal })
    if (reached < baud) this.listener.log('warn', `the line runs at ${reached} baud; ${baud} failed its echo test`)
  }

  /** Reads the counters now and then; a request that fails is the link's to judge. */
  private async poll(): Promise<void> {
    const over = new AbortController()
    void this.ended.then(() => over.abort())
    for (let pollMs = FIRST_POLL_MS; !over.signal.aborted; pollMs = Math.min(POLL_MS, pollMs * 1.5)) {
      await sleep(this.link.port.clock, pollMs, over.signal).catch(() => undefined)
      if (this.link.state !== 'open') continue
      try {
        // A stream keeps the link from ever falling silent, so the clocks are compared here.
        await this.link.ping()
        await this.readCounters()
        this.listener.changed()
      } catch (error) {
        if (!isBridgeError(error)) this.listener.log('error', String(error))
      }
    }
  }

  /** Console text comes in pieces; listeners get lines. */
  private text(text: string): void {
    const lines = (this.console + text).split(/\r?\n/)
    this.console = lines.pop()!
    if (this.console.length > CONSOLE_LINE) {
      lines.push(this.console)
      this.console = ''
    }
    for (const line of lines) if (line.trim() !== '') this.listener.log('info', line)
  }
}

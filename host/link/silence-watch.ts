import { type HelloAnswer, LINK } from '../../protocol/index.js'
import type { Timer } from '../foundation/clock.js'
import { BridgeError, isBridgeError } from '../foundation/errors.js'
import type { Port } from '../port/port.js'
import { lostError } from './link-errors.js'

/** What the watch needs of its session. */
export interface WatchedSession {
  readonly port: Port
  /** When the last valid frame came, on the port's clock. */
  heardMs(): number
  isOpen(): boolean
  isOver(): boolean
  /** Resolves when the board answers a ping. */
  callPing(): Promise<unknown>
  /** One HELLO with a new epoch. */
  callHello(): Promise<HelloAnswer>
  silent(): void
  answered(board: HelloAnswer): void
  lost(reason: BridgeError): void
}

/** Times of {@link SilenceWatch}. */
export interface WatchTimes {
  /** Silence after which the board is pinged; 0 = never. */
  readonly keepAliveMs: number
  /** How long a silent board is called. */
  readonly reconnectMs: number
}

/** Notices that a board fell silent or restarted, and calls it back. */
export class SilenceWatch {
  readonly #session: WatchedSession
  readonly #times: WatchTimes
  #timer: Timer | undefined
  #paused = 0

  constructor(session: WatchedSession, times: WatchTimes) {
    this.#session = session
    this.#times = times
  }

  /** Begins to watch. */
  start(): void {
    const { keepAliveMs } = this.#times
    const { clock } = this.#session.port
    if (keepAliveMs <= 0 || this.#session.isOver()) return
    this.#timer = clock.timer(keepAliveMs, () => {
      if (clock.now() - this.#session.heardMs() >= keepAliveMs) this.suspect()
      this.start()
    })
  }

  stop(): void {
    this.#timer?.cancel()
  }

  /** Does nothing on its own while `work` runs, for example during a change of rates. */
  async paused<T>(work: () => Promise<T>): Promise<T> {
    this.#paused++
    try {
      return await work()
    } finally {
      this.#paused--
    }
  }

  /** Pings; a board that does not answer is called with HELLO until it does or the session is lost. */
  suspect(): void {
    if (!this.#session.isOpen() || this.#paused > 0) return
    void this.paused(async () => {
      try {
        await this.#session.callPing().catch(() => this.#revive())
      } catch (error) {
        const { url } = this.#session.port
        this.#session.lost(error instanceof BridgeError ? error : lostError(url, 'calling it failed', error))
      }
    })
  }

  async #revive(): Promise<void> {
    if (this.#session.isOver()) return
    this.#session.silent()
    this.#session.answered(await this.#callUntil(this.#session.port.clock.now() + this.#times.reconnectMs))
  }

  /** HELLO at the present rate and at the one that a board has after a restart, in turn. */
  async #callUntil(untilMs: number): Promise<HelloAnswer> {
    const { port } = this.#session
    const rates = [...new Set([port.baud, LINK.defaultBaud])]
    for (let i = 0; !this.#session.isOver(); i++) {
      const rate = rates[i % rates.length]!
      try {
        if (port.baud !== rate) await port.setBaud(rate)
        return await this.#session.callHello()
      } catch (error) {
        if (!isBridgeError(error, 'LINK_TIMEOUT')) throw error
        if (port.clock.now() >= untilMs) break
      }
    }
    throw lostError(port.url, `no answer for ${this.#times.reconnectMs} ms`)
  }
}

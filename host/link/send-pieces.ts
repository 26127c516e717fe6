import {
  frameWireBytes,
  minBytes,
  STATUS,
  type TransferStatus,
  transferBlock,
  transferStatus,
} from '../../protocol/index.js'
import type { BridgeError } from '../foundation/errors.js'
import { cancelledError, lostError, refusedError, timeoutError } from './link-errors.js'
import type { LinkEvent } from './link-types.js'
import type { PieceWindow } from './piece-window.js'
import type { LinkSession } from './session.js'

const ROW_BYTES = minBytes(transferBlock.fields)
/** Time-outs in a row without any status before the board counts as gone. */
const MAX_SILENT_ROUNDS = 7
const MAX_TIMEOUT_MS = 4000

/** What sending pieces needs. */
export interface PieceJob {
  readonly transferId: number
  readonly bytes: Uint8Array
  readonly window: PieceWindow
  /** Bytes of pieces that may be unacknowledged, from the answer to transferOpen. */
  readonly windowBytes: number
  readonly signal?: AbortSignal
  readonly onStatus?: () => void
}

/** Bytes that went over the wire as pieces. */
export interface PieceCounts {
  sentBytes: number
  resentBytes: number
}

/**
 * Sends pieces until the board has all of them, as many at once as window and budget allow.
 * @param counts - counted up while it runs, so that a run that fails counts too
 * @throws BridgeError `LINK_TIMEOUT`, `LINK_REFUSED`, `LINK_LOST`, `CANCELLED`
 */
export async function sendPieces(link: LinkSession, job: PieceJob, counts: PieceCounts): Promise<void> {
  const run = new PieceRun(link, job, counts)
  try {
    await run.run()
  } finally {
    run.end()
  }
}

class PieceRun {
  readonly #link: LinkSession
  readonly #job: PieceJob
  readonly #counts: PieceCounts
  readonly #releases = new Map<number, () => void>()
  readonly #stops: (() => void)[]
  #wake: (() => void) | undefined
  #happened = false
  #silentRounds = 0
  #silentSinceMs = 0
  /** Doubles with each time-out until a piece arrives: a board that erases flash says no more than that it lives. */
  #waitFactor = 1
  #failure: BridgeError | undefined
  /** Last status, first piece under way or last time-out. */
  #sinceMs: number
  /** The next piece may go against window and budget. */
  #probes = false

  constructor(link: LinkSession, job: PieceJob, counts: PieceCounts) {
    this.#link = link
    this.#job = job
    this.#counts = counts
    this.#sinceMs = link.port.clock.now()
    const wake = () => this.#notify()
    job.signal?.addEventListener('abort', wake)
    this.#stops = [
      () => job.signal?.removeEventListener('abort', wake),
      link.gate.onChange(wake),
      link.onEvent((event) => this.#onEvent(event)),
      link.on(transferStatus, (status) => this.#onStatus(status)),
    ]
  }

  async run(): Promise<void> {
    const { window } = this.#job
    while (!window.isDone) {
      this.#check()
      const piece = window.next()
      if (piece !== undefined && this.#mayGo(piece)) await this.#send(piece)
      else await this.#wait()
    }
  }

  end(): void {
    for (const stop of this.#stops) stop()
    for (const release of this.#releases.values()) release()
  }

  #check(): void {
    const { signal } = this.#job
    if (signal?.aborted) throw cancelledError('transfer', signal.reason)
    if (this.#failure) throw this.#failure
  }

  #mayGo(piece: number): boolean {
    if (this.#probes) return true
    const { window, windowBytes } = this.#job
    const inFlight = window.inFlightBytes
    const length = window.bytesOf(piece)
    // With nothing under way and a small budget a time-out asks for more; a status with room comes earlier.
    if (inFlight === 0) return this.#link.gate.budgetBytes >= length
    return inFlight + length <= windowBytes && this.#link.gate.fits(frameWireBytes(ROW_BYTES + length))
  }

  async #send(piece: number): Promise<void> {
    const { window, bytes, transferId } = this.#job
    const offset = window.offsetOf(piece)
    const length = window.bytesOf(piece)
    this.#probes = false
    if (window.inFlightBytes === 0) this.#sinceMs = this.#link.port.clock.now()
    this.#releases.set(piece, this.#link.gate.take(frameWireBytes(ROW_BYTES + length)))
    this.#counts.sentBytes += length
    if (window.sent(piece)) this.#counts.resentBytes += length
    await this.#link.post(transferBlock, { transferId, offset, data: bytes.subarray(offset, offset + length) })
  }

  /** Until something happens. What happens does not put the time-out off: only a status does. */
  async #wait(): Promise<void> {
    if (!this.#happened) {
      const { clock } = this.#link.port
      const timeoutMs = Math.min(MAX_TIMEOUT_MS, this.#link.timeoutMs(ROW_BYTES) * this.#waitFactor)
      await new Promise<void>((resolve) => {
        const timer = clock.timer(Math.max(0, this.#sinceMs + timeoutMs - clock.now()), () => {
          this.#expired()
          resolve()
        })
        this.#wake = () => {
          timer.cancel()
          resolve()
        }
      })
      this.#wake = undefined
    }
    this.#happened = false
  }

  /** Sends the oldest piece again, against any limit: its status tells what else is missing. */
  #expired(): void {
    const { port, state } = this.#link
    this.#sinceMs = port.clock.now()
    if (state !== 'open') return // the session calls the board already
    if (this.#silentRounds === 0) this.#silentSinceMs = this.#sinceMs
    this.#silentRounds++
    this.#waitFactor *= 2
    if (this.#silentRounds > MAX_SILENT_ROUNDS) {
      const ms = this.#sinceMs - this.#silentSinceMs
      this.#failure ??= timeoutError('transferBlock', port.url, this.#silentRounds, ms)
    }
    this.#probes = true
    const piece = this.#job.window.expire()
    if (piece !== undefined) this.#release(piece)
  }

  #onEvent(event: LinkEvent): void {
    if (event.kind === 'resumed') {
      this.#silentRounds = 0
      this.#waitFactor = 1
      this.#sinceMs = Number.NEGATIVE_INFINITY
    } else if (event.kind !== 'silent') {
      this.#failure ??= lostError(this.#link.port.url, event.kind)
    }
    this.#notify()
  }

  #onStatus(status: TransferStatus): void {
    if (status.transferId !== this.#job.transferId) return
    this.#silentRounds = 0
    this.#sinceMs = this.#link.port.clock.now()
    const settled = this.#job.window.acknowledge(status)
    for (const piece of settled) this.#release(piece)
    if (settled.length > 0) this.#waitFactor = 1
    if (status.status !== STATUS.OK.code) {
      this.#failure ??= refusedError('transferBlock', this.#link.port.url, status.status)
    }
    this.#job.onStatus?.()
    this.#notify()
  }

  #release(piece: number): void {
    this.#releases.get(piece)?.()
    this.#releases.delete(piece)
  }

  #notify(): void {
    this.#happened = true
    this.#wake?.()
  }
}

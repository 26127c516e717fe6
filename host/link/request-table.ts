import type { Frame, Message } from '../../protocol/index.js'
import type { Clock, Timer } from '../foundation/clock.js'
import type { BridgeError } from '../foundation/errors.js'
import { cancelledError, timeoutError } from './link-errors.js'

/** How long and how often a request is tried. */
export interface RequestOptions {
  /** The board may work this long before it answers; default 0. */
  readonly timeoutMs?: number
  /** Repetitions after the first try; default 5. */
  readonly retries?: number
  /** Ask again for at most this long while the board answers BUSY; default 0: BUSY is an error. */
  readonly busyMs?: number
  readonly signal?: AbortSignal
}

/** What the table needs of its session. */
export interface RequestPath {
  readonly clock: Clock
  readonly url: string
  /** Time-out of a first try with this many payload bytes, wire time included. */
  timeoutMs(payloadBytes: number): number
  sendRequest(message: Message, number: number, payload: Uint8Array): void
  /** An answer to a first try came after this long. */
  measured(ms: number, payloadBytes: number, answerBytes: number): void
  /** A try got no answer in time. */
  missed(): void
  /** No try got one. */
  gaveUp(): void
}

interface Pending {
  readonly message: Message
  readonly payload: Uint8Array
  readonly startedMs: number
  /** Work time of the board makes no round trip sample. */
  readonly isPlain: boolean
  triesLeft: number
  tries: number
  timeoutMs: number
  timer: Timer
  settle(answer: Uint8Array | BridgeError): void
}

const MAX_TIMEOUT_MS = 10_000
const NUMBERS = 0x10000

/** Requests under way: repeats them with doubled time-outs and matches answers by message id and number. */
export class RequestTable {
  readonly #path: RequestPath
  readonly #pending = new Map<number, Pending>()
  #lastNumber = 0

  constructor(path: RequestPath) {
    this.#path = path
  }

  /** Sends and waits. @throws BridgeError `LINK_TIMEOUT`, `CANCELLED`, or what {@link rejectAll} says */
  run(message: Message, payload: Uint8Array, options: RequestOptions): Promise<Uint8Array> {
    const { signal } = options
    return new Promise((resolve, reject) => {
      if (signal?.aborted) return reject(cancelledError(message.name, signal.reason))
      const number = this.#freeNumber()
      const cancel = () => pending.settle(cancelledError(message.name, signal?.reason))
      const pending: Pending = {
        message,
        payload,
        startedMs: this.#path.clock.now(),
        isPlain: options.timeoutMs === undefined,
        triesLeft: options.retries ?? 5,
        tries: 0,
        timeoutMs: (options.timeoutMs ?? 0) + this.#path.timeoutMs(payload.length),
        timer: { cancel: () => undefined },
        settle: (answer) => {
          this.#pending.delete(number)
          pending.timer.cancel()
          signal?.removeEventListener('abort', cancel)
          if (answer instanceof Uint8Array) resolve(answer)
          else reject(answer)
        },
      }
      signal?.addEventListener('abort', cancel, { once: true })
      this.#pending.set(number, pending)
      this.#try(number, pending)
    })
  }

  /** Takes a response; false when nobody waits for it (a late second answer). */
  answer(frame: Frame): boolean {
    const pending = this.#pending.get(frame.number)
    if (pending === undefined || pending.message.id !== frame.id) return false
    if (pending.tries === 1 && pending.isPlain) {
      const ms = this.#path.clock.now() - pending.startedMs
      this.#path.measured(ms, pending.payload.length, frame.payload.length)
    }
    pending.settle(frame.payload)
    return true
  }

  /** Ends all of them with an error. */
  rejectAll(error: BridgeError): void {
    for (const pending of [...this.#pending.values()]) pending.settle(error)
  }

  #try(number: number, pending: Pending): void {
    pending.tries++
    this.#path.sendRequest(pending.message, number, pending.payload)
    pending.timer = this.#path.clock.timer(pending.timeoutMs, () => this.#missed(number, pending))
  }

  #missed(number: number, pending: Pending): void {
    this.#path.missed()
    if (pending.triesLeft === 0) {
      const ms = this.#path.clock.now() - pending.startedMs
      pending.settle(timeoutError(pending.message.name, this.#path.url, pending.tries, ms))
      this.#path.gaveUp()
      return
    }
    pending.triesLeft--
    pending.timeoutMs = Math.min(Math.max(MAX_TIMEOUT_MS, pending.timeoutMs), pending.timeoutMs * 2)
    this.#try(number, pending)
  }

  #freeNumber(): number {
    do this.#lastNumber = (this.#lastNumber + 1) % NUMBERS
    while (this.#pending.has(this.#lastNumber))
    return this.#lastNumber
  }
}

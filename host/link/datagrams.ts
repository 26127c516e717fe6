import { decode, type Fields, type Frame, type Message, type Values } from '../../protocol/index.js'
import { isBridgeError } from '../foundation/errors.js'

/** What a listener learns beside the payload. */
export interface DatagramInfo {
  /** Messages of this id that never arrived, since the previous one. */
  readonly lost: number
}

/** Counters of one-way messages. */
export interface DatagramCounters {
  received: number
  /** Missing numbers. */
  lost: number
  /** Begun, but a fragment was missing. */
  incomplete: number
  /** Arrived whole but not as its row says. */
  malformed: number
}

interface Listener {
  readonly message: Message
  readonly call: (payload: unknown, info: DatagramInfo) => void
}

interface Assembly {
  readonly number: number
  readonly parts: Uint8Array[]
}

const NUMBERS = 0x10000

/**
 * One-way messages from the board: joins fragments (a missing one drops the message, the newest wins), counts gaps in
 * the numbers of each message id, hands payloads to their listeners.
 */
export class Datagrams {
  readonly counters: DatagramCounters = { received: 0, lost: 0, incomplete: 0, malformed: 0 }
  readonly #listeners = new Set<Listener>()
  readonly #assemblies = new Map<number, Assembly>()
  readonly #lastNumbers = new Map<number, number>()

  /** Calls `listener` with each message of this row until the returned function is called. */
  on<F extends Fields>(
    message: Message & { readonly fields: F },
    listener: (payload: Values<F>, info: DatagramInfo) => void,
  ): () => void {
    // decode() of this message's row makes exactly Values<F>.
    const entry: Listener = { message, call: (payload, info) => listener(payload as Values<F>, info) }
    this.#listeners.add(entry)
    return () => this.#listeners.delete(entry)
  }

  /** Forgets numbers and halves: a new session begins. */
  reset(): void {
    this.#assemblies.clear()
    this.#lastNumbers.clear()
  }

  /** Takes one frame. */
  accept(frame: Frame): void {
    const payload = this.#join(frame)
    if (payload === undefined) return
    this.counters.received++
    const lost = this.#gap(frame)
    this.counters.lost += lost
    this.#deliver(frame.id, payload, { lost })
  }

  #join(frame: Frame): Uint8Array | undefined {
    const started = this.#assemblies.get(frame.id)
    if (started !== undefined && started.number !== frame.number) {
      this.#assemblies.delete(frame.id)
      this.counters.incomplete++
    }
    if (frame.fragment === 0) {
      if (frame.last) return frame.payload
      this.#assemblies.set(frame.id, { number: frame.number, parts: [frame.payload] })
      return undefined
    }
    const assembly = this.#assemblies.get(frame.id)
    if (assembly === undefined) return undefined // its start was lost or it was dropped before: counted as a gap
    if (assembly.parts.length !== frame.fragment) {
      this.#assemblies.delete(frame.id)
      this.counters.incomplete++
      return undefined
    }
    assembly.parts.push(frame.payload)
    if (!frame.last) return undefined
    this.#assemblies.delete(frame.id)
    return new Uint8Array(Buffer.concat(assembly.parts))
  }

  #gap(frame: Frame): number {
    const previous = this.#lastNumbers.get(frame.id)
    this.#lastNumbers.set(frame.id, frame.number)
    if (previous === undefined) return 0
    const missing = (frame.number - previous - 1 + NUMBERS) % NUMBERS
    return missing < NUMBERS / 2 ? missing : 0
  }

  #deliver(id: number, payload: Uint8Array, info: DatagramInfo): void {
    for (const { message, call } of [...this.#listeners].filter((listener) => listener.message.id === id)) {
      try {
        call(decode(message, payload), info)
      } catch (error) {
        if (!isBridgeError(error, 'LINK_MESSAGE')) throw error
        this.counters.malformed++
      }
    }
  }
}

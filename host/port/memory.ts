import type { Clock } from '../foundation/clock.js'
import { BridgeError } from '../foundation/errors.js'
import { PortListeners } from './listeners.js'
import type { ModemLines, Port, Unsubscribe } from './port.js'

/** What happens to bytes in one direction. Rates are per byte; all fields may be changed while bytes flow. */
export interface WireFaults {
  /** Probability that a bit of a byte flips. */
  flipRate: number
  /** Probability that a byte vanishes. */
  dropRate: number
  /** Largest group of bytes that arrives at once; 0 = as written. */
  splitBytes: number
  /** True: bytes vanish, as with a cut wire. */
  cut: boolean
}

/** Options of {@link createMemoryPair}. */
export interface MemoryPairOptions {
  readonly clock: Clock
  /** Both ends' first rate; bytes take 10 bit times. */
  readonly baud?: number
  /** One-way delay on top, like a USB bridge. */
  readonly delayMs?: number
  /** Random source of the faults, 0 <= x < 1; needed when a rate is above 0. */
  readonly random?: () => number
}

/** Two connected ports in memory, with the faults of each direction. */
export interface MemoryPair {
  readonly host: MemoryPort
  readonly board: MemoryPort
  readonly toBoard: WireFaults
  readonly toHost: WireFaults
}

/** Connects two ports on one clock. Bytes sent at another rate than the other end's arrive as garbage. */
export function createMemoryPair(options: MemoryPairOptions): MemoryPair {
  const toBoard: WireFaults = { flipRate: 0, dropRate: 0, splitBytes: 0, cut: false }
  const toHost: WireFaults = { ...toBoard }
  const host = new MemoryPort('memory:host', options, toBoard)
  const board = new MemoryPort('memory:board', options, toHost)
  host.peer = board
  board.peer = host
  return { host, board, toBoard, toHost }
}

/** One end of a {@link MemoryPair}. */
export class MemoryPort implements Port {
  readonly hasModemLines = true
  readonly clock: Clock
  /** Lines as last set by this end, for the other end's test. */
  lines: ModemLines = { dtr: false, rts: false }
  baud: number
  peer: MemoryPort | undefined
  readonly #listeners = new PortListeners()
  readonly #random: () => number
  readonly #delayMs: number
  readonly #faults: WireFaults
  #wireFreeMs = 0

  constructor(
    readonly url: string,
    options: MemoryPairOptions,
    faults: WireFaults,
  ) {
    this.clock = options.clock
    this.baud = options.baud ?? 115_200
    this.#delayMs = options.delayMs ?? 0
    this.#random = options.random ?? (() => 1)
    this.#faults = faults
  }

  get isOpen(): boolean {
    return this.#listeners.isOpen
  }

  async write(bytes: Uint8Array): Promise<void> {
    this.#assertOpen()
    const size = this.#faults.splitBytes > 0 ? this.#faults.splitBytes : Math.max(1, bytes.length)
    for (let from = 0; from < bytes.length; from += size) this.#send(bytes.slice(from, from + size))
  }

  drain(): Promise<void> {
    this.#assertOpen()
    const waitMs = this.#wireFreeMs - this.clock.now()
    if (waitMs <= 0) return Promise.resolve()
    return new Promise((resolve) => this.clock.timer(waitMs, resolve))
  }

  async setBaud(baud: number): Promise<void> {
    await this.drain()
    this.baud = baud
  }

  async setLines(lines: ModemLines): Promise<void> {
    this.#assertOpen()
    this.lines = lines
  }

  onData(listener: (bytes: Uint8Array) => void): Unsubscribe {
    return this.#listeners.onData(listener)
  }

  onClose(listener: (reason?: BridgeError) => void): Unsubscribe {
    return this.#listeners.onClose(listener)
  }

  async close(): Promise<void> {
    this.#listeners.closed()
  }

  /** Closes as if the plug was pulled. */
  unplug(): void {
    this.#listeners.closed(
      new BridgeError('PORT_CLOSED', {
        what: 'the port went away',
        where: { port: this.url },
        fix: 'Plug it in again.',
      }),
    )
  }

  #assertOpen(): void {
    if (!this.isOpen) throw new BridgeError('PORT_CLOSED', { what: 'the port is closed', where: { port: this.url } })
  }

  #send(bytes: Uint8Array): void {
    const now = this.clock.now()
    this.#wireFreeMs = Math.max(now, this.#wireFreeMs) + (bytes.length * 10_000) / this.baud
    const { baud } = this
    this.clock.timer(this.#wireFreeMs - now + this.#delayMs, () => {
      const peer = this.peer
      if (peer === undefined || this.#faults.cut || !peer.isOpen) return
      const arrived = peer.baud === baud ? this.#damage(bytes) : bytes.map((byte) => byte ^ 0xa5)
      if (arrived.length > 0) peer.#listeners.data(arrived)
    })
  }

  #damage(bytes: Uint8Array): Uint8Array {
    const { flipRate, dropRate } = this.#faults
    if (flipRate === 0 && dropRate === 0) return bytes
    const kept = bytes.filter(() => this.#random() >= dropRate)
    return kept.map((byte) => (this.#random() < flipRate ? byte ^ (1 << Math.floor(this.#random() * 8)) : byte))
  }
}

import { LineNoise, type NoiseRates } from './line-noise.js'
import type { VirtualTime } from './virtual-time.js'

/** Start bit, eight data bits, stop bit. */
const BITS_PER_BYTE = 10
/** Bytes travel in groups of about this long, so that a fast rate does not cost an event a byte. */
const GROUP_US = 100

/** One direction of the serial line. */
export interface WireOptions {
  readonly senderBaud: () => number
  readonly receiverBaud: () => number
  readonly noise: NoiseRates
  readonly seed: number
  /** Bytes as the receiver sees them. */
  readonly deliver: (bytes: Uint8Array) => void
  /** A group has left the sender. */
  readonly onSent?: (count: number) => void
  /** Pauses of the line: `us` after every `everyBytes`. */
  readonly stall?: { readonly us: number; readonly everyBytes: number }
}

/** Bytes from one side to the other: each takes 10 bits of virtual time, order is kept. */
export class Wire {
  /** Bytes handed over that have not left yet. */
  queuedBytes = 0
  /** Bytes sent so far. */
  sentBytes = 0

  private readonly noise: LineNoise
  private queue: Uint8Array[] = []
  private offset = 0
  private sinceStall = 0
  private generation = 0
  private moving = false

  constructor(
    private readonly time: VirtualTime,
    private readonly options: WireOptions,
  ) {
    this.noise = new LineNoise(options.noise, options.seed)
  }

  /** Queues bytes; the caller may reuse its array. */
  send(bytes: Uint8Array): void {
    if (bytes.length === 0) return
    this.queue.push(bytes.slice())
    this.queuedBytes += bytes.length
    if (!this.moving) this.startGroup(0)
  }

  /** Forgets what has not left yet (reset, unplug). */
  clear(): void {
    this.queue = []
    this.offset = 0
    this.queuedBytes = 0
    this.moving = false
    this.generation++
  }

  private startGroup(delayUs: number): void {
    const baud = this.options.senderBaud()
    const byteUs = (BITS_PER_BYTE * 1e6) / baud
    const count = Math.min(this.queuedBytes, Math.max(1, Math.round(GROUP_US / byteUs)))
    const { generation } = this
    this.moving = true
    this.time.after(delayUs + count * byteUs, () => {
      if (generation === this.generation) this.finishGroup(count, baud)
    })
  }

  private finishGroup(count: number, baud: number): void {
    const group = this.take(count)
    this.sentBytes += count
    this.moving = false
    const received = this.noise.pass(group, baud, this.options.receiverBaud())
    if (received.length > 0) this.options.deliver(received)
    this.options.onSent?.(count)
    if (this.queuedBytes > 0 && !this.moving) this.startGroup(this.stallAfter(count))
  }

  private stallAfter(count: number): number {
    const { stall } = this.options
    this.sinceStall += count
    if (!stall || stall.us === 0 || this.sinceStall < stall.everyBytes) return 0
    this.sinceStall = 0
    return stall.us
  }

  private take(count: number): Uint8Array {
    const out = new Uint8Array(count)
    for (let filled = 0; filled < count; ) {
      const head = this.queue[0]!
      const part = head.subarray(this.offset, this.offset + count - filled)
      out.set(part, filled)
      filled += part.length
      this.offset += part.length
      if (this.offset < head.length) continue
      this.queue.shift()
      this.offset = 0
    }
    this.queuedBytes -= count
    return out
  }
}

/** The UART on the chip: receive ring with counted overruns, transmit ring, its own rate. */
export class BoardUart {
  baud: number
  /** Received bytes lost because nobody took them. */
  overruns = 0
  /** Called when bytes arrived. */
  onReceive: (() => void) | undefined

  private readonly ring: Uint8Array
  private head = 0
  private count = 0

  /** Rate after a reset. */
  get firstBaud(): number {
    return this.sizes.baud
  }

  /**
   * @param wire - the direction to the host
   * @param sizes - bytes of the receive ring and of the transmit ring
   */
  constructor(
    private readonly wire: Wire,
    private readonly sizes: { readonly rxBytes: number; readonly txBytes: number; readonly baud: number },
  ) {
    this.ring = new Uint8Array(sizes.rxBytes)
    this.baud = sizes.baud
  }

  /** Bytes that {@link transmit} takes now. */
  get txSpace(): number {
    return Math.max(0, this.sizes.txBytes - this.wire.queuedBytes)
  }

  /** True when the last byte has left. */
  get txIdle(): boolean {
    return this.wire.queuedBytes === 0
  }

  /** Bytes waiting to be taken. */
  get rxAvailable(): number {
    return this.count
  }

  /** Sends bytes. @returns how many were taken */
  transmit(bytes: Uint8Array): number {
    const taken = Math.min(bytes.length, this.txSpace)
    this.wire.send(bytes.subarray(0, taken))
    return taken
  }

  /** Bytes arrive from the line. */
  receive(bytes: Uint8Array): void {
    const fits = Math.min(bytes.length, this.ring.length - this.count)
    for (let i = 0; i < fits; i++) this.ring[(this.head + this.count + i) % this.ring.length] = bytes[i]!
    this.count += fits
    this.overruns += bytes.length - fits
    this.onReceive?.()
  }

  /** Takes at most `capacity` received bytes. */
  take(capacity: number): Uint8Array {
    const out = new Uint8Array(Math.min(capacity, this.count))
    for (let i = 0; i < out.length; i++) out[i] = this.ring[(this.head + i) % this.ring.length]!
    this.head = (this.head + out.length) % this.ring.length
    this.count -= out.length
    return out
  }

  /** Chip reset: empty rings, first rate, counters 0. */
  reset(): void {
    this.wire.clear()
    this.head = 0
    this.count = 0
    this.overruns = 0
    this.baud = this.sizes.baud
  }
}

import type { Random } from './random.js'
import type { VirtualTime } from './virtual-time.js'

/** Bytes of one USB packet of a high speed bridge. */
const PACKET_BYTES = 512

/** Options of the reading side of a USB serial bridge. */
export interface UsbBridgeOptions {
  /** Latency timer: bytes wait this long for company, 16 ms on many bridges as shipped. */
  readonly latencyUs: number
  /** Probability that one read comes as two. */
  readonly split: number
  readonly random: Random
  readonly deliver: (bytes: Uint8Array) => void
}

/** Collects bytes from the wire and hands them to the host when a packet is full or the latency timer ends. */
export class UsbBridge {
  private waiting: Uint8Array[] = []
  private count = 0
  private generation = 0

  constructor(
    private readonly time: VirtualTime,
    private readonly options: UsbBridgeOptions,
  ) {}

  /** Bytes from the wire. */
  push(bytes: Uint8Array): void {
    if (this.count === 0) this.startTimer()
    this.waiting.push(bytes)
    this.count += bytes.length
    if (this.count >= PACKET_BYTES) this.flush()
  }

  /** Forgets what waits. */
  clear(): void {
    this.waiting = []
    this.count = 0
    this.generation++
  }

  private startTimer(): void {
    const { generation } = this
    this.time.after(this.options.latencyUs, () => {
      if (generation === this.generation) this.flush()
    })
  }

  private flush(): void {
    const bytes = new Uint8Array(Buffer.concat(this.waiting))
    this.clear()
    const { random, split, deliver } = this.options
    this.time.touchHost()
    if (bytes.length < 2 || random.next() >= split) {
      deliver(bytes)
      return
    }
    const cut = 1 + random.below(bytes.length - 1)
    deliver(bytes.subarray(0, cut))
    this.time.after(1, () => {
      this.time.touchHost()
      deliver(bytes.subarray(cut))
    })
  }
}

import type { Clock } from '../foundation/clock.js'
import { BridgeError } from '../foundation/errors.js'
import type { ModemLines, Port, Unsubscribe } from '../port/port.js'
import type { Wire } from './uart.js'
import type { VirtualTime } from './virtual-time.js'

/** Bytes that the operating system takes before `write` waits. */
const WRITE_BUFFER_BYTES = 4096

/** What a port of a virtual board needs of it. */
export interface PortSide {
  readonly time: VirtualTime
  /** Direction host to board. */
  readonly toBoard: Wire
  setLines(lines: ModemLines): void
  /** The port closed. */
  released(): void
}

/** How a port is opened. */
export interface BoardPortOptions {
  /** URL that the port reports; default `virtual:`. */
  readonly url?: string
  /** Rate at first; default 115200. */
  readonly baud?: number
  /** False: no reset by lines and no rate of its own, like a socket; the rate follows the board's. */
  readonly modemLines?: boolean
}

interface Waiter {
  readonly belowBytes: number
  readonly resolve: () => void
  readonly reject: (error: BridgeError) => void
}

/** The host's end of a virtual board, in the board's own process and on its virtual clock. */
export class BoardPort implements Port {
  readonly url: string
  readonly hasModemLines: boolean
  readonly clock: Clock
  baud: number
  isOpen = true

  private readonly dataListeners = new Set<(bytes: Uint8Array) => void>()
  private readonly closeListeners = new Set<(reason?: BridgeError) => void>()
  private waiters: Waiter[] = []

  constructor(
    private readonly side: PortSide,
    options: BoardPortOptions,
  ) {
    this.url = options.url ?? 'virtual:'
    this.baud = options.baud ?? 115_200
    this.hasModemLines = options.modemLines ?? true
    this.clock = side.time.clock
  }

  async write(bytes: Uint8Array): Promise<void> {
    this.assertOpen()
    this.side.toBoard.send(bytes)
    await this.waitBelow(WRITE_BUFFER_BYTES)
  }

  async drain(): Promise<void> {
    this.assertOpen()
    await this.waitBelow(1)
  }

  async setBaud(baud: number): Promise<void> {
    this.assertOpen()
    this.baud = baud
  }

  async setLines(lines: ModemLines): Promise<void> {
    this.assertOpen()
    if (!this.hasModemLines) {
      throw new BridgeError('PORT_LINES', {
        what: 'this port has no modem lines',
        where: { port: this.url },
        fix: 'Reset the board by its button, or open it by a port with DTR and RTS.',
      })
    }
    this.side.setLines(lines)
  }

  onData(listener: (bytes: Uint8Array) => void): Unsubscribe {
    this.dataListeners.add(listener)
    return () => this.dataListeners.delete(listener)
  }

  onClose(listener: (reason?: BridgeError) => void): Unsubscribe {
    this.closeListeners.add(listener)
    return () => this.closeListeners.delete(listener)
  }

  async close(): Promise<void> {
    this.end()
  }

  /** Bytes from the board. */
  deliver(bytes: Uint8Array): void {
    for (const listener of this.dataListeners) listener(bytes)
  }

  /** A group of bytes left for the board: waiting writes may go on. */
  sent(): void {
    const ready = this.waiters.filter((waiter) => this.side.toBoard.queuedBytes < waiter.belowBytes)
    if (ready.length === 0) return
    this.waiters = this.waiters.filter((waiter) => !ready.includes(waiter))
    this.side.time.touchHost()
    for (const waiter of ready) waiter.resolve()
  }

  /** Ends the port; without a reason it was closed on purpose. */
  end(reason?: BridgeError): void {
    if (!this.isOpen) return
    this.isOpen = false
    this.side.released()
    this.side.time.touchHost()
    for (const waiter of this.waiters) waiter.reject(reason ?? this.closedError())
    for (const listener of this.closeListeners) listener(reason)
    this.waiters = []
    this.dataListeners.clear()
    this.closeListeners.clear()
  }

  private waitBelow(belowBytes: number): Promise<void> {
    if (this.side.toBoard.queuedBytes < belowBytes) return Promise.resolve()
    return new Promise((resolve, reject) => this.waiters.push({ belowBytes, resolve, reject }))
  }

  private assertOpen(): void {
    if (!this.isOpen) throw this.closedError()
  }

  private closedError(): BridgeError {
    return new BridgeError('PORT_CLOSED', { what: 'the port is closed', where: { port: this.url } })
  }
}

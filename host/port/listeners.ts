import type { BridgeError } from '../foundation/errors.js'
import type { Unsubscribe } from './port.js'

/** Data and close listeners of one port, shared by all kinds of ports. */
export class PortListeners {
  readonly #data = new Set<(bytes: Uint8Array) => void>()
  readonly #close = new Set<(reason?: BridgeError) => void>()
  #closed = false

  onData(listener: (bytes: Uint8Array) => void): Unsubscribe {
    this.#data.add(listener)
    return () => this.#data.delete(listener)
  }

  onClose(listener: (reason?: BridgeError) => void): Unsubscribe {
    this.#close.add(listener)
    return () => this.#close.delete(listener)
  }

  get isOpen(): boolean {
    return !this.#closed
  }

  data(bytes: Uint8Array): void {
    for (const listener of [...this.#data]) listener(bytes)
  }

  /** Ends the port; only the first call counts. */
  closed(reason?: BridgeError): void {
    if (this.#closed) return
    this.#closed = true
    for (const listener of [...this.#close]) listener(reason)
    this.#data.clear()
    this.#close.clear()
  }
}

import type { Clock } from '../foundation/clock.js'
import type { BridgeError } from '../foundation/errors.js'

/** Modem lines; true = asserted (low at TTL level). Always set together. Source: isp.md section 1.2. */
export interface ModemLines {
  readonly dtr: boolean
  readonly rts: boolean
}

/** Stops a subscription. */
export type Unsubscribe = () => void

/** A byte stream to one board: a serial port, a socket or a virtual board. */
export interface Port {
  /** The URL it was opened by. */
  readonly url: string
  /** False on tcp and pty: no reset by lines, the flasher greets ROM, stub and shim in turn. */
  readonly hasModemLines: boolean
  /** Present rate in baud; meaningless but settable where nothing paces (tcp, pty). */
  readonly baud: number
  /** The time in which this port's bytes move: wall clock, or a virtual board's. */
  readonly clock: Clock
  readonly isOpen: boolean
  /** Resolves when the bytes are handed over (back pressure), not when they are on the wire. @throws PORT_CLOSED */
  write(bytes: Uint8Array): Promise<void>
  /** Resolves when everything written has left this machine. */
  drain(): Promise<void>
  setBaud(baud: number): Promise<void>
  /** @throws BridgeError `PORT_LINES` where there are none */
  setLines(lines: ModemLines): Promise<void>
  onData(listener: (bytes: Uint8Array) => void): Unsubscribe
  /** Called once, with the reason when it was not `close()`. */
  onClose(listener: (reason?: BridgeError) => void): Unsubscribe
  close(): Promise<void>
}

/** Opens one port URL, see design section 3 for the schemes. */
export type PortOpener = (url: string, options?: { readonly baud?: number }) => Promise<Port>

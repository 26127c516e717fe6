import { SerialPort } from 'serialport'
import { type Clock, wallClock } from '../foundation/clock.js'
import { asBridgeError, BridgeError } from '../foundation/errors.js'
import { PortListeners } from './listeners.js'
import type { ModemLines, Port, Unsubscribe } from './port.js'
import { serialOpenError } from './serial-errors.js'

const DEFAULT_BAUD = 115_200
/** Bytes that one read may bring: larger than what arrives between two turns of the event loop at 3 Mbaud. */
const READ_BUFFER_BYTES = 65_536

/** Opens a serial port or a pty. @throws BridgeError `PORT_PERMISSION`, `PORT_BUSY`, `PORT_OPEN` */
export async function openSerial(path: string, options: { readonly baud?: number } = {}): Promise<Port> {
  const baud = options.baud ?? DEFAULT_BAUD
  const stream = new SerialPort({ path, baudRate: baud, autoOpen: false, highWaterMark: READ_BUFFER_BYTES })
  await call((done) => stream.open(done)).catch((error) => {
    throw serialOpenError(path, error)
  })
  const hasModemLines = await releaseLines(stream)
  await call((done) => stream.flush(done)).catch(() => undefined) // old bytes of a pty cannot always be flushed
  return new SerialPortAdapter(path, stream, hasModemLines, baud)
}

/**
 * Opening a tty raises DTR and RTS, which holds a board without cross-coupled transistors in reset: both are dropped
 * at once (isp.md section 1.3). A pty has no such lines, and the only way to find out is to try.
 */
async function releaseLines(stream: SerialPort): Promise<boolean> {
  try {
    await call((done) => stream.set({ dtr: false, rts: false, brk: false }, done))
    return true
  } catch {
    return false
  }
}

class SerialPortAdapter implements Port {
  readonly clock: Clock = wallClock
  readonly #listeners = new PortListeners()
  readonly #stream: SerialPort
  #baud: number

  constructor(
    readonly url: string,
    stream: SerialPort,
    readonly hasModemLines: boolean,
    baud: number,
  ) {
    this.#stream = stream
    this.#baud = baud
    stream.on('data', (chunk: Buffer) => this.#listeners.data(chunk))
    stream.on('error', (error) => this.#listeners.closed(this.#lost(error)))
    stream.on('close', (error: Error | null) => this.#listeners.closed(error ? this.#lost(error) : undefined))
  }

  get baud(): number {
    return this.#baud
  }

  get isOpen(): boolean {
    return this.#listeners.isOpen && this.#stream.isOpen
  }

  write(bytes: Uint8Array): Promise<void> {
    return this.#do((done) => this.#stream.write(Buffer.from(bytes), undefined, done))
  }

  drain(): Promise<void> {
    return this.#do((done) => this.#stream.drain(done))
  }

  async setBaud(baud: number): Promise<void> {
    await this.drain()
    try {
      await call((done) => this.#stream.update({ baudRate: baud }, done))
    } catch (error) {
      throw asBridgeError(error, 'LINK_BAUD', {
        what: `the port refuses ${baud} baud`,
        where: { port: this.url, baud },
        fix: 'Choose a lower rate; the driver or bridge of this port does not know this one.',
      })
    }
    this.#baud = baud
  }

  async setLines(lines: ModemLines): Promise<void> {
    if (!this.hasModemLines) {
      throw new BridgeError('PORT_LINES', {
        what: 'the port has no modem lines',
        where: { port: this.url },
        fix: 'Reset the board by its button, or use the serial port of its USB bridge.',
      })
    }
    // All three keys, always: node-serialport takes missing ones as true (isp.md section 1.3).
    await this.#do((done) => this.#stream.set({ dtr: lines.dtr, rts: lines.rts, brk: false }, done))
  }

  onData(listener: (bytes: Uint8Array) => void): Unsubscribe {
    return this.#listeners.onData(listener)
  }

  onClose(listener: (reason?: BridgeError) => void): Unsubscribe {
    return this.#listeners.onClose(listener)
  }

  async close(): Promise<void> {
    if (this.#stream.isOpen) await call((done) => this.#stream.close(done)).catch(() => undefined) // gone already
    this.#listeners.closed()
  }

  #lost(cause: unknown): BridgeError {
    return new BridgeError('PORT_CLOSED', {
      what: 'the port went away',
      where: { port: this.url },
      fix: 'Plug the board in again.',
      cause,
    })
  }

  async #do(action: (done: (error?: Error | null) => void) => void): Promise<void> {
    if (!this.isOpen) throw new BridgeError('PORT_CLOSED', { what: 'the port is closed', where: { port: this.url } })
    await call(action).catch((error) => {
      throw this.#lost(error)
    })
  }
}

function call(action: (done: (error?: Error | null) => void) => void): Promise<void> {
  return new Promise((resolve, reject) => action((error) => (error ? reject(error) : resolve())))
}

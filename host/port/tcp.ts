import { connect, type Socket } from 'node:net'
import { type Clock, wallClock } from '../foundation/clock.js'
import { BridgeError } from '../foundation/errors.js'
import { PortListeners } from './listeners.js'
import type { ModemLines, Port, Unsubscribe } from './port.js'

const CONNECT_TIMEOUT_MS = 5000

/** Opens `tcp://host:port`: bytes only, no modem lines, no rate. @throws BridgeError `PORT_URL`, `PORT_OPEN` */
export async function openTcp(url: string, options: { readonly baud?: number } = {}): Promise<Port> {
  const { hostname, port } = parseTcpUrl(url)
  const socket = connect({ host: hostname, port, noDelay: true })
  await connected(socket, url)
  return new TcpPort(url, socket, options.baud ?? 115_200)
}

function parseTcpUrl(url: string): { readonly hostname: string; readonly port: number } {
  const match = /^tcp:\/\/(\[[0-9a-fA-F:.]+\]|[^/:?#]+):(\d{1,5})\/?$/.exec(url)
  const port = Number(match?.[2])
  if (!match || port < 1 || port > 65_535) {
    throw new BridgeError('PORT_URL', {
      what: `${url} is no tcp port URL`,
      where: { port: url },
      fix: 'Write tcp://host:port, for example tcp://127.0.0.1:2101.',
    })
  }
  return { hostname: match[1]!.replace(/^\[|\]$/g, ''), port }
}

function connected(socket: Socket, url: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const fail = (cause: unknown, what: string) => {
      socket.destroy()
      reject(
        new BridgeError('PORT_OPEN', {
          what,
          where: { port: url },
          fix: 'Check that the other side listens there.',
          cause,
        }),
      )
    }
    const timer = setTimeout(() => fail(undefined, `${url} did not answer within 5 s`), CONNECT_TIMEOUT_MS)
    const onError = (error: Error) => {
      clearTimeout(timer)
      fail(error, `${url} cannot be reached: ${error.message}`)
    }
    socket.once('error', onError)
    socket.once('connect', () => {
      clearTimeout(timer)
      socket.off('error', onError)
      resolve()
    })
  })
}

class TcpPort implements Port {
  readonly hasModemLines = false
  readonly clock: Clock = wallClock
  readonly #listeners = new PortListeners()
  readonly #socket: Socket
  #error: Error | undefined

  constructor(
    readonly url: string,
    socket: Socket,
    public baud: number,
  ) {
    this.#socket = socket
    socket.on('data', (chunk: Buffer) => this.#listeners.data(chunk))
    socket.on('error', (error) => {
      this.#error = error
    })
    socket.on('close', () => this.#listeners.closed(this.#lost(this.#error)))
  }

  get isOpen(): boolean {
    return this.#listeners.isOpen
  }

  async write(bytes: Uint8Array): Promise<void> {
    if (!this.isOpen) throw this.#lost(undefined)
    await new Promise<void>((resolve, reject) => {
      this.#socket.write(bytes, (error) => (error ? reject(this.#lost(error)) : resolve()))
    })
  }

  async drain(): Promise<void> {
    await this.write(new Uint8Array(0))
  }

  async setBaud(baud: number): Promise<void> {
    this.baud = baud
  }

  async setLines(_lines: ModemLines): Promise<void> {
    throw new BridgeError('PORT_LINES', {
      what: 'a tcp port has no modem lines',
      where: { port: this.url },
      fix: 'Reset the board by its button.',
    })
  }

  onData(listener: (bytes: Uint8Array) => void): Unsubscribe {
    return this.#listeners.onData(listener)
  }

  onClose(listener: (reason?: BridgeError) => void): Unsubscribe {
    return this.#listeners.onClose(listener)
  }

  async close(): Promise<void> {
    this.#listeners.closed()
    await new Promise<void>((resolve) => {
      if (this.#socket.destroyed) return resolve()
      this.#socket.once('close', () => resolve())
      this.#socket.end()
      this.#socket.destroySoon()
    })
  }

  #lost(cause: unknown): BridgeError {
    return new BridgeError('PORT_CLOSED', {
      what: 'the connection was closed',
      where: { port: this.url },
      fix: 'Check the other side.',
      cause,
    })
  }
}

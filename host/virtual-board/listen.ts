import { createServer, type Server, type Socket } from 'node:net'
import { BridgeError } from '../foundation/errors.js'
import type { Port } from '../port/port.js'
import type { VirtualBoard } from './board.js'

/** A board that listens. */
export interface BoardListener {
  /** `tcp://HOST:PORT` with the real port number. */
  readonly url: string
  close(): Promise<void>
}

/** A client that leaves more than this unread loses bytes, as on any serial port. */
const UNREAD_BYTES = 1024 * 1024

const BUSY_TEXT = 'k210-bridge: this virtual board has a client already\r\n'

/**
 * Serves the board's UART on a TCP socket: raw bytes, one client at a time, no modem lines; a second client gets a
 * line of text and is closed. The board goes on running between clients.
 * @param address - port 0 picks a free one
 * @throws BridgeError `PORT_OPEN` when the address cannot be bound
 */
export async function listenTcp(
  board: VirtualBoard,
  address: { readonly host: string; readonly port: number },
): Promise<BoardListener> {
  let client: Socket | undefined
  const server = createServer((socket) => {
    if (client) {
      socket.end(BUSY_TEXT)
      return
    }
    client = socket
    socket.once('close', () => {
      client = undefined
    })
    connect(board, socket)
  })
  const port = await bind(server, address)
  return {
    url: `tcp://${address.host}:${port}`,
    async close() {
      client?.destroy()
      await new Promise<void>((resolve) => server.close(() => resolve()))
    },
  }
}

/** Joins a socket and a new port of the board until either ends. */
function connect(board: VirtualBoard, socket: Socket): void {
  socket.setNoDelay(true)
  socket.on('error', () => socket.destroy())
  let port: Port
  try {
    port = board.port({ url: 'tcp:', modemLines: false })
  } catch (error) {
    socket.end(`${error instanceof Error ? error.message : error}\r\n`)
    return
  }
  port.onData((bytes) => {
    if (socket.writableLength < UNREAD_BYTES) socket.write(bytes)
  })
  port.onClose(() => socket.end())
  socket.once('close', () => void port.close())
  socket.on('data', (bytes: Buffer) => {
    socket.pause()
    port.write(bytes).then(
      () => socket.resume(),
      () => socket.destroy(),
    )
  })
}

function bind(server: Server, { host, port }: { readonly host: string; readonly port: number }): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', (cause) => {
      reject(
        new BridgeError('PORT_OPEN', {
          what: `cannot listen: ${cause.message}`,
          where: { host, port },
          fix: 'Choose another port, or end the program that listens there.',
          cause,
        }),
      )
    })
    server.listen(port, host, () => {
      const bound = server.address()
      resolve(typeof bound === 'object' && bound ? bound.port : port)
    })
  })
}

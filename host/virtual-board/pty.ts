import { type ChildProcess, spawn } from 'node:child_process'
import { closeSync, constants, openSync } from 'node:fs'
import { createInterface } from 'node:readline'
import { BridgeError } from '../foundation/errors.js'
import type { VirtualBoard } from './board.js'
import { type BoardListener, listenTcp } from './listen.js'

/**
 * Serves the board's UART on a pseudo terminal that any serial tool can open; baud rate and modem lines of it have no
 * effect. Uses socat between the terminal and a socket on loopback.
 * @returns a listener whose url is the device path
 * @throws BridgeError `PORT_OPEN` where socat is missing or fails
 */
export async function listenPty(board: VirtualBoard): Promise<BoardListener> {
  const tcp = await listenTcp(board, { host: '127.0.0.1', port: 0 })
  const socat = spawn('socat', ['-d', '-d', 'pty,rawer', tcp.url.replace('tcp://', 'tcp:')], {
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  try {
    const url = await devicePath(socat)
    // An open end of our own: without it socat would end when a client closes the terminal.
    const held = openSync(url, constants.O_RDWR | constants.O_NOCTTY)
    return {
      url,
      async close() {
        closeSync(held)
        socat.kill()
        await tcp.close()
      },
    }
  } catch (error) {
    await tcp.close()
    throw error
  }
}

/** Reads the path that socat prints: "... N PTY is /dev/pts/3". */
function devicePath(socat: ChildProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    const fail = (what: string, cause?: unknown) => {
      const fix = 'Install socat (Debian: apt install socat), or use --listen tcp://HOST:PORT.'
      reject(new BridgeError('PORT_OPEN', { what, fix, cause }))
    }
    socat.once('error', (error) => fail('--pty needs the program socat', error))
    socat.once('exit', (code) => fail(`socat ended with exit code ${code}`))
    createInterface({ input: socat.stderr! }).on('line', (line) => {
      const path = /PTY is (\S+)/.exec(line)?.[1]
      if (path) resolve(path)
    })
  })
}

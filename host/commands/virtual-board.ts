import type { Command } from 'commander'
import { BridgeError } from '../foundation/errors.js'
import { folderScene } from '../jobs/demo-scene.js'
import type { BoardOptions } from '../virtual-board/board.js'
import { describeFaults } from '../virtual-board/faults.js'
import { listenTcp } from '../virtual-board/listen.js'
import { listenPty } from '../virtual-board/pty.js'
import { createWorkerBoard } from '../virtual-board/worker-board.js'
import { sharedScene } from './open-port.js'
import { runCommand, untilAborted } from './runtime.js'

interface Options {
  readonly listen?: string
  readonly pty?: boolean
  readonly camera?: string
  readonly flash?: string
  readonly pace: string
  readonly faults?: string
  readonly cpu: string
  readonly json?: boolean
}

async function boardOptions(options: Options): Promise<BoardOptions> {
  if (options.cpu !== 'wasm')
    throw new BridgeError('USAGE', { what: `--cpu ${options.cpu} is not supported`, fix: 'This version has wasm.' })
  if (options.pace !== 'real' && options.pace !== 'fast')
    throw new BridgeError('USAGE', { what: `--pace ${options.pace} is neither real nor fast` })
  const scene = options.camera ? await folderScene(options.camera) : await sharedScene()
  return { pace: options.pace, faults: options.faults, flashFile: options.flash, camera: { kind: 'scene', ...scene } }
}

function tcpAddress(listen: string): { host: string; port: number } {
  if (listen.startsWith('rfc2217:'))
    throw new BridgeError('PORT_URL', { what: 'RFC 2217 comes later', where: { listen }, fix: 'Use tcp://HOST:PORT.' })
  const match = /^tcp:\/\/(.*):(\d+)$/.exec(listen)
  if (!match)
    throw new BridgeError('USAGE', {
      what: `--listen ${listen} is not tcp://HOST:PORT`,
      fix: 'For example --listen tcp://127.0.0.1:4000.',
    })
  return { host: match[1]!.replace(/^\[|\]$/g, ''), port: Number(match[2]) }
}

/** `virtual-board --listen tcp://... | --pty`. */
export function registerVirtualBoard(program: Command): void {
  program
    .command('virtual-board')
    .description('A virtual K210 for any serial tool')
    .option('--listen <url>', 'tcp://HOST:PORT')
    .option('--pty', 'a pseudo terminal (needs socat)')
    .option('--camera <dir>', "folder of pictures; default the demo's scene")
    .option('--flash <file>', 'keeps the 16 MiB of flash; blank without')
    .option('--pace <real|fast>', 'time follows the wall clock, or does not wait', 'real')
    .option('--faults <name=value,...>', 'see below')
    .option('--cpu <wasm>', 'how firmware runs', 'wasm')
    .option('--json', 'print one JSON document when it listens')
    .addHelpText(
      'after',
      `\nFaults:\n${describeFaults()}\n\nExamples:\n  $ k210-bridge virtual-board --listen tcp://127.0.0.1:4000 --flash board.bin\n  $ k210-bridge flash board.kfpkg --port tcp://127.0.0.1:4000`,
    )
    .action((options: Options) =>
      runCommand(options, async (io) => {
        if (!options.listen === !options.pty)
          throw new BridgeError('USAGE', {
            what: 'give either --listen or --pty',
            fix: 'For example --listen tcp://127.0.0.1:4000.',
          })
        const address = options.listen ? tcpAddress(options.listen) : undefined
        const board = await createWorkerBoard(await boardOptions(options))
        try {
          const listener = address ? await listenTcp(board, address) : await listenPty(board)
          io.line(options.json ? JSON.stringify({ listening: listener.url }) : `virtual board at ${listener.url}`)
          await untilAborted(io.signal)
          await listener.close()
        } finally {
          await board.close()
        }
        return undefined
      }),
    )
}

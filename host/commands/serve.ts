import { join } from 'node:path'
import type { Command } from 'commander'
import { DEFAULT_LISTEN, defaultDataFolder } from './data-folder.js'
import { sharedScene } from './open-port.js'
import { runCommand } from './runtime.js'
import { withDaemon } from './with-daemon.js'

interface Options {
  readonly port: string[]
  readonly virtual?: boolean
  readonly listen: string
  readonly data: string
  readonly json?: boolean
}

const HELP = `
Examples:
  $ k210-bridge serve --port /dev/ttyUSB0 --port /dev/ttyUSB1
  $ k210-bridge serve --virtual --data ./lab

Beyond loopback (--listen 0.0.0.0:2100) K210_BRIDGE_TOKEN must be set; clients send it as a bearer token.`

/** `serve`: the daemon. */
export function registerServe(program: Command): void {
  program
    .command('serve')
    .description('The daemon: owns the ports, serves the HTTP API and the live page')
    .option(
      '--port <url>',
      'board to look after; may be given several times',
      (url: string, urls: string[]) => [...urls, url],
      [],
    )
    .option('--virtual', 'adds a virtual board whose flash lives in the data folder')
    .option('--listen <host:port>', 'address of the API', DEFAULT_LISTEN)
    .option('--data <dir>', 'folder of database and artifacts', defaultDataFolder())
    .option('--json', 'print one JSON document when it listens')
    .addHelpText('after', HELP)
    .action((options: Options) =>
      runCommand(options, (io) =>
        withDaemon({ ...options, logLevel: 'info' }, io, async (daemon, virtual) => {
          const { fleet } = daemon.services
          if (options.virtual) {
            const flashFile = join(options.data, 'virtual-flash.bin')
            const camera = { kind: 'scene', ...(await sharedScene()) } as const
            await virtual.create('virtual:', { pace: 'real', flashFile, camera })
            await fleet.add('virtual:')
          }
          // Boards of last time are there already.
          const known = new Set(fleet.list().map((device) => device.url))
          for (const port of options.port.filter((url) => !known.has(url))) await fleet.add(port)
          io.line(options.json ? JSON.stringify({ url: daemon.url }) : `live page and API: ${daemon.url}`)
        }),
      ),
    )
}

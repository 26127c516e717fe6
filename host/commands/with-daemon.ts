import { createLogger } from '../foundation/logger.js'
import { type Daemon, startDaemon } from '../http/daemon.js'
import { commandPortOpener, VirtualBoards } from './open-port.js'
import { type CommandIo, untilAborted } from './runtime.js'

/** What `serve` and `demo` have in common. */
export interface DaemonCommand {
  readonly listen: string
  readonly data: string
  /** Level of the log on stderr, unless K210_BRIDGE_LOG says otherwise. */
  readonly logLevel: 'info' | 'warn'
}

/** Runs a daemon for a command: `begin`, then until the user stops it; virtual boards live as long. */
export async function withDaemon(
  { listen, data, logLevel }: DaemonCommand,
  io: CommandIo,
  begin: (daemon: Daemon, virtual: VirtualBoards) => Promise<void>,
): Promise<undefined> {
  const virtual = new VirtualBoards()
  const logger = createLogger(process.env.K210_BRIDGE_LOG ?? logLevel)
  const daemon = await startDaemon({ listen, dataDir: data, openPort: commandPortOpener(virtual), logger })
  try {
    await begin(daemon, virtual)
    await untilAborted(io.signal)
  } finally {
    await daemon.close()
    await virtual.close()
  }
}

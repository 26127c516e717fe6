import { BridgeError } from '../foundation/errors.js'
import { DaemonClient, parseDaemonUrl } from '../jobs/daemon-client.js'
import { DEFAULT_LISTEN } from './data-folder.js'

/** Where a command finds its board. */
export type Target =
  | { readonly kind: 'port'; readonly url: string }
  | { readonly kind: 'daemon'; readonly client: DaemonClient; readonly board: string }

const PROBE_MS = 500

/** The daemon of this machine: `K210_BRIDGE_DAEMON`, else its default address. */
export const localDaemonUrl = (): string => process.env.K210_BRIDGE_DAEMON ?? `http://${DEFAULT_LISTEN}`

/** Boards of the daemon on this machine; none when there is no daemon. */
async function localBoards(client: DaemonClient): Promise<{ id: string; port: string }[]> {
  return client.boards(AbortSignal.timeout(PROBE_MS)).catch(() => [])
}

/**
 * Finds the board of a `--port`. A port that the daemon on this machine owns is reached through the daemon; without
 * `--port` the daemon's only board is taken.
 * @throws BridgeError `USAGE` when no port is given and no daemon has exactly one board, `PORT_URL`, `NOT_FOUND`
 */
export async function findTarget(url: string | undefined): Promise<Target> {
  if (url?.startsWith('daemon:')) {
    const { baseUrl, board } = parseDaemonUrl(url)
    const client = new DaemonClient(baseUrl)
    return { kind: 'daemon', client, board: (await client.board(board)).id }
  }
  if (url?.startsWith('virtual:')) return { kind: 'port', url }
  const client = new DaemonClient(localDaemonUrl())
  const boards = await localBoards(client)
  const owned =
    url === undefined ? (boards.length === 1 ? boards[0] : undefined) : boards.find((board) => board.port === url)
  if (owned) return { kind: 'daemon', client, board: owned.id }
  if (url !== undefined) return { kind: 'port', url }
  throw new BridgeError('USAGE', {
    what:
      boards.length === 0
        ? 'no --port is given and no daemon runs on this machine'
        : `no --port is given and the daemon has ${boards.length} boards`,
    fix:
      boards.length === 0
        ? 'Give --port; k210-bridge ports lists them, virtual: needs none.'
        : `Give --port daemon:${client.baseUrl}/BOARD with one of ${boards.map((board) => board.id).join(', ')}.`,
  })
}

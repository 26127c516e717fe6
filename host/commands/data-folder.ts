import { homedir } from 'node:os'
import { join } from 'node:path'

/** Where the daemon keeps its database when `--data` is not given. */
export function defaultDataFolder(): string {
  return join(process.env.XDG_DATA_HOME ?? join(homedir(), '.local', 'share'), 'k210-bridge')
}

/** Address that the daemon listens on by default. */
export const DEFAULT_LISTEN = '127.0.0.1:2100'

import { mkdirSync } from 'node:fs'
import { join } from 'node:path'
import Database from 'libsql'
import { asBridgeError, BridgeError } from '../foundation/errors.js'

/** How long a daemon that is just ending may hold the lock. */
const BUSY_MS = 500

/**
 * Takes a data folder for this process: a second daemon in it would take running jobs and half written files of the
 * first for remains of a crash. The lock is SQLite's on a file of its own, so it ends with the process whatever happens.
 * @returns gives the folder back
 * @throws BridgeError `CONFLICT` when another program has it, `FILE_WRITE`
 */
export function lockFolder(folder: string): () => void {
  const file = join(folder, 'bridge.lock')
  let lock: InstanceType<typeof Database> | undefined
  try {
    mkdirSync(folder, { recursive: true })
    lock = new Database(file, { timeout: BUSY_MS })
    lock.exec('BEGIN EXCLUSIVE')
    return () => lock?.close()
  } catch (error) {
    lock?.close()
    if ((error as { code?: string }).code !== 'SQLITE_BUSY') {
      throw asBridgeError(error, 'FILE_WRITE', {
        where: { file },
        fix: 'Check the data folder and its permissions, or name another with --data.',
      })
    }
    throw new BridgeError('CONFLICT', {
      what: 'another program uses this data folder',
      where: { folder },
      fix: 'Use the daemon that runs already, stop it, or name another folder with --data.',
      cause: error,
    })
  }
}

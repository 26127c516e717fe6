import { mkdirSync } from 'node:fs'
import { dirname } from 'node:path'
import Database from 'libsql'
import { asBridgeError } from '../foundation/errors.js'
import { MIGRATIONS } from './migrations.js'

/** An open database handle (better-sqlite3 interface). */
export type Db = InstanceType<typeof Database>

/**
 * Opens the SQLite file in WAL mode and runs the migrations that are missing, each in its own transaction.
 * @param path - file, or `:memory:` for tests
 * @throws BridgeError `FILE_WRITE` when the file cannot be opened or written
 */
export function openDatabase(path: string): Db {
  try {
    if (path !== ':memory:') mkdirSync(dirname(path), { recursive: true })
    const db = new Database(path)
    db.exec('PRAGMA journal_mode = WAL')
    db.exec('PRAGMA foreign_keys = ON')
    migrate(db)
    return db
  } catch (error) {
    throw asBridgeError(error, 'FILE_WRITE', { where: { file: path }, fix: 'Check the data folder and its permissions, or name another with --data.' })
  }
}

function migrate(db: Db): void {
  const row = db.prepare('PRAGMA user_version').get() as { user_version: number }
  for (let step = row.user_version; step < MIGRATIONS.length; step++) {
    db.exec('BEGIN')
    try {
      db.exec(MIGRATIONS[step]!.sql)
      db.exec(`PRAGMA user_version = ${step + 1}`)
      db.exec('COMMIT')
    } catch (error) {
      db.exec('ROLLBACK')
      throw error
    }
  }
}

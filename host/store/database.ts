import { mkdirSync } from 'node:fs'
import { dirname } from 'node:path'
import Database from 'libsql'
import { asBridgeError, BridgeError } from '../foundation/errors.js'
import { MIGRATIONS } from './migrations.js'

/** An open database handle (better-sqlite3 interface). */
export type Db = InstanceType<typeof Database>

/**
 * Opens the SQLite file in WAL mode and runs the migrations that are missing, each in its own transaction.
 * @param path - file, or `:memory:` for tests
 * @throws BridgeError `FILE_WRITE` when the file cannot be opened or written, `CONFLICT` when a newer version wrote it
 */
export function openDatabase(path: string): Db {
  let db: Db | undefined
  try {
    if (path !== ':memory:') mkdirSync(dirname(path), { recursive: true })
    db = new Database(path)
    db.exec('PRAGMA journal_mode = WAL')
    db.exec('PRAGMA foreign_keys = ON')
    refuseNewer(db, path)
    migrate(db)
    return db
  } catch (error) {
    db?.close()
    throw asBridgeError(error, 'FILE_WRITE', {
      where: { file: path },
      fix: 'Check the data folder and its permissions, or name another with --data.',
    })
  }
}

const schemaVersion = (db: Db): number =>
  (db.prepare('PRAGMA user_version').get() as { user_version: number }).user_version

function refuseNewer(db: Db, path: string): void {
  if (schemaVersion(db) <= MIGRATIONS.length) return
  throw new BridgeError('CONFLICT', {
    what: 'the database was written by a newer version of this program',
    where: { file: path },
    fix: 'Update this program, or name another folder with --data.',
  })
}

function migrate(db: Db): void {
  for (let step = schemaVersion(db); step < MIGRATIONS.length; step++) {
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

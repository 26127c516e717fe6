import type { Db } from './database.js'

/** A job as it is kept: `result` and `error` are JSON. */
export interface JobRow {
  readonly id: string
  readonly kind: string
  readonly state: string
  readonly createdMs: number
  readonly endedMs: number | null
  readonly result: string | null
  readonly error: string | null
}

/** Rows of finished and running jobs. */
export class JobTable {
  constructor(private readonly db: Db) {}

  save(row: JobRow): void {
    this.db
      .prepare(
        `INSERT INTO jobs (id, kind, state, created_ms, ended_ms, result, error) VALUES (?, ?, ?, ?, ?, ?, ?)
         ON CONFLICT (id) DO UPDATE SET state = excluded.state, ended_ms = excluded.ended_ms, result = excluded.result, error = excluded.error`,
      )
      .run(row.id, row.kind, row.state, row.createdMs, row.endedMs, row.result, row.error)
  }

  /** Deletes ended jobs beyond the newest `count`. */
  keepNewest(count: number): void {
    this.db
      .prepare(
        `DELETE FROM jobs WHERE ended_ms IS NOT NULL AND id NOT IN
           (SELECT id FROM jobs WHERE ended_ms IS NOT NULL ORDER BY created_ms DESC, rowid DESC LIMIT ?)`,
      )
      .run(count)
  }

  /** Oldest first. */
  all(): JobRow[] {
    return this.db
      .prepare(
        'SELECT id, kind, state, created_ms AS createdMs, ended_ms AS endedMs, result, error FROM jobs ORDER BY created_ms',
      )
      .all() as JobRow[]
  }
}

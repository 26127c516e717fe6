import type { Db } from './database.js'

/** A board that the daemon opens again after a restart. */
export interface BoardRow {
  readonly id: string
  readonly port: string
}

/** Boards that were added over the API. */
export class BoardTable {
  constructor(private readonly db: Db) {}

  all(): BoardRow[] {
    return this.db.prepare('SELECT id, port FROM boards ORDER BY created_ms').all() as BoardRow[]
  }

  add(board: BoardRow): void {
    this.db
      .prepare('INSERT OR REPLACE INTO boards (id, port, created_ms) VALUES (?, ?, ?)')
      .run(board.id, board.port, Date.now())
  }

  remove(id: string): void {
    this.db.prepare('DELETE FROM boards WHERE id = ?').run(id)
  }
}

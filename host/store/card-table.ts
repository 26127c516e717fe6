import type { Db } from './database.js'

/** Cards of models that were deployed, as JSON text by the SHA-256 of the kmodel. */
export class CardTable {
  constructor(private readonly db: Db) {}

  get(modelSha256: string): string | undefined {
    const row = this.db.prepare('SELECT card FROM cards WHERE model_sha256 = ?').get(modelSha256) as
      | { card: string }
      | undefined
    return row?.card
  }

  set(modelSha256: string, card: string): void {
    this.db.prepare('INSERT OR REPLACE INTO cards (model_sha256, card) VALUES (?, ?)').run(modelSha256, card)
  }
}

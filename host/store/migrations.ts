/** One step of the schema. Steps are only ever appended; `user_version` counts those that have run. */
export interface Migration {
  readonly name: string
  readonly sql: string
}

/** All steps in order. Times are milliseconds since 1970. */
export const MIGRATIONS: readonly Migration[] = [
  {
    name: 'artifacts and jobs',
    sql: `
      CREATE TABLE artifacts (
        sha256 TEXT PRIMARY KEY,
        bytes INTEGER NOT NULL,
        kind TEXT NOT NULL,
        name TEXT NOT NULL,
        created_ms INTEGER NOT NULL
      ) STRICT;
      CREATE TABLE jobs (
        id TEXT PRIMARY KEY,
        kind TEXT NOT NULL,
        state TEXT NOT NULL,
        created_ms INTEGER NOT NULL,
        ended_ms INTEGER,
        result TEXT,
        error TEXT
      ) STRICT;`,
  },
  {
    name: 'boards that the daemon opens again after a restart',
    sql: 'CREATE TABLE boards (id TEXT PRIMARY KEY, port TEXT NOT NULL UNIQUE, created_ms INTEGER NOT NULL) STRICT;',
  },
  {
    name: 'cards of deployed models',
    sql: 'CREATE TABLE cards (model_sha256 TEXT PRIMARY KEY, card TEXT NOT NULL) STRICT;',
  },
]

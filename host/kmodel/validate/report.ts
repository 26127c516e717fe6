/** One broken rule of a kmodel file. */
export interface Violation {
  /** Which rule, for tests and filters. */
  readonly rule:
    | 'header'
    | 'reserved'
    | 'size'
    | 'alignment'
    | 'gap'
    | 'register'
    | 'limit'
    | 'kpu-ram'
    | 'overlap'
    | 'lifetime'
    | 'streamed-read'
    | 'main-memory'
    | 'send-data-out'
    | 'activation'
    | 'shape'
  /** One sentence without a full stop. */
  readonly what: string
  /** Node index; -1 for the header. */
  readonly node: number
  /** File offset. */
  readonly offset: number
}

/** Collects violations; `node` and `offset` say where it looks at the moment. */
export class Report {
  readonly violations: Violation[] = []
  node = -1
  offset = 0

  /** Notes a violation unless `holds`. */
  want(holds: boolean, rule: Violation['rule'], what: () => string): boolean {
    if (!holds) this.violations.push({ rule, what: what(), node: this.node, offset: this.offset })
    return holds
  }
}

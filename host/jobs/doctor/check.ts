/** One finding of `doctor`. */
export interface DoctorCheck {
  readonly name: string
  /** `warn`: something is missing that not everybody needs. */
  readonly state: 'ok' | 'warn' | 'fail'
  readonly detail: string
  /** What to do; empty for `ok`. */
  readonly fix: string
}

/** A check that found nothing wrong. */
export const ok = (name: string, detail: string): DoctorCheck => ({ name, state: 'ok', detail, fix: '' })

/** A check that found something missing that not everybody needs. */
export const warn = (name: string, detail: string, fix: string): DoctorCheck => ({ name, state: 'warn', detail, fix })

/** A check that found something that has to be repaired. */
export const fail = (name: string, detail: string, fix: string): DoctorCheck => ({ name, state: 'fail', detail, fix })

/** Text of whatever was thrown. */
export const reasonOf = (thrown: unknown): string => (thrown instanceof Error ? thrown.message : String(thrown))

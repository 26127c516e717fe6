import { ERROR_CODES, type ErrorCode } from './error-codes.js'

/** Where something went wrong: file, node, offset, port, address ... printed as `key=value`. */
export type ErrorPlace = Readonly<Record<string, string | number>>

/** What, where and fix of a {@link BridgeError}. */
export interface ErrorDetails {
  /** What happened, one sentence without a full stop. */
  readonly what: string
  readonly where?: ErrorPlace
  /** What the user can do, a full sentence. */
  readonly fix?: string
  readonly cause?: unknown
}

/** The only error class of the project. Callers branch on `code`, never on the text. */
export class BridgeError extends Error {
  readonly code: ErrorCode
  readonly what: string
  readonly where: ErrorPlace
  readonly fix: string

  constructor(code: ErrorCode, details: ErrorDetails) {
    super(`${code}: ${details.what}`, details.cause === undefined ? undefined : { cause: details.cause })
    this.name = 'BridgeError'
    this.code = code
    this.what = details.what
    this.where = details.where ?? {}
    this.fix = details.fix ?? ''
  }

  /** HTTP status of this error's code. */
  get status(): number {
    return ERROR_CODES[this.code].status
  }

  /** Exit code of the command line for this error's code. */
  get exitCode(): 1 | 2 | 3 {
    return ERROR_CODES[this.code].exit
  }

  /** The form that `--json` prints under `error`. */
  toJSON(): { code: ErrorCode; what: string; where: ErrorPlace; fix: string } {
    return { code: this.code, what: this.what, where: this.where, fix: this.fix }
  }
}

/** True when `value` is a {@link BridgeError}, of the code given if any. */
export function isBridgeError(value: unknown, code?: ErrorCode): value is BridgeError {
  return value instanceof BridgeError && (code === undefined || value.code === code)
}

/** Wraps whatever was thrown: a BridgeError stays as it is, anything else becomes `code` with it as cause. */
export function asBridgeError(
  thrown: unknown,
  code: ErrorCode = 'INTERNAL',
  details?: Partial<ErrorDetails>,
): BridgeError {
  if (thrown instanceof BridgeError) return thrown
  const message = thrown instanceof Error ? thrown.message : String(thrown)
  return new BridgeError(code, {
    what: details?.what ?? message,
    where: details?.where,
    fix: details?.fix,
    cause: thrown,
  })
}

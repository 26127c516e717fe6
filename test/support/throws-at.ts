import type { Test } from 'tap'
import type { ErrorCode } from '../../host/foundation/error-codes.js'
import type { ErrorPlace } from '../../host/foundation/errors.js'
import { throwsCode } from './throws-code.js'

/** Asserts that `run` throws a BridgeError of `code` whose place holds at least `where`. */
export async function throwsAt(t: Test, run: () => unknown, code: ErrorCode, where: ErrorPlace = {}): Promise<void> {
  const error = await throwsCode(t, code, run)
  t.match(error.where, where)
}

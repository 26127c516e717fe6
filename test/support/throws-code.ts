import type { Test } from 'tap'
import type { ErrorCode } from '../../host/foundation/error-codes.js'
import { BridgeError } from '../../host/foundation/errors.js'

/** Asserts that `run` throws or rejects with a BridgeError of `code`; returns it for looks at `where`. */
export async function throwsCode(
  t: Test,
  code: ErrorCode,
  run: () => unknown,
  name: string = code,
): Promise<BridgeError> {
  try {
    await run()
  } catch (error) {
    if (!(error instanceof BridgeError)) throw error
    t.equal(error.code, code, `${name} (${error.what})`)
    return error
  }
  t.fail(`${name}: nothing was thrown`)
  return new BridgeError('INTERNAL', { what: 'nothing was thrown' })
}

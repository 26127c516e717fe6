import { STATUS, type StatusName, statusName, statusText } from '../../protocol/index.js'
import { BridgeError, isBridgeError } from '../foundation/errors.js'

/** The board's refusal as LINK_REFUSED; `where.status` holds the status name, or the number when it is unknown. */
export function refusedError(message: string, port: string, status: number): BridgeError {
  const name = statusName(status)
  return new BridgeError('LINK_REFUSED', {
    what: `the board refused ${message}: ${statusText(status)}`,
    where: { port, message, status: name ?? status },
    fix: name ? STATUS[name].doc : 'Update the host: the firmware is newer.',
  })
}

/** Status name of a LINK_REFUSED error, undefined for any other. */
export function refusedStatus(error: unknown): StatusName | undefined {
  if (!isBridgeError(error, 'LINK_REFUSED')) return undefined
  const name = error.where.status
  return typeof name === 'string' && name in STATUS ? (name as StatusName) : undefined // just checked
}

/** LINK_TIMEOUT that says how often and how long was waited. */
export function timeoutError(message: string, port: string, tries: number, ms: number): BridgeError {
  return new BridgeError('LINK_TIMEOUT', {
    what: `no answer to ${message} after ${tries} tries in ${Math.round(ms)} ms`,
    where: { port, message },
    fix: 'Check that the board runs the shim and that no other program uses the port; flash it or reset it otherwise.',
  })
}

/** LINK_LOST with the reason. */
export function lostError(port: string, why: string, cause?: unknown): BridgeError {
  return new BridgeError('LINK_LOST', {
    what: `the session with the board was lost: ${why}`,
    where: { port },
    fix: 'Check cable and power of the board, then open the session again.',
    cause,
  })
}

/** CANCELLED with the signal's reason; a BridgeError given as reason stays as it is. */
export function cancelledError(message: string, reason: unknown): BridgeError {
  if (reason instanceof BridgeError) return reason
  return new BridgeError('CANCELLED', { what: `${message} was cancelled`, cause: reason })
}

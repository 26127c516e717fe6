import { timingSafeEqual } from 'node:crypto'
import { isIP } from 'node:net'
import type { FastifyInstance } from 'fastify'
import { BridgeError } from '../../foundation/errors.js'

/** Who may talk to the daemon. */
export interface GuardOptions {
  /** The address it listens on. */
  readonly host: string
  /** Required beyond loopback (`K210_BRIDGE_TOKEN`). */
  readonly token?: string
}

const LOOPBACK = new Set(['127.0.0.1', '::1', 'localhost'])

/** True for addresses that only this machine reaches. */
export const isLoopback = (host: string): boolean => LOOPBACK.has(host)

const hostName = (header: string): string => header.replace(/:\d+$/, '').replace(/^\[|\]$/g, '')

function sameText(a: string, b: string): boolean {
  const left = Buffer.from(a)
  const right = Buffer.from(b)
  return left.length === right.length && timingSafeEqual(left, right)
}

/**
 * Checks the Host header (a page on another site must not reach us by DNS rebinding) and, beyond loopback, the token
 * (`Authorization: Bearer ...`, or `?token=` for event streams, which cannot set headers).
 */
export function registerGuard(app: FastifyInstance, options: GuardOptions): void {
  app.addHook('onRequest', async (request) => {
    const name = hostName(request.headers.host ?? '')
    const allowed = LOOPBACK.has(name) || name === options.host || (!isLoopback(options.host) && isIP(name) !== 0)
    if (!allowed) {
      throw new BridgeError('HTTP_HOST', {
        what: 'the Host header names another server',
        where: { host: name },
        fix: `Use http://${options.host} in the address.`,
      })
    }
    if (options.token === undefined) return
    const bearer =
      request.headers.authorization?.replace(/^Bearer /i, '') ?? (request.query as { token?: string }).token ?? ''
    if (!sameText(bearer, options.token)) {
      throw new BridgeError('HTTP_TOKEN', {
        what: 'a token is required',
        fix: 'Send Authorization: Bearer with the value of K210_BRIDGE_TOKEN.',
      })
    }
  })
}

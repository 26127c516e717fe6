import { timingSafeEqual } from 'node:crypto'
import { isIP } from 'node:net'
import { hostname } from 'node:os'
import type { FastifyInstance, FastifyRequest } from 'fastify'
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

const hostName = (header: string): string =>
  header
    .toLowerCase()
    .replace(/:\d+$/, '')
    .replace(/^\[|\]$/g, '')

/** Browsers send `Origin` with every request that changes something; another port of this machine is ours to trust. */
function isSameSite(origin: string, host: string): boolean {
  try {
    const name = hostName(new URL(origin).host)
    return name === host || (LOOPBACK.has(name) && LOOPBACK.has(host))
  } catch {
    return false
  }
}

function sameText(a: string, b: string): boolean {
  const left = Buffer.from(a)
  const right = Buffer.from(b)
  return left.length === right.length && timingSafeEqual(left, right)
}

const COOKIE = 'k210_bridge_token'

/** Names under which the machine itself is reached. */
function isAllowedHost(name: string, listening: string): boolean {
  if (LOOPBACK.has(name) || name === listening) return true
  if (isLoopback(listening)) return false
  const machine = hostname().toLowerCase()
  return isIP(name) !== 0 || name === machine || name === `${machine}.local`
}

/** The page may be asked for with `?token=`; a cookie carries it on to its script, pictures and event streams. */
function givenToken(request: FastifyRequest): { token: string; byQuery: boolean } {
  const { authorization, cookie = '' } = request.headers
  if (authorization) return { token: authorization.replace(/^Bearer /i, ''), byQuery: false }
  const { token } = request.query as { token?: string | string[] }
  if (typeof token === 'string') return { token, byQuery: true }
  const kept = cookie.split(/; */).find((part) => part.startsWith(`${COOKIE}=`))
  return { token: decodeURIComponent(kept?.slice(COOKIE.length + 1) ?? ''), byQuery: false }
}

/**
 * Checks the Host header (a page on another site must not reach us by DNS rebinding), the Origin header (nor send
 * requests to us) and, beyond loopback, the token: `Authorization: Bearer ...`, `?token=` or the cookie that this sets.
 */
export function registerGuard(app: FastifyInstance, options: GuardOptions): void {
  app.addHook('onRequest', async (request, reply) => {
    const name = hostName(request.headers.host ?? '')
    if (!isAllowedHost(name, options.host)) {
      throw new BridgeError('HTTP_HOST', {
        what: 'the Host header names another server',
        where: { host: name },
        fix: `Use http://${options.host} in the address.`,
      })
    }
    const { origin } = request.headers
    if (origin !== undefined && !isSameSite(origin, name)) {
      throw new BridgeError('HTTP_HOST', {
        what: 'the request comes from a page of another site',
        where: { origin },
        fix: 'Use the page that this daemon serves.',
      })
    }
    if (options.token === undefined) return
    const { token, byQuery } = givenToken(request)
    if (!sameText(token, options.token)) {
      throw new BridgeError('HTTP_TOKEN', {
        what: 'a token is required',
        fix: 'Send Authorization: Bearer with the value of K210_BRIDGE_TOKEN, or open the page with ?token=.',
      })
    }
    if (byQuery) reply.header('set-cookie', `${COOKIE}=${encodeURIComponent(token)}; HttpOnly; SameSite=Strict; Path=/`)
  })
}

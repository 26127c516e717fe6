import type { FastifyError, FastifyInstance, FastifyReply } from 'fastify'
import { asBridgeError, BridgeError, isBridgeError } from '../../foundation/errors.js'

/** The field that breaks the schema, for example `body/items/0/artifact`. */
function invalidField(error: FastifyError | Error): { field?: string } {
  if (!('validation' in error) || !error.validation) return {}
  const { instancePath = '', params } = error.validation[0] ?? {}
  const missing = (params as { requiredProperties?: string[] } | undefined)?.requiredProperties?.[0]
  return { field: `${error.validationContext ?? ''}${instancePath}${missing === undefined ? '' : `/${missing}`}` }
}

function toBridgeError(error: FastifyError | Error): BridgeError {
  if (isBridgeError(error)) return error
  const status = 'statusCode' in error ? error.statusCode : undefined
  if (status === 413)
    return new BridgeError('HTTP_TOO_LARGE', { what: 'the upload is larger than allowed', cause: error })
  if (status !== undefined && status < 500) {
    return new BridgeError('HTTP_INVALID', {
      what: error.message,
      where: invalidField(error),
      fix: 'See /docs for the shape of this request.',
      cause: error,
    })
  }
  return asBridgeError(error)
}

/** Sends an error as application/problem+json (RFC 9457) with our code, what, where and fix. */
export function sendProblem(reply: FastifyReply, error: BridgeError): FastifyReply {
  return reply
    .code(error.status)
    .header('content-type', 'application/problem+json')
    .send(
      JSON.stringify({
        type: `urn:k210-bridge:${error.code}`,
        title: error.what,
        status: error.status,
        ...error.toJSON(),
      }),
    )
}

/** Every error of every route leaves as application/problem+json. */
export function registerProblems(app: FastifyInstance): void {
  app.setErrorHandler((error: FastifyError | Error, request, reply) => {
    const problem = toBridgeError(error)
    if (problem.status >= 500) request.log.warn({ err: error, url: request.url }, problem.what)
    return sendProblem(reply, problem)
  })
  app.setNotFoundHandler((request, reply) =>
    sendProblem(
      reply,
      new BridgeError('NOT_FOUND', {
        what: `there is no ${request.method} ${request.url}`,
        fix: 'See /docs for all paths.',
      }),
    ),
  )
}

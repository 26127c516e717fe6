import { existsSync } from 'node:fs'
import multipart from '@fastify/multipart'
import fastifyStatic from '@fastify/static'
import swagger from '@fastify/swagger'
import swaggerUi from '@fastify/swagger-ui'
import { type TypeBoxTypeProvider, TypeBoxValidatorCompiler } from '@fastify/type-provider-typebox'
import Fastify, { type FastifyBaseLogger, type FastifyInstance, LogController } from 'fastify'
import { BridgeError } from '../foundation/errors.js'
import { packageFile } from '../foundation/paths.js'
import { type GuardOptions, isLoopback, registerGuard } from './plugins/guard.js'
import { registerProblems } from './plugins/problem.js'
import { artifactRoutes } from './routes/artifacts.js'
import { boardStreamRoutes } from './routes/board-stream.js'
import { boardRoutes } from './routes/boards.js'
import { compileRoutes } from './routes/compile.js'
import { jobRoutes } from './routes/jobs.js'
import { systemRoutes } from './routes/system.js'
import { HTTP_LIMITS, type Services } from './services.js'

/** Builds the daemon's HTTP application; nothing listens yet. */
export async function createApp(services: Services, guard: GuardOptions): Promise<FastifyInstance> {
  const app = Fastify({
    loggerInstance: services.logger as FastifyBaseLogger,
    logController: new LogController({ disableRequestLogging: true }),
    bodyLimit: HTTP_LIMITS.jsonBytes,
    forceCloseConnections: true,
  })
  app.setValidatorCompiler(TypeBoxValidatorCompiler)
  app.withTypeProvider<TypeBoxTypeProvider>()
  registerProblems(app)
  registerGuard(app, guard)
  // Anything that is neither JSON nor multipart is a file: it goes on as a stream.
  app.addContentTypeParser('*', { bodyLimit: HTTP_LIMITS.uploadBytes }, (_request, payload, done) =>
    done(null, payload),
  )
  await app.register(multipart, { limits: { fileSize: HTTP_LIMITS.uploadBytes, files: 1 } })
  await app.register(swagger, {
    openapi: {
      info: {
        title: 'K210 bridge',
        version: services.version,
        description: 'Boards, models, jobs and live results of one lab PC.',
      },
      servers: [{ url: '/' }],
    },
  })
  await app.register(swaggerUi, { routePrefix: '/docs' })
  app.get('/openapi.json', { schema: { hide: true } }, async () => app.swagger())
  const routes = [systemRoutes, boardRoutes, boardStreamRoutes, artifactRoutes, compileRoutes, jobRoutes]
  for (const route of routes) await app.register(route(services), { prefix: '/api/v1' })
  await registerPage(app)
  return app
}

async function registerPage(app: FastifyInstance): Promise<void> {
  const root = packageFile('dist', 'host', 'web', 'static')
  if (existsSync(root)) await app.register(fastifyStatic, { root })
}

/** Splits `HOST:PORT`, `:PORT` or `PORT`. @throws BridgeError `USAGE` */
export function parseListen(listen: string): { host: string; port: number } {
  const match = /^(?:(\[[^\]]+\]|[^:]*):)?(\d{1,5})$/.exec(listen)
  const port = Number(match?.[2])
  if (!match || port > 65_535)
    throw new BridgeError('USAGE', {
      what: `--listen ${listen} is not HOST:PORT`,
      fix: 'For example --listen 127.0.0.1:2100.',
    })
  return { host: match[1]?.replace(/^\[|\]$/g, '') || '127.0.0.1', port }
}

/** Starts listening. Beyond loopback `K210_BRIDGE_TOKEN` must be set. @returns the page's URL */
export async function listen(
  services: Services,
  address: string,
  token = process.env.K210_BRIDGE_TOKEN,
): Promise<{ app: FastifyInstance; url: string }> {
  const { host, port } = parseListen(address)
  if (!isLoopback(host) && !token) {
    throw new BridgeError('HTTP_TOKEN', {
      what: `listening on ${host} needs a token`,
      fix: 'Set K210_BRIDGE_TOKEN, or listen on 127.0.0.1.',
    })
  }
  const app = await createApp(services, { host, token: isLoopback(host) ? undefined : token })
  try {
    await app.listen({ host, port })
  } catch (error) {
    const busy = (error as NodeJS.ErrnoException).code === 'EADDRINUSE'
    await app.close()
    throw new BridgeError('CONFLICT', {
      what: busy ? `another program listens on ${host}:${port}` : (error as Error).message,
      where: { address: `${host}:${port}` },
      fix: 'Choose another with --listen HOST:PORT.',
      cause: error,
    })
  }
  const bound = app.server.address()
  const actual = typeof bound === 'object' && bound ? bound.port : port
  return { app, url: `http://${host.includes(':') ? `[${host}]` : host}:${actual}/` }
}

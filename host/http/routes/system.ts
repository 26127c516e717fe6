import { type FastifyPluginAsyncTypebox, Type } from '@fastify/type-provider-typebox'
import type { Services } from '../services.js'

/** GET /health and /version. */
export const systemRoutes =
  ({ fleet, version }: Services): FastifyPluginAsyncTypebox =>
  async (app) => {
    app.get(
      '/health',
      {
        schema: {
          tags: ['system'],
          response: {
            200: Type.Object({
              status: Type.Literal('ok'),
              uptimeMs: Type.Number(),
              boards: Type.Number(),
              running: Type.Number(),
            }),
          },
        },
      },
      async () => ({
        status: 'ok' as const,
        uptimeMs: Math.round(process.uptime() * 1000),
        boards: fleet.list().length,
        running: fleet.list().filter((board) => board.view().state === 'running').length,
      }),
    )
    app.get(
      '/version',
      {
        schema: {
          tags: ['system'],
          response: { 200: Type.Object({ version: Type.String(), api: Type.String(), node: Type.String() }) },
        },
      },
      async () => ({ version, api: 'v1', node: process.version }),
    )
  }

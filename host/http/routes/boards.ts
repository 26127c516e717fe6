import { type FastifyPluginAsyncTypebox, Type } from '@fastify/type-provider-typebox'
import type { Device } from '../../device/device.js'
import { deployArtifact } from '../../jobs/deploy-job.js'
import { flashArtifacts } from '../../jobs/flash-job.js'
import { inferPicture } from '../../jobs/infer-job.js'
import { readUpload } from '../body.js'
import { Board, BoardConfig, BoardId, DeployRequest, Detection, FlashRequest, JobAnswer } from '../schemas.js'
import type { Services } from '../services.js'

const BoardAnswer = Type.Object({ board: Board })
const tags = ['boards']

/** /boards: list, open, close, reset, flash, models, config, infer. */
export const boardRoutes = (services: Services): FastifyPluginAsyncTypebox => {
  const { fleet, jobs, artifacts } = services
  const board = (request: { params: { id: string } }): Device => fleet.get(request.params.id)
  return async (app) => {
    app.get(
      '/boards',
      { schema: { tags, response: { 200: Type.Object({ boards: Type.Array(Board) }) } } },
      async () => ({
        boards: fleet.list().map((device) => device.view()),
      }),
    )
    app.post(
      '/boards',
      {
        schema: {
          tags,
          body: Type.Object({
            port: Type.String({ minLength: 1 }),
            id: Type.Optional(Type.String({ pattern: '^[\\w.-]{1,64}$' })),
          }),
          response: { 201: BoardAnswer },
        },
      },
      async (request, reply) =>
        reply.code(201).send({ board: (await fleet.add(request.body.port, request.body.id)).view() }),
    )
    app.get('/boards/:id', { schema: { tags, params: BoardId, response: { 200: BoardAnswer } } }, async (request) => ({
      board: board(request).view(),
    }))
    app.delete(
      '/boards/:id',
      { schema: { tags, params: BoardId, response: { 204: Type.Null() } } },
      async (request, reply) => {
        await fleet.remove(request.params.id)
        return reply.code(204).send(null)
      },
    )
    app.post(
      '/boards/:id/reset',
      {
        // No body is as good as an empty one.
        preValidation: async (request) => {
          request.body ??= {}
        },
        schema: {
          tags,
          params: BoardId,
          body: Type.Object({ target: Type.Optional(Type.Union([Type.Literal('firmware'), Type.Literal('rom')])) }),
          response: { 200: BoardAnswer },
        },
      },
      async (request) => {
        const device = board(request)
        await device.reset(request.body.target ?? 'firmware')
        return { board: device.view() }
      },
    )
    app.post(
      '/boards/:id/flash',
      { schema: { tags, params: BoardId, body: FlashRequest, response: { 202: JobAnswer } } },
      async (request, reply) => {
        const device = board(request)
        const { body } = request
        for (const { artifact } of body.items) artifacts.get(artifact)
        return reply
          .code(202)
          .send({ job: jobs.start('flash', (context) => flashArtifacts(artifacts, device, body, context)) })
      },
    )
    app.get('/boards/:id/models', { schema: { tags, params: BoardId } }, async (request) => ({
      models: board(request).view().models,
    }))
    app.post(
      '/boards/:id/models',
      { schema: { tags, params: BoardId, body: DeployRequest, response: { 202: JobAnswer } } },
      async (request, reply) => {
        const device = board(request)
        const { body } = request
        artifacts.get(body.artifact)
        if (body.card !== undefined) artifacts.get(body.card)
        return reply
          .code(202)
          .send({ job: jobs.start('deploy', (context) => deployArtifact(artifacts, device, body, context)) })
      },
    )
    app.get('/boards/:id/config', { schema: { tags, params: BoardId } }, async (request) => ({
      config: board(request).config,
    }))
    app.put('/boards/:id/config', { schema: { tags, params: BoardId, body: BoardConfig } }, async (request) => ({
      config: await board(request).configure(request.body),
    }))
    app.post(
      '/boards/:id/infer',
      {
        schema: {
          tags,
          params: BoardId,
          querystring: Type.Object({ slot: Type.Optional(Type.Integer({ minimum: 0, maximum: 3 })) }),
          consumes: ['application/octet-stream', 'multipart/form-data', 'image/jpeg', 'image/png'],
          response: {
            200: Type.Object(
              { detections: Type.Array(Detection), width: Type.Number(), height: Type.Number() },
              { additionalProperties: true },
            ),
          },
        },
      },
      async (request) => {
        const device = board(request)
        const { bytes, type } = await readUpload(request, 'image')
        const mayBeTensor = type === 'application/octet-stream'
        return inferPicture(device, bytes, { slot: request.query.slot ?? 0, mayBeTensor })
      },
    )
  }
}

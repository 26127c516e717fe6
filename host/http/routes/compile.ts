import type { FastifyPluginAsyncTypebox } from '@fastify/type-provider-typebox'
import { compileArtifact } from '../../jobs/compile-job.js'
import { CompileRequest, JobAnswer } from '../schemas.js'
import type { Services } from '../services.js'

/** POST /compile: model artifact to kmodel and card artifacts. */
export const compileRoutes =
  ({ artifacts, jobs }: Services): FastifyPluginAsyncTypebox =>
  async (app) => {
    app.post(
      '/compile',
      { schema: { tags: ['compile'], body: CompileRequest, response: { 202: JobAnswer } } },
      async (request, reply) => {
        const { model, card, calibration } = request.body
        const pictures = Array.isArray(calibration) ? calibration : []
        for (const sha256 of [model, ...(card === undefined ? [] : [card]), ...pictures]) artifacts.get(sha256)
        return reply
          .code(202)
          .send({ job: jobs.start('compile', (context) => compileArtifact(artifacts, request.body, context)) })
      },
    )
  }

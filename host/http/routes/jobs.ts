import { type FastifyPluginAsyncTypebox, Type } from '@fastify/type-provider-typebox'
import { isFinal } from '../../jobs/job-manager.js'
import { EventStream } from '../event-stream.js'
import { BoardId, Job, JobAnswer } from '../schemas.js'
import type { Services } from '../services.js'

/** /jobs: state, result, progress by server-sent events, cancel. */
export const jobRoutes =
  ({ jobs }: Services): FastifyPluginAsyncTypebox =>
  async (app) => {
    app.get(
      '/jobs',
      { schema: { tags: ['jobs'], response: { 200: Type.Object({ jobs: Type.Array(Job) }) } } },
      async () => ({ jobs: jobs.list() }),
    )
    app.get(
      '/jobs/:id',
      { schema: { tags: ['jobs'], params: BoardId, response: { 200: JobAnswer } } },
      async (request) => ({ job: jobs.get(request.params.id) }),
    )
    app.delete(
      '/jobs/:id',
      { schema: { tags: ['jobs'], params: BoardId, response: { 202: JobAnswer } } },
      async (request, reply) => reply.code(202).send({ job: jobs.cancel(request.params.id) }),
    )
    app.get(
      '/jobs/:id/events',
      { schema: { tags: ['jobs'], params: BoardId, produces: ['text/event-stream'] } },
      (request, reply) => {
        const { id } = request.params
        const job = jobs.get(id)
        const unsubscribe = jobs.subscribe((changed) => {
          if (changed.id !== id) return
          stream.send('job', changed)
          if (isFinal(changed)) stream.end()
        })
        const stream = new EventStream(reply, unsubscribe)
        stream.send('job', job)
        if (isFinal(job)) stream.end()
      },
    )
  }

import { type FastifyPluginAsyncTypebox, Type } from '@fastify/type-provider-typebox'
import type { PictureEvent } from '../../device/events.js'
import { EventStream } from '../event-stream.js'
import { BoardId } from '../schemas.js'
import { HTTP_LIMITS, type Services } from '../services.js'

const BOUNDARY = 'k210-frame'
const tags = ['stream']

const pictureHeaders = (picture: PictureEvent) => ({
  'content-type': 'image/jpeg',
  'content-length': picture.jpeg.length,
  'x-frame-id': picture.frameId,
  'x-device-time-us': picture.captureUs,
})

const partHead = (picture: PictureEvent): string =>
  `--${BOUNDARY}\r\n${Object.entries(pictureHeaders(picture))
    .map(([key, value]) => `${key === 'x-frame-id' ? 'X-Frame-Id' : key}: ${value}\r\n`)
    .join('')}\r\n`

/** What a board sends, as it comes: events, single pictures and a picture stream. */
export const boardStreamRoutes =
  ({ fleet }: Services): FastifyPluginAsyncTypebox =>
  async (app) => {
    app.get(
      '/boards/:id/events',
      { schema: { tags, params: BoardId, produces: ['text/event-stream'] } },
      (request, reply) => {
        const device = fleet.get(request.params.id)
        const stops = (['result', 'board', 'log'] as const).map((event) =>
          device.on(event, (data) => stream.send(event, data)),
        )
        const stream = new EventStream(reply, () => {
          for (const stop of stops) stop()
        })
        stream.send('board', device.view())
        for (const entry of device.recentLog()) stream.sendAll('log', entry)
      },
    )

    app.get(
      '/boards/:id/snapshot.jpg',
      {
        schema: {
          tags,
          params: BoardId,
          querystring: Type.Object({
            after: Type.Optional(
              Type.Integer({ minimum: -1, description: 'waits for a picture newer than this frame id' }),
            ),
          }),
          produces: ['image/jpeg'],
        },
      },
      async (request, reply) => {
        const device = fleet.get(request.params.id)
        const abort = new AbortController()
        reply.raw.once('close', () => abort.abort())
        const picture = await device.nextPicture(request.query.after ?? -1, HTTP_LIMITS.snapshotWaitMs, abort.signal)
        if (!picture) return reply.code(204).send()
        return reply
          .headers({ ...pictureHeaders(picture), 'cache-control': 'no-store' })
          .send(Buffer.from(picture.jpeg.buffer, picture.jpeg.byteOffset, picture.jpeg.byteLength))
      },
    )

    app.get(
      '/boards/:id/stream.mjpeg',
      { schema: { tags, params: BoardId, produces: ['multipart/x-mixed-replace'] } },
      (request, reply) => {
        const device = fleet.get(request.params.id)
        reply.hijack()
        reply.raw.writeHead(200, {
          'content-type': `multipart/x-mixed-replace; boundary=${BOUNDARY}`,
          'cache-control': 'no-store',
        })
        // A slow reader skips pictures: while the socket is full nothing is queued.
        let blocked = false
        reply.raw.on('drain', () => {
          blocked = false
        })
        const stop = device.on('picture', (picture) => {
          if (blocked) return
          reply.raw.write(partHead(picture))
          blocked = !reply.raw.write(Buffer.concat([picture.jpeg, Buffer.from('\r\n')]))
        })
        reply.raw.once('close', stop)
      },
    )
  }

import { type FastifyPluginAsyncTypebox, Type } from '@fastify/type-provider-typebox'
import { uploadedFile } from '../body.js'
import { Artifact, Sha256 } from '../schemas.js'
import { HTTP_LIMITS, type Services } from '../services.js'

/** /artifacts: uploads are streamed to disk under their SHA-256. */
export const artifactRoutes =
  ({ artifacts }: Services): FastifyPluginAsyncTypebox =>
  async (app) => {
    // An upload is a file whatever its type: a card is stored byte for byte, not parsed.
    app.removeContentTypeParser(['application/json', 'text/plain'])
    app.post(
      '/artifacts',
      {
        schema: {
          tags: ['artifacts'],
          consumes: ['application/octet-stream', 'multipart/form-data'],
          response: { 201: Type.Object({ artifact: Artifact }) },
        },
      },
      async (request, reply) => {
        const { stream, name } = await uploadedFile(request)
        const artifact = await artifacts.add(stream, name, HTTP_LIMITS.uploadBytes)
        return reply.code(201).send({ artifact })
      },
    )
    app.get(
      '/artifacts',
      { schema: { tags: ['artifacts'], response: { 200: Type.Object({ artifacts: Type.Array(Artifact) }) } } },
      async () => ({
        artifacts: artifacts.list(),
      }),
    )
    app.get(
      '/artifacts/:sha256',
      { schema: { tags: ['artifacts'], params: Type.Object({ sha256: Sha256 }) } },
      async (request, reply) => {
        const artifact = artifacts.get(request.params.sha256)
        return reply
          .header('content-type', 'application/octet-stream')
          .header('content-length', artifact.bytes)
          .header('content-disposition', `attachment; filename="${artifact.name.replace(/[^\w.-]/g, '_')}"`)
          .send(artifacts.stream(artifact.sha256))
      },
    )
  }

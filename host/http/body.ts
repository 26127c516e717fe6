import type { Readable } from 'node:stream'
import type { FastifyRequest } from 'fastify'
import { BridgeError } from '../foundation/errors.js'
import { HTTP_LIMITS } from './services.js'

/** An upload: what it contains and what the client calls it. */
export interface Upload {
  readonly stream: Readable
  readonly name: string
}

/** Body of an upload: one multipart file field, or the raw body with `?name=` or a content-disposition file name. */
export async function uploadedFile(request: FastifyRequest, field = 'file'): Promise<Upload> {
  if (request.isMultipart()) {
    const part = await request.file()
    if (!part || part.fieldname !== field) {
      throw new BridgeError('HTTP_INVALID', {
        what: `the form has no file field \`${field}\``,
        fix: `Send it as multipart field ${field}.`,
      })
    }
    return { stream: part.file, name: part.filename || field }
  }
  const stream = request.body as Readable | undefined
  if (!stream)
    throw new BridgeError('HTTP_INVALID', {
      what: 'the request has no body',
      fix: 'Send the file as the raw body or as multipart.',
    })
  const query = request.query as { name?: string }
  const disposition = /filename="?([^";]+)"?/.exec(request.headers['content-disposition'] ?? '')?.[1]
  return { stream, name: query.name ?? disposition ?? 'upload' }
}

/** The whole upload in memory, bounded by the upload limit. */
export async function readUpload(request: FastifyRequest, field: string): Promise<Uint8Array> {
  const { stream, name } = await uploadedFile(request, field)
  const chunks: Buffer[] = []
  let bytes = 0
  for await (const chunk of stream) {
    bytes += (chunk as Buffer).length
    if (bytes > HTTP_LIMITS.uploadBytes)
      throw new BridgeError('HTTP_TOO_LARGE', { what: 'the upload is larger than allowed', where: { file: name } })
    chunks.push(chunk as Buffer)
  }
  return new Uint8Array(Buffer.concat(chunks))
}

import { Readable } from 'node:stream'
import type { FastifyRequest } from 'fastify'
import { BridgeError } from '../foundation/errors.js'
import { HTTP_LIMITS } from './services.js'

/** An upload: what it contains and what the client calls it. */
export interface Upload {
  readonly stream: Readable
  readonly name: string
  /** Media type without parameters; of the part where it is multipart. */
  readonly type: string
}

const mediaType = (header = ''): string => header.split(';')[0]!.trim().toLowerCase()

const tooLarge = (name: string) =>
  new BridgeError('HTTP_TOO_LARGE', {
    what: `the upload is larger than ${HTTP_LIMITS.uploadBytes} bytes`,
    where: { file: name },
    fix: 'Send a smaller file.',
  })

/** Body of an upload: one multipart file field, or the raw body with `?name=` or a content-disposition file name. */
export async function uploadedFile(request: FastifyRequest, field = 'file'): Promise<Upload> {
  if (request.isMultipart()) return multipartFile(request, field)
  const stream = request.body
  if (!(stream instanceof Readable))
    throw new BridgeError('HTTP_INVALID', {
      what: 'the request has no body that is a file',
      fix: `Send the file as the raw body, with a content type of its own, or as multipart field ${field}.`,
    })
  const query = request.query as { name?: string }
  const disposition = /filename="?([^";]+)"?/.exec(request.headers['content-disposition'] ?? '')?.[1]
  return { stream, name: query.name ?? disposition ?? 'upload', type: mediaType(request.headers['content-type']) }
}

async function multipartFile(request: FastifyRequest, field: string): Promise<Upload> {
  for await (const part of request.files()) {
    const { file, filename, fieldname, mimetype } = part
    if (fieldname !== field) {
      file.resume()
      continue
    }
    const name = filename || field
    return { stream: Readable.from(whole(file, name)), name, type: mediaType(mimetype) }
  }
  throw new BridgeError('HTTP_INVALID', {
    what: `the form has no file field \`${field}\``,
    where: { field },
    fix: `Send it as multipart field ${field}.`,
  })
}

/** The parser ends a part at its limit as if that were its end. */
async function* whole(file: Readable & { readonly truncated: boolean }, name: string): AsyncGenerator<Buffer> {
  yield* file as AsyncIterable<Buffer>
  if (file.truncated) throw tooLarge(name)
}

/** The whole upload in memory, bounded by the upload limit. */
export async function readUpload(
  request: FastifyRequest,
  field: string,
): Promise<{ readonly bytes: Uint8Array; readonly type: string }> {
  const { stream, name, type } = await uploadedFile(request, field)
  const chunks: Buffer[] = []
  let length = 0
  for await (const chunk of stream as AsyncIterable<Buffer>) {
    length += chunk.length
    if (length > HTTP_LIMITS.uploadBytes) throw tooLarge(name)
    chunks.push(chunk)
  }
  if (length === 0) throw new BridgeError('HTTP_INVALID', { what: 'the upload is empty', where: { file: name } })
  return { bytes: new Uint8Array(Buffer.concat(chunks)), type }
}

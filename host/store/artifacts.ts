import { createHash, randomBytes } from 'node:crypto'
import { createReadStream, createWriteStream } from 'node:fs'
import { mkdir, readdir, rename, rm } from 'node:fs/promises'
import { join } from 'node:path'
import type { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { asBridgeError, BridgeError } from '../foundation/errors.js'
import { readFileBytes } from '../foundation/files.js'
import type { Db } from './database.js'

/** What a stored file is, told from its first bytes. */
export type ArtifactKind = 'kmodel' | 'kfpkg' | 'firmware' | 'picture' | 'card' | 'model' | 'other'

/** One stored file, named by its content. */
export interface Artifact {
  readonly sha256: string
  readonly bytes: number
  readonly kind: ArtifactKind
  readonly name: string
}

const startsWith = (bytes: Uint8Array, ...head: number[]) => head.every((byte, i) => bytes[i] === byte)

/** Tells the kind of a file from its first bytes and, where they do not tell, from its name. */
export function artifactKind(head: Uint8Array, name: string): ArtifactKind {
  if (startsWith(head, 0x4c, 0x44, 0x4d, 0x4b) || startsWith(head, 3, 0, 0, 0)) return 'kmodel'
  if (startsWith(head, 0x50, 0x4b, 3, 4)) return 'kfpkg'
  if (startsWith(head, 0xff, 0xd8, 0xff) || startsWith(head, 0x89, 0x50, 0x4e, 0x47)) return 'picture'
  if (/\.(onnx|tflite|cfg|weights)$/i.test(name)) return 'model'
  if (/\.json$/i.test(name)) return 'card'
  if (/\.(bin|img)$/i.test(name)) return 'firmware'
  return 'other'
}

/** Ending of a file that is not complete yet. */
const REST = '.tmp'

/** Content-addressed files on disk with their rows in the database. */
export class ArtifactStore {
  constructor(
    private readonly db: Db,
    private readonly folder: string,
  ) {}

  /**
   * Streams bytes to disk under their SHA-256; the file appears only when it is complete.
   * @param maxBytes - @throws BridgeError `HTTP_TOO_LARGE` beyond it
   */
  async add(source: Readable, name: string, maxBytes = Number.MAX_SAFE_INTEGER): Promise<Artifact> {
    await mkdir(this.folder, { recursive: true })
    const temporary = join(this.folder, `${randomBytes(8).toString('hex')}${REST}`)
    const hash = createHash('sha256')
    let bytes = 0
    let head = Buffer.alloc(0)
    try {
      await pipeline(
        source,
        async function* (chunks: AsyncIterable<Buffer>) {
          for await (const chunk of chunks) {
            bytes += chunk.length
            if (bytes > maxBytes)
              throw new BridgeError('HTTP_TOO_LARGE', {
                what: `the upload is larger than ${maxBytes} bytes`,
                where: { file: name },
              })
            hash.update(chunk)
            if (head.length < 16) head = Buffer.concat([head, chunk.subarray(0, 16)])
            yield chunk
          }
        },
        createWriteStream(temporary),
      )
      const sha256 = hash.digest('hex')
      await rename(temporary, this.path(sha256))
      return this.record({ sha256, bytes, kind: artifactKind(head, name), name })
    } catch (error) {
      await rm(temporary, { force: true })
      throw asBridgeError(error, 'FILE_WRITE', {
        where: { file: name },
        fix: 'Check the free space of the data folder.',
      })
    }
  }

  /** Deletes what an earlier process left half written. To be called before the first `add`. */
  async clearRests(): Promise<void> {
    const names = await readdir(this.folder).catch(() => [])
    await Promise.all(names.filter((name) => name.endsWith(REST)).map((name) => rm(join(this.folder, name))))
  }

  /** @throws BridgeError `NOT_FOUND` */
  get(sha256: string): Artifact {
    const row = this.db.prepare('SELECT sha256, bytes, kind, name FROM artifacts WHERE sha256 = ?').get(sha256) as
      | Artifact
      | undefined
    if (!row)
      throw new BridgeError('NOT_FOUND', {
        what: 'no artifact has this hash',
        where: { sha256 },
        fix: 'Upload it first: POST /api/v1/artifacts.',
      })
    return { sha256: row.sha256, bytes: row.bytes, kind: row.kind, name: row.name }
  }

  list(): Artifact[] {
    return this.db
      .prepare('SELECT sha256, bytes, kind, name FROM artifacts ORDER BY created_ms DESC')
      .all() as Artifact[]
  }

  async read(sha256: string): Promise<Uint8Array> {
    return readFileBytes(this.path(this.get(sha256).sha256))
  }

  stream(sha256: string): Readable {
    return createReadStream(this.path(this.get(sha256).sha256))
  }

  private path(sha256: string): string {
    return join(this.folder, sha256)
  }

  private record(artifact: Artifact): Artifact {
    this.db
      .prepare(
        'INSERT INTO artifacts (sha256, bytes, kind, name, created_ms) VALUES (?, ?, ?, ?, ?) ON CONFLICT (sha256) DO UPDATE SET name = excluded.name',
      )
      .run(artifact.sha256, artifact.bytes, artifact.kind, artifact.name, Date.now())
    return artifact
  }
}

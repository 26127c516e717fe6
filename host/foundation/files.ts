import { randomBytes } from 'node:crypto'
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { dirname } from 'node:path'
import { asBridgeError } from './errors.js'

/** Writes to a temporary name beside `path`, then renames: a reader never sees half a file. */
export async function writeFileAtomic(path: string, data: Uint8Array | string): Promise<void> {
  const temporary = `${path}.${randomBytes(4).toString('hex')}.tmp`
  try {
    await mkdir(dirname(path), { recursive: true })
    await writeFile(temporary, data)
    await rename(temporary, path)
  } catch (error) {
    await rm(temporary, { force: true }).catch(() => undefined) // where the folder is none, there is no file either
    throw asBridgeError(error, 'FILE_WRITE', {
      where: { file: path },
      fix: 'Check the folder, its permissions and the free space.',
    })
  }
}

/** Reads a whole file. @throws BridgeError `FILE_READ` with the path */
export async function readFileBytes(path: string): Promise<Uint8Array> {
  try {
    return new Uint8Array(await readFile(path))
  } catch (error) {
    throw asBridgeError(error, 'FILE_READ', { where: { file: path }, fix: 'Check the path and its permissions.' })
  }
}

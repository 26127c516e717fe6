import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { BridgeError } from '../foundation/errors.js'
import { readFileBytes } from '../foundation/files.js'
import { sha256Hex } from '../foundation/sha256.js'

/** One file that an npm package ships. */
export interface PackagedFile {
  /** Path inside the package. */
  readonly path: string
  readonly bytes: number
  /** Lower-case hex of the whole file. */
  readonly sha256: string
}

const require = createRequire(import.meta.url)

/** Folder of an installed package. @throws BridgeError `NOT_FOUND` when it is not installed */
export function packageFolder(packageName: string): string {
  try {
    return dirname(require.resolve(`${packageName}/package.json`))
  } catch (error) {
    throw new BridgeError('NOT_FOUND', {
      what: `the npm package ${packageName} is not installed`,
      where: { package: packageName },
      fix: 'Run npm ci in the checkout.',
      cause: error,
    })
  }
}

/** Absolute path of a packaged file. @throws BridgeError `NOT_FOUND` when the package is not installed */
export function packagedFilePath(packageName: string, file: Pick<PackagedFile, 'path'>): string {
  return join(packageFolder(packageName), file.path)
}

/**
 * Reads a packaged file and checks that it is the one in the catalogue.
 * @throws BridgeError `NOT_FOUND`, `FILE_READ`, or `FILE_FORMAT` when the SHA-256 differs
 */
export async function readPackagedFile(packageName: string, file: PackagedFile): Promise<Uint8Array> {
  const path = packagedFilePath(packageName, file)
  const bytes = await readFileBytes(path)
  const sha256 = sha256Hex(bytes)
  if (sha256 !== file.sha256) {
    throw new BridgeError('FILE_FORMAT', {
      what: `the file is not the one in the catalogue: SHA-256 ${sha256}, not ${file.sha256}`,
      where: { file: path, package: packageName },
      fix: 'Install the version of the package that package-lock.json names (npm ci).',
    })
  }
  return bytes
}

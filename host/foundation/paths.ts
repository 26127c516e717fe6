import { existsSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

function findPackageRoot(): string {
  let folder = dirname(fileURLToPath(import.meta.url))
  while (!existsSync(join(folder, 'package.json'))) folder = dirname(folder)
  return folder
}

/** Folder of package.json: the same whether the code runs from source (tests) or from dist. */
export const packageRoot: string = findPackageRoot()

/** Absolute path of a file that ships with the package, relative to package.json. */
export function packageFile(...parts: string[]): string {
  return join(packageRoot, ...parts)
}

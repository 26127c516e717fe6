import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { packageRoot } from '../../host/foundation/paths.js'

/** Path below ../shared/data, or undefined where that folder is absent (then the test skips with a printed reason). */
export function sharedData(...parts: string[]): string | undefined {
  const path = join(packageRoot, '..', 'shared', 'data', ...parts)
  return existsSync(path) ? path : undefined
}

/** The reason that tests print when they skip. */
export const noSharedData = '../shared/data is absent'

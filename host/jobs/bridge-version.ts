import { readFileSync } from 'node:fs'
import { packageFile } from '../foundation/paths.js'

/** Version of this package, as `/version`, cards and `--version` say it. */
export const bridgeVersion: string = (
  JSON.parse(readFileSync(packageFile('package.json'), 'utf8')) as { version: string }
).version

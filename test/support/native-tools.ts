import { spawnSync } from 'node:child_process'
import { packageFile } from '../../host/foundation/paths.js'

/** What a native tool did. Sanitizer findings end in `stderr` and a status other than 0. */
export interface ToolRun {
  readonly status: number | null
  readonly json: unknown
  readonly stderr: string
}

/** The reason that tests print when they skip. */
export const noCompiler = 'gcc is absent'

let built: boolean | undefined

/** Builds the C core's test tools once a process (only what changed); false where there is no gcc. */
export function nativeToolsBuilt(): boolean {
  if (built === undefined) {
    built = spawnSync('gcc', ['--version']).status === 0
    if (built) {
      const build = spawnSync('bash', [packageFile('firmware-shim', 'build.sh'), 'native'], { encoding: 'utf8' })
      if (build.status !== 0) throw new Error(`firmware-shim/build.sh native failed:\n${build.stdout}${build.stderr}`)
    }
  }
  return built
}

/** Runs a tool of firmware-shim/build and reads its JSON. */
export function runTool(name: string, args: readonly (string | number)[]): ToolRun {
  const run = spawnSync(packageFile('firmware-shim', 'build', name), args.map(String), { encoding: 'utf8' })
  const json: unknown = run.stdout.startsWith('{') ? JSON.parse(run.stdout) : undefined
  return { status: run.status, json, stderr: run.stderr }
}

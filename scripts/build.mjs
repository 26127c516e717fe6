// Builds everything the product runs from: TypeScript to dist/, the live page's client to dist/host/web/static/.
import { spawnSync } from 'node:child_process'
import { cpSync, existsSync, mkdirSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { build } from 'esbuild'

const root = join(dirname(fileURLToPath(import.meta.url)), '..')
const compiler = join(dirname(createRequire(import.meta.url).resolve('typescript/package.json')), 'bin', 'tsc')

const compiled = spawnSync(process.execPath, [compiler, '-p', root], { stdio: 'inherit' })
if (compiled.status !== 0) process.exit(compiled.status ?? 1)

const client = join(root, 'host', 'web', 'client')
const target = join(root, 'dist', 'host', 'web', 'static')
if (existsSync(client)) {
  mkdirSync(target, { recursive: true })
  cpSync(join(root, 'host', 'web', 'static'), target, { recursive: true })
  await build({
    entryPoints: [join(client, 'main.ts')],
    bundle: true,
    format: 'esm',
    target: 'es2022',
    minify: true,
    sourcemap: false,
    outfile: join(target, 'app.js'),
    logLevel: 'warning',
  })
}

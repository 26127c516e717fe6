import { spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { packageFile } from '../../host/foundation/paths.js'

const shim = (...parts: string[]) => packageFile('firmware-shim', ...parts)
const hasCompiler = (name: string) => spawnSync(name, ['--version']).status === 0
const SOURCES = [
  ...['stub.c', 'stub_classic.c', 'stub_jobs.c', 'stub_extensions.c', 'stub_session.c'].map((name) =>
    shim('stub', name),
  ),
  ...[shim('src', 'crc32.c'), shim('src', 'sha256.c')],
]

t.test('flash stub: classic commands, extensions, windowed write and noise under the sanitizers', async (t) => {
  if (!hasCompiler('gcc')) return t.comment('skipped: gcc is absent')
  const program = join(t.testdir(), 'stub')
  const built = spawnSync('gcc', [
    ...['-std=c99', '-Wall', '-Wextra', '-Werror', '-g', '-O1', '-fsanitize=address,undefined'],
    ...['-fno-sanitize-recover=all', '-I', shim('include'), '-I', shim('generated'), '-I', shim('stub')],
    ...['-o', program, packageFile('test', 'firmware-shim', 'stub.c'), ...SOURCES],
  ])
  t.equal(built.status, 0, built.stderr.toString())
  const run = spawnSync(program)
  t.equal(run.status, 0, run.stdout.toString() + run.stderr.toString())
  t.match(run.stdout.toString(), /checks, 0 failures/)
})

t.test('flash stub: the WebAssembly build has the agreed imports and exports and stays small', async (t) => {
  const bytes = readFileSync(shim('prebuilt', 'stub.wasm'))
  const module = new WebAssembly.Module(bytes)
  const names = WebAssembly.Module.exports(module).map(({ name }) => name)
  t.same(names.sort(), ['boot', 'kpu_ram', 'memory', 'poll'])
  t.ok(WebAssembly.Module.imports(module).every(({ module: from, kind }) => from === 'k210b' && kind === 'function'))
  t.ok(bytes.length < 16 * 1024, `${bytes.length} bytes are loaded at 115200 baud before each flashing`)
})

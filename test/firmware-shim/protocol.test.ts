import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import t from 'tap'
import { packageFile } from '../../host/foundation/paths.js'

const shim = (...parts: string[]) => packageFile('firmware-shim', ...parts)
const hasCompiler = (name: string) => spawnSync(name, ['--version']).status === 0

t.test('C codec: agrees with the golden vectors under the sanitizers', async (t) => {
  if (!hasCompiler('gcc')) return t.comment('skipped: gcc is absent')
  const program = join(t.testdir(), 'protocol')
  const built = spawnSync('gcc', [
    ...['-std=c99', '-Wall', '-Wextra', '-Werror', '-g', '-O1', '-fsanitize=address,undefined'],
    ...['-fno-sanitize-recover=all', '-I', shim('include'), '-o', program],
    packageFile('test', 'firmware-shim', 'protocol.c'),
    ...[shim('generated', 'k210b_protocol.c'), shim('src', 'codec.c'), shim('src', 'crc32.c')],
  ])
  t.equal(built.status, 0, built.stderr.toString())
  const run = spawnSync(program)
  t.equal(run.status, 0, run.stdout.toString() + run.stderr.toString())
  t.match(run.stdout.toString(), /golden payloads, 0 failures/)
})

t.test('C codec: compiles freestanding for WebAssembly', async (t) => {
  if (!hasCompiler('clang')) return t.comment('skipped: clang is absent')
  for (const source of [shim('src', 'codec.c'), shim('generated', 'k210b_protocol.c')]) {
    const built = spawnSync('clang', [
      ...['--target=wasm32', '-std=c99', '-ffreestanding', '-nostdlib', '-O2', '-Wall', '-Wextra', '-Werror', '-c'],
      ...['-I', shim('include'), '-o', join(t.testdir(), 'out.o'), source],
    ])
    t.equal(built.status, 0, built.stderr.toString())
  }
})

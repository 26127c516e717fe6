import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { packageFile } from '../../host/foundation/paths.js'
import { noSharedData, sharedData } from '../support/shared-data.js'

const shim = (...parts: string[]) => packageFile('firmware-shim', ...parts)
const skip = spawnSync('gcc', ['--version']).status === 0 ? undefined : 'gcc is absent'
const SEED = Number(process.env.TEST_SEED ?? 1)

/** Builds test/firmware-shim/<name>.c against the sanitized core and runs it. */
function runNative(t: Test, name: string, args: readonly string[]): string {
  const core = spawnSync('bash', [shim('build.sh'), 'native'], { encoding: 'utf8' })
  t.equal(core.status, 0, core.stderr)
  const program = join(t.testdir(), name)
  const double = ['host_double.c', 'sender.c', `${name}.c`].map((file) => packageFile('test', 'firmware-shim', file))
  const built = spawnSync(
    'gcc',
    [
      ...['-std=c99', '-D_POSIX_C_SOURCE=200112L', '-Wall', '-Wextra', '-Werror', '-g', '-O1'],
      ...['-fsanitize=address,undefined', '-fno-sanitize-recover=all'],
      ...['-I', shim('include'), '-I', shim('ports', 'posix'), '-o', program, ...double],
      ...['board.c', 'host_files.c', 'kpu_reference.c'].map((file) => shim('ports', 'posix', file)),
      shim('build', 'native', 'core.a'),
    ],
    { encoding: 'utf8' },
  )
  t.equal(built.status, 0, built.stderr)
  const run = spawnSync(program, args, { encoding: 'utf8' })
  t.equal(run.status, 0, run.stdout + run.stderr)
  return run.stdout
}

t.test('C link: golden frames, epochs, repeats, line rate, noise and random requests', { skip }, async (t) => {
  t.match(runNative(t, 'link', [String(SEED)]), /0 failures/)
})

t.test('C transfer: loss, resume and a power cut in each flash operation leave a whole model', { skip }, async (t) => {
  const output = runNative(t, 'transfer', [String(SEED)])
  t.match(output, /0 failures/)
  const cuts = Number(/(\d+) power cuts/.exec(output)?.[1])
  t.ok(cuts > 30, `${cuts} power cuts, seed ${SEED}`)
})

const kmodel = sharedData('kmodels', 'mnist_v3.kmodel')
const golden = sharedData('kmodels', 'mnist_v3.out0.bin')

t.test(
  'C pipeline: a transferred input gives the golden output, results and pictures share frame ids',
  { skip: skip ?? (kmodel && golden ? undefined : noSharedData) },
  async (t) => {
    t.match(runNative(t, 'stream', [kmodel!, golden!]), /0 failures/)
  },
)

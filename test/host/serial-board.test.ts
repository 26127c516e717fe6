import { type ChildProcess, execFile, spawn, spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { cliPath, isBuilt, notBuilt } from '../support/daemon-process.js'

const hasSocat = spawnSync('socat', ['-V']).status === 0
const skip = !isBuilt ? notBuilt : hasSocat ? false : 'socat is absent'

interface Ended {
  readonly code: number
  readonly document: Record<string, unknown>
  readonly lines: string[]
}

/** Runs one command to its end; nothing waits longer than a minute. */
function k210(...args: string[]): Promise<Ended> {
  return new Promise((resolve) => {
    execFile(process.execPath, [cliPath, ...args, '--json'], { timeout: 60_000 }, (error, stdout) => {
      const lines = stdout.split('\n').filter((line) => line !== '')
      const code = error ? Number(error.code ?? 1) : 0
      resolve({ code, lines, document: JSON.parse(lines.at(-1) ?? '{}') })
    })
  })
}

function firstLine(child: ChildProcess): Promise<string> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error('the virtual board did not start')), 20_000)
    child.stdout!.once('data', (chunk) => {
      clearTimeout(timer)
      resolve(String(chunk))
    })
  })
}

async function appears(path: string): Promise<void> {
  for (let i = 0; i < 100 && !existsSync(path); i++) await new Promise((resolve) => setTimeout(resolve, 50))
}

t.test(
  'a board behind a socat terminal, the real serialport package: compile, flash, deploy, watch',
  { skip, timeout: 180_000 },
  async (t) => {
    const folder = await mkdtemp(join(tmpdir(), 'k210-bridge-serial-'))
    const file = (name: string) => join(folder, name)
    const board = spawn(
      process.execPath,
      [cliPath, 'virtual-board', '--listen', 'tcp://127.0.0.1:0', '--flash', file('flash.bin'), '--json'],
      { stdio: ['ignore', 'pipe', 'ignore'] },
    )
    const { listening } = JSON.parse(await firstLine(board)) as { listening: string }
    const socat = spawn('socat', [`pty,rawer,link=${file('tty')}`, listening.replace('tcp://', 'tcp:')], {
      stdio: 'ignore',
    })
    t.teardown(async () => {
      socat.kill()
      board.kill()
      await rm(folder, { recursive: true, force: true })
    })
    await appears(file('tty'))
    const port = ['--port', file('tty')]

    t.equal((await k210('models', 'get', 'tiny-face-320x256', '-o', file('face.onnx'))).code, 0)
    const compiled = await k210('compile', file('face.onnx'), '-o', file('face.kmodel'), '--samples', '24')
    t.equal(compiled.code, 0, 'the zoo network compiles')

    const kmodel = await readFile(file('face.kmodel'))
    await writeFile(file('v5.kmodel'), Buffer.concat([kmodel.subarray(0, 4), Buffer.from([5]), kmodel.subarray(5)]))
    const refused = await k210('deploy', file('v5.kmodel'), ...port)
    t.match(refused, { code: 1, document: { error: { code: 'KMODEL_VERSION' } } }, 'kmodel v5 is refused')

    const flashed = await k210('flash', ...port)
    t.match(
      flashed,
      { code: 0, document: { skippedBytes: 0, boards: [{ isVerified: true }] } },
      'a blank board gets the shim',
    )
    const again = await k210('flash', ...port)
    t.match(again, { code: 0, document: { sentBytes: 0 } }, 'flashing again sends nothing')

    const deployed = await k210('deploy', file('face.kmodel'), ...port)
    t.match(deployed, { code: 0, document: { sha256: compiled.document.sha256, slot: 0 } }, 'the model arrives whole')

    const watched = await k210('watch', ...port, '--count', '8', '--save', file('frames'))
    const results = watched.lines.map(
      (line) => JSON.parse(line) as { frameId: number; modelSha256: string; detections: unknown[] },
    )
    t.equal(results.length, 8, 'a line a frame')
    t.ok(
      results.every((result) => result.modelSha256 === compiled.document.sha256),
      'results name the model',
    )
    const frames = (await readdir(file('frames'))).map((name) => Number.parseInt(name, 10))
    const ids = new Set(results.map((result) => result.frameId))
    t.ok(
      frames.some((frame) => ids.has(frame)),
      'pictures are kept under the ids of their results',
    )

    const dump = await k210('inspect', file('flash.bin'))
    t.match(dump, { code: 0, document: { kind: 'flash' } }, 'the flash file holds what was flashed')
  },
)

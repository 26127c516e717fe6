import { spawn } from 'node:child_process'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Command } from 'commander'
import t from 'tap'
import { createProgram } from '../../host/commands/program.js'
import { wrapFirmware } from '../../host/flasher/image.js'
import { writeKmodelV4 } from '../../host/kmodel/v4/writer.js'
import { cliPath, isBuilt, notBuilt } from '../support/daemon-process.js'
import { noSharedData, sharedData } from '../support/shared-data.js'
import { smallKmodel } from '../support/small-kmodel.js'

// A process takes about a second to start.
t.setTimeout(120_000)
const skip = isBuilt ? false : notBuilt

interface Run {
  readonly code: number | null
  readonly stdout: string
  readonly stderr: string
}

/** Runs the built command line to its end. */
function run(...args: string[]): Promise<Run> {
  const child = spawn(process.execPath, [cliPath, ...args], { stdio: ['ignore', 'pipe', 'pipe'] })
  const text = { stdout: '', stderr: '' }
  child.stdout.on('data', (chunk) => {
    text.stdout += chunk
  })
  child.stderr.on('data', (chunk) => {
    text.stderr += chunk
  })
  return new Promise((resolve) => child.once('close', (code) => resolve({ code, ...text })))
}

/** The one JSON document of stdout. */
const documentOf = ({ stdout }: Run) => JSON.parse(stdout)

/** Help as --help prints it. */
function helpOf(command: Command): string {
  let text = ''
  command.configureOutput({
    writeOut: (piece) => {
      text += piece
    },
  })
  command.outputHelp()
  return text
}

const program = await createProgram()
const COMMANDS = program.commands.filter((command) => command.name() !== 'help')

t.test('every command of the design is there, describes itself, takes --json and shows an example', async (t) => {
  const names = COMMANDS.map((command) => command.name())
  const wanted = 'demo serve models compile inspect simulate evaluate flash deploy watch ports virtual-board doctor'
  for (const name of wanted.split(' ')) t.ok(names.includes(name), name)
  for (const command of COMMANDS) {
    const help = helpOf(command)
    t.match(help, /Examples?:\n {2}\$ (k210-bridge|npm start)/, `${command.name()} has an example`)
    t.not(command.description(), '', `${command.name()} has a description`)
    for (const leaf of command.commands.length > 0 ? command.commands : [command]) {
      t.ok(helpOf(leaf).includes('--json'), `${command.name()} ${leaf.name()} has --json`)
    }
  }
})

t.test('--help and --version end with 0', { skip }, async (t) => {
  const [help, version] = await Promise.all([run('--help'), run('--version')])
  t.equal(help.code, 0)
  t.match(help.stdout, /inspect/)
  t.equal(version.code, 0)
  t.match(version.stdout, /^\d+\.\d+\.\d+/)
})

/** Command lines that are wrong in themselves. */
const WRONG_USAGE = [
  ['nonsense'],
  ['compile', 'x.onnx'],
  ['simulate', 'x.kmodel', '--input', 'x.bin', '--unknown'],
  ['evaluate', 'x.kmodel', '--task', 'classify', '--data', '.'],
]

t.test('wrong usage ends with 2 and prints code, what, where and fix', { skip }, async (t) => {
  const results = await Promise.all(WRONG_USAGE.map((args) => run(...args, '--json')))
  for (const [i, result] of results.entries()) {
    t.equal(result.code, 2, WRONG_USAGE[i]!.join(' '))
    const { error } = documentOf(result)
    t.same(
      [error.code, typeof error.what, typeof error.where, typeof error.fix],
      ['USAGE', 'string', 'object', 'string'],
    )
    t.not(error.fix, '')
  }
  const plain = await run('nonsense')
  t.equal(plain.code, 2)
  t.equal(plain.stdout, '')
  t.match(plain.stderr, /error USAGE: .*nonsense.*\n {2}fix:/s)
})

t.test('models: list, get and an unknown name', { skip }, async (t) => {
  const folder = t.testdir()
  const file = join(folder, 'face.onnx')
  const list = documentOf(await run('models', 'list', '--json'))
  t.match(list.models[0], { name: 'tiny-face-320x256', input: [1, 3, 256, 320] })
  const got = documentOf(await run('models', 'get', 'tiny-face-320x256', '-o', file, '--json'))
  t.match(got, { file, card: join(folder, 'face.card.json'), bytes: readFileSync(file).length })
  const found = await run('inspect', file, '--json')
  t.equal(found.code, 0)
  t.match(documentOf(found), { kind: 'onnx', sha256: got.sha256, card: 'tiny-face-320x256', problem: null })
  const unknown = await run('models', 'get', 'nobody', '--json')
  t.equal(unknown.code, 1)
  t.equal(documentOf(unknown).error.code, 'NOT_FOUND')
})

t.test('inspect: a kmodel, a text file and a firmware image that the ROM refuses', { skip }, async (t) => {
  const folder = t.testdir({ 'note.txt': 'this is a text file\n' })
  const kmodel = join(folder, 'small.kmodel')
  writeFileSync(kmodel, writeKmodelV4(smallKmodel()))
  const found = await run('inspect', kmodel, '--json')
  t.equal(found.code, 0)
  t.match(documentOf(found), { kind: 'kmodel', kmodel, target: 'v4', memory: { fits: true }, layers: { length: 3 } })
  const text = await run('inspect', join(folder, 'note.txt'), '--json')
  t.equal(text.code, 1)
  t.match(documentOf(text).error, { code: 'KMODEL_FORMAT', where: { file: join(folder, 'note.txt') } })
  const image = wrapFirmware(new Uint8Array(100).fill(7))
  image[50]! ^= 1
  writeFileSync(join(folder, 'firmware.bin'), image)
  const refused = await run('inspect', join(folder, 'firmware.bin'))
  t.equal(refused.code, 1)
  t.match(refused.stdout, /FLASH_IMAGE.*the ROM would refuse to boot it/)
  const json = documentOf(await run('inspect', join(folder, 'firmware.bin'), '--json'))
  t.match(json, { kind: 'firmware', boots: false, error: { code: 'FLASH_IMAGE' } })
})

t.test('simulate: outputs as files and one JSON document', { skip }, async (t) => {
  const folder = t.testdir()
  const kmodel = join(folder, 'small.kmodel')
  writeFileSync(kmodel, writeKmodelV4(smallKmodel()))
  writeFileSync(join(folder, 'input.bin'), new Uint8Array(288).fill(9))
  const input = join(folder, 'input.bin')
  const result = await run(
    'simulate',
    kmodel,
    '--input',
    input,
    '--out',
    folder,
    '--layers',
    '--threads',
    '2',
    '--json',
  )
  t.equal(result.code, 0)
  t.match(result.stderr, /one thread/)
  t.match(documentOf(result), {
    outputs: [{ index: 0, bytes: 192 }],
    layers: [{ shape: [4, 4, 6] }, {}, {}],
    ms: Number,
  })
  t.equal(readFileSync(join(folder, 'out0.bin')).length, 192)
  const damaged = join(folder, 'cut.kmodel')
  writeFileSync(damaged, readFileSync(kmodel).subarray(0, 300))
  const refused = await run('simulate', damaged, '--input', input, '--out', join(folder, 'never'))
  t.equal(refused.code, 1)
  t.match(refused.stderr, /error KMODEL_TRUNCATED/)
  t.notOk(existsSync(join(folder, 'never')))
})

const noKmodels = sharedData('kmodels') ? skip : noSharedData
t.test('simulate: iris_v4 with its float ramp gives the golden layers and output', { skip: noKmodels }, async (t) => {
  const folder = t.testdir()
  const ramp = Float32Array.from({ length: 4 }, (_, k) => ((31 * k + 7) % 251) / 255)
  writeFileSync(join(folder, 'ramp.bin'), ramp)
  const kmodel = sharedData('kmodels', 'iris_v4.kmodel')!
  const input = join(folder, 'ramp.bin')
  const result = documentOf(await run('simulate', kmodel, '--input', input, '--out', folder, '--layers', '--json'))
  const golden = JSON.parse(readFileSync(sharedData('kmodels', 'iris_v4.layers.json')!, 'utf8'))
  t.same(
    result.layers.map((layer: { sha256: string }) => layer.sha256),
    golden.layers.map((layer: { sha256: string }) => layer.sha256),
  )
  t.ok(readFileSync(join(folder, 'out0.bin')).equals(readFileSync(sharedData('kmodels', 'iris_v4.out0.bin')!)))
})

t.test('ports and doctor print one document', { skip }, async (t) => {
  const [ports, doctor] = await Promise.all([run('ports', '--json'), run('doctor', '--json')])
  t.equal(ports.code, 0)
  t.ok(Array.isArray(documentOf(ports).ports))
  const { checks } = documentOf(doctor)
  t.match(checks[0], { name: 'node', state: 'ok', detail: process.version, fix: '' })
  t.equal(doctor.code, checks.some((check: { state: string }) => check.state === 'fail') ? 1 : 0)
})

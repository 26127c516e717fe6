import { createHash } from 'node:crypto'
import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { cardPathFor, loadCard, printCard } from '../../host/card/parse.js'
import { GraphBuilder } from '../../host/ir/builder.js'
import { type CompileFileOptions, compileFile } from '../../host/jobs/compile-file.js'
import { checkDaemon, checkGroup, UDEV_RULE } from '../../host/jobs/doctor/machine.js'
import { checkFirmware, checkNode } from '../../host/jobs/doctor/packages.js'
import { runDoctor } from '../../host/jobs/doctor.js'
import { evaluateFile } from '../../host/jobs/evaluate-job.js'
import { plainCard } from '../../host/jobs/plain-card.js'
import { simulateFile } from '../../host/jobs/simulate.js'
import { writeKmodelV4 } from '../../host/kmodel/v4/writer.js'
import { writeOnnx } from '../../host/onnx/writer.js'
import { prepareModel } from '../../host/simulator/model.js'
import type { PlanarPicture } from '../../host/tensor/tensor.js'
import { encodePng, loadPicture } from '../../host/vision/pictures.js'
import { rampInput } from '../support/ramp.js'
import { createRandom } from '../support/random.js'
import { noSharedData, sharedData } from '../support/shared-data.js'
import { smallKmodel } from '../support/small-kmodel.js'
import { throwsCode } from '../support/throws-code.js'

const sha256 = (bytes: Uint8Array): string => createHash('sha256').update(bytes).digest('hex')
const skip = sharedData('kmodels') ? false : noSharedData

const noise = (width: number, height: number, seed: number): PlanarPicture => ({
  width,
  height,
  channels: 3,
  data: createRandom(seed).bytes(3 * width * height),
})

// --- simulate ---

/** Layers of `NAME.layers.json`; v4 files name the index `node`. */
interface GoldenLayer {
  readonly type?: string
  readonly op?: string
  readonly sha256: string
}

for (const name of ['iris_v4', 'mnist_v3', 'yolo20_v4', 'maix_asr_v4']) {
  t.test(`simulate: ${name} gives the golden layer hashes and output files`, { skip }, async (t) => {
    const kmodel = sharedData('kmodels', `${name}.kmodel`)!
    const golden = JSON.parse(readFileSync(sharedData('kmodels', `${name}.layers.json`)!, 'utf8'))
    const folder = t.testdir()
    const ramp = rampInput((await prepareModel(new Uint8Array(readFileSync(kmodel)))).inputs[0]!)
    writeFileSync(join(folder, 'input.bin'), ramp)
    t.equal(sha256(readFileSync(join(folder, 'input.bin'))), golden.input.sha256, 'the ramp is that of the golden data')
    const report = await simulateFile({ kmodel, input: join(folder, 'input.bin'), out: folder, layers: true })
    const layers: GoldenLayer[] = golden.layers
    const exp = layers.findIndex(({ type, op }) => type === 'softmax' || op === 'Unary')
    const exact = layers.slice(0, exp < 0 ? layers.length : exp).map((layer) => layer.sha256)
    t.same(
      report.layers.slice(0, exact.length).map((layer) => layer.sha256),
      exact,
    )
    t.equal(report.layers.length, layers.length)
    const output = readFileSync(join(folder, 'out0.bin'))
    t.ok(output.equals(readFileSync(sharedData('kmodels', `${name}.out0.bin`)!)))
    t.match(report.outputs[0], { index: 0, bytes: output.length, sha256: sha256(output) })
    t.ok(report.ms > 0)
  })
}

/** The small kmodel (3x8x12 -> 2x4x6 floats) in a folder, and a picture. */
async function smallFiles(t: Test): Promise<{ folder: string; kmodel: string; picture: string }> {
  const folder = t.testdir()
  const kmodel = join(folder, 'small.kmodel')
  writeFileSync(kmodel, writeKmodelV4(smallKmodel()))
  const picture = join(folder, 'photo.png')
  writeFileSync(picture, await encodePng(noise(24, 16, 3)))
  return { folder, kmodel, picture }
}

/** Card of the small kmodel, without a decoder. */
async function smallCard(kmodel: string) {
  const bytes = new Uint8Array(readFileSync(kmodel))
  const card = plainCard('small', bytes, await prepareModel(bytes))
  const input = { ...card.input, mean: [0, 0, 0], std: [1, 1, 1] }
  return { ...card, input, outputs: [{ ...card.outputs[0]!, shape: [2, 4, 6] }] }
}

t.test('simulate: a picture needs a card; with it the input rule is applied', async (t) => {
  const { kmodel, picture } = await smallFiles(t)
  await throwsCode(t, 'SIM_INPUT', () => simulateFile({ kmodel, input: picture }))
  writeFileSync(cardPathFor(kmodel), printCard(await smallCard(kmodel)))
  const report = await simulateFile({ kmodel, input: picture })
  t.match(report, { input: { kind: 'picture', bytes: 3 * 8 * 12 }, detections: null, layers: [], files: [] })
  await throwsCode(t, 'CARD_INVALID', () => simulateFile({ kmodel, input: picture, draw: `${picture}.out.png` }))
})

t.test('simulate: a decoder that does not fit is refused when it was named, else a warning', async (t) => {
  const { folder, kmodel, picture } = await smallFiles(t)
  const card = await smallCard(kmodel)
  const thresholds = { scoreThreshold: 0, iouThreshold: 0.5, maxBoxes: 5 }
  const yolo = { kind: 'yolov2', classes: 0, stride: 2, anchors: [[1, 1]], ...thresholds } as const
  const cardFile = join(folder, 'other.card.json')
  writeFileSync(cardFile, printCard({ ...card, decoder: yolo }))
  // Two channels are no anchor of five: the named card is refused, the one beside the file only warned of.
  await throwsCode(t, 'CARD_INVALID', () => simulateFile({ kmodel, input: picture, cardFile }))
  writeFileSync(cardPathFor(kmodel), printCard({ ...card, decoder: yolo }))
  t.match(await simulateFile({ kmodel, input: picture }), { detections: null, warnings: [/not decoded/] })
})

t.test('simulate: raw input of another length is refused with both lengths', async (t) => {
  const { folder, kmodel } = await smallFiles(t)
  writeFileSync(join(folder, 'short.bin'), new Uint8Array(7))
  const error = await throwsCode(t, 'SIM_INPUT', () => simulateFile({ kmodel, input: join(folder, 'short.bin') }))
  t.match(error.what, /7 bytes.*288 bytes/)
  await throwsCode(t, 'FILE_READ', () => simulateFile({ kmodel, input: join(folder, 'absent.bin') }))
})

// --- compile without a card, then simulate and evaluate ---

/** Two convolutions of a network that nobody knows; channels of its input as given. */
function unknownOnnx(channels: number): Uint8Array {
  const random = createRandom(5)
  const weights = (count: number) => Float32Array.from({ length: count }, () => random.next() - 0.5)
  const builder = new GraphBuilder('unknown')
  const pads = { top: 1, left: 1, bottom: 1, right: 1 }
  const x = builder.input('picture', [1, channels, 24, 32])
  const first = builder.conv2d(x, { weights: weights(8 * channels * 9), shape: [8, channels, 3, 3], pads })
  builder.output(builder.conv2d(first, { weights: weights(6 * 8), shape: [6, 8, 1, 1] }))
  return writeOnnx(builder.build())
}

const compileOptions = (folder: string, more: Partial<CompileFileOptions> = {}): CompileFileOptions => ({
  model: join(folder, 'net.onnx'),
  output: join(folder, 'net-out.kmodel'),
  target: 'v4',
  method: 'minmax',
  samples: 4,
  ...more,
})

t.test('compile: an unknown network calibrates with a folder, by the shape of its input', async (t) => {
  const folder = t.testdir({ pictures: {} })
  writeFileSync(join(folder, 'net.onnx'), unknownOnnx(3))
  for (const seed of [1, 2]) {
    writeFileSync(join(folder, 'pictures', `${seed}.png`), await encodePng(noise(40, 40, seed)))
  }
  const options = compileOptions(folder, { calibration: join(folder, 'pictures'), mean: [127.5], std: [128] })
  const report = await compileFile(options, {})
  t.match(report, {
    target: 'v4',
    input: { shape: [1, 3, 24, 32], scale: 1, zeroPoint: 0 },
    calibrationPictures: 2,
    memory: { fits: true },
    warnings: [/stretched/],
  })
  t.same(Object.keys(report.layers[0]!).sort(), [
    'cosine',
    'macs',
    'name',
    'op',
    'predictedMs',
    'reason',
    'shape',
    'snrDb',
    'where',
  ])
  const card = await loadCard(report.card)
  t.match(card.input, { colour: 'rgb', resize: 'stretch', mean: [127.5, 127.5, 127.5], std: [128, 128, 128] })
  const input = join(folder, 'pictures', '1.png')
  const simulated = await simulateFile({ kmodel: report.kmodel, input })
  t.match(simulated, { input: { kind: 'picture', bytes: 3 * 24 * 32 }, outputs: [{ bytes: 6 * 24 * 32 }] })
})

t.test('compile: without calibration the demo pictures serve; grey networks get grey pictures', async (t) => {
  const folder = t.testdir()
  writeFileSync(join(folder, 'net.onnx'), unknownOnnx(1))
  const report = await compileFile(compileOptions(folder), {})
  t.match(report, { calibrationPictures: 4, input: { shape: [1, 1, 24, 32] }, warnings: [/0\.\.255/, /stretched/] })
  t.match((await loadCard(report.card)).input, { colour: 'grey', mean: [0], std: [1] })
  writeFileSync(join(folder, 'colour.onnx'), unknownOnnx(3))
  const options = { model: join(folder, 'colour.onnx'), output: join(folder, 'colour-out.kmodel') }
  const colour = await compileFile(compileOptions(folder, options), {})
  t.match((await loadCard(colour.card)).input, { colour: 'rgb', mean: [0, 0, 0], std: [1, 1, 1] })
  const byError = await compileFile(compileOptions(folder, { ...options, method: 'mse' }), {})
  t.not(byError.sha256, colour.sha256, 'another method, other ranges')
  t.match(await loadCard(byError.card), { compile: { options: { method: 'mse' } } })
})

t.test('compile: a network that takes no picture, other targets and methods are refused', async (t) => {
  const folder = t.testdir()
  writeFileSync(join(folder, 'net.onnx'), unknownOnnx(4))
  await throwsCode(t, 'COMPILE_CALIBRATION', () => compileFile(compileOptions(folder), {}))
  await throwsCode(t, 'USAGE', () => compileFile(compileOptions(folder, { target: 'v5' }), {}))
  await throwsCode(t, 'USAGE', () => compileFile(compileOptions(folder, { method: 'magic' }), {}))
  t.notOk(existsSync(join(folder, 'net-out.kmodel')))
})

const slim = sharedData('models', 'ulfd_slim320_nopost.onnx')
t.test(
  'compile and evaluate: a network known by its hash needs no card',
  { skip: slim ? false : noSharedData },
  async (t) => {
    const folder = t.testdir()
    const data = sharedData('images', 'detection')!
    const report = await compileFile(compileOptions(folder, { model: slim!, calibration: data }), {})
    t.same(report.warnings, [])
    t.equal((await loadCard(report.card)).decoder.kind, 'ssd')
    const options = { task: 'face-detect', data, limit: 4 }
    const kmodel = await evaluateFile({ ...options, model: report.kmodel, exclude: data }, {})
    t.match(kmodel, { runs: 'kmodel', images: 0 }, 'every picture is excluded')
    const float = await evaluateFile({ ...options, model: slim! }, {})
    t.match(float, { runs: 'float', images: 4, card: 'ulfd-slim320', byMinSize: [{ minSize: 10 }, {}, {}, {}] })
    t.ok(float.ap50 > 0 && float.ap50 <= 1)
    const picture = join(data, '0_Parade_Parade_0_854.jpg')
    const draw = join(folder, 'boxes.jpg')
    const found = await simulateFile({ kmodel: report.kmodel, input: picture, draw })
    t.ok(found.detections, 'the card decodes')
    const [original, drawn] = [await loadPicture(picture), await loadPicture(draw)]
    t.same([drawn.width, drawn.height], [original.width, original.height])
  },
)

t.test('evaluate: later tasks are wrong usage, a model without detector needs a card', async (t) => {
  const folder = t.testdir()
  const model = join(folder, 'net.onnx')
  writeFileSync(model, unknownOnnx(3))
  for (const task of ['face-verify', 'classify', 'nonsense']) {
    await throwsCode(t, 'USAGE', () => evaluateFile({ model, task, data: folder }, {}))
  }
  await throwsCode(t, 'CARD_INVALID', () => evaluateFile({ model, task: 'face-detect', data: folder }, {}))
})

// --- doctor ---

t.test('doctor: every check has a state, and a fix unless it is ok', async (t) => {
  const checks = await runDoctor('http://127.0.0.1:1')
  for (const { name, state, detail, fix } of checks) {
    t.ok(detail !== '' && (state === 'ok') === (fix === ''), `${name}: ${state}, ${detail}`)
  }
  t.ok(
    ['onnxruntime-node', 'sharp', 'serialport', 'libsql'].every((name) =>
      checks.some((check) => check.name === `package ${name}` && check.state === 'ok'),
    ),
  )
  t.equal(checks.find(({ name }) => name === 'daemon')?.state, 'warn')
})

t.test('doctor: old Node, missing and altered firmware, a user outside of the serial group', async (t) => {
  t.equal(checkNode('v18.20.1').state, 'fail')
  t.equal(checkNode('v22.1.0').state, 'ok')
  t.equal((await checkFirmware(t.testdir())).state, 'fail')
  const altered = t.testdir({ 'shim.wasm': 'x', 'stub.wasm': 'y', 'VERSIONS.json': '{"clang":"c","shim.wasm":"00"}' })
  t.match(await checkFirmware(altered), { state: 'fail', detail: /shim.wasm has another hash/ })
  const groupFile = 'root:x:0:\ndialout:x:20:ann\n'
  t.equal(checkGroup({ uid: 1000, name: 'ann', groupIds: [1000, 20], groupFile }).state, 'ok')
  const outside = checkGroup({ uid: 1001, name: 'bob', groupIds: [1001], groupFile })
  t.match(outside, { state: 'warn', fix: /usermod -aG dialout bob/ })
  t.ok(outside.fix.includes(UDEV_RULE))
  t.equal((await checkDaemon('http://127.0.0.1:1')).state, 'warn')
})

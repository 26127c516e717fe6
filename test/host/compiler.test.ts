import { readFile } from 'node:fs/promises'
import t from 'tap'
import { compile } from '../../host/compiler/compile.js'
import { fullTable } from '../../host/compiler/emit/emit.js'
import { FidelityMeter } from '../../host/compiler/fidelity.js'
import type { CompileOptions, CompileRequest } from '../../host/compiler/options.js'
import { calibrate } from '../../host/compiler/quantize/calibrate.js'
import { chooseClip } from '../../host/compiler/quantize/choose-clip.js'
import { chooseMapRanges } from '../../host/compiler/quantize/choose-ranges.js'
import { clipHead } from '../../host/compiler/quantize/clip-head.js'
import { equalizeChannels } from '../../host/compiler/quantize/equalize-channels.js'
import { Histogram } from '../../host/compiler/quantize/histogram.js'
import { quantizeLayer, splitFactor } from '../../host/compiler/quantize/layer.js'
import { quantFor } from '../../host/compiler/quantize/quantize.js'
import { activationTable, tableSlopes } from '../../host/compiler/quantize/table.js'
import { quantizeWeights } from '../../host/compiler/quantize/weights.js'
import { GraphBuilder } from '../../host/ir/builder.js'
import { checkGraph } from '../../host/ir/check.js'
import { activate } from '../../host/ir/evaluate.js'
import {
  type Activation,
  evenPads,
  type FusedPool,
  NO_ACTIVATION,
  NO_PADS,
  pool2dOp,
  square,
} from '../../host/ir/op.js'
import { readKmodelV4 } from '../../host/kmodel/v4/reader.js'
import { validateKmodelV4 } from '../../host/kmodel/validate/validate-v4.js'
import { evaluateActivation } from '../../host/kpu/activation-table.js'
import { writeOnnx } from '../../host/onnx/writer.js'
import { createReference } from '../../host/reference/reference.js'
import { prepareModel } from '../../host/simulator/model.js'
import type { PlanarPicture } from '../../host/tensor/tensor.js'
import { createRandom, type Random } from '../support/random.js'
import { noSharedData, sharedData } from '../support/shared-data.js'
import { throwsCode } from '../support/throws-code.js'

const options: CompileOptions = { method: 'minmax', target: 'v4' }

const normal = (random: Random) => Math.sqrt(-2 * Math.log(1 - random.next())) * Math.cos(2 * Math.PI * random.next())

const normals = (random: Random, count: number, deviation: number) =>
  Float32Array.from({ length: count }, () => normal(random) * deviation)

/** Pictures with edges and slopes; noise alone exercises little of a network's range. */
function pictures(random: Random, width: number, height: number, count: number): PlanarPicture[] {
  return Array.from({ length: count }, () => {
    const data = new Uint8Array(3 * width * height)
    const [fx, fy, phase] = [random.next() / 3, random.next() / 3, random.next() * 6]
    for (let i = 0; i < data.length; i++) {
      const [x, y, c] = [i % width, Math.floor(i / width) % height, Math.floor(i / (width * height))]
      const step = x > width / 2 === y > height / 3 ? 60 : -30
      data[i] = Math.max(
        0,
        Math.min(255, 110 + 70 * Math.sin(fx * x + fy * y + phase + c) + step + 20 * normal(random)),
      )
    }
    return { width, height, channels: 3, data }
  })
}

const simulateLayers: CompileRequest['simulateLayers'] = async (kmodel, input) =>
  (await prepareModel(kmodel)).run(input, { layers: true }).layers.map((layer) => layer.data)

t.test('weights: steps by channel with one zero point keep every weight within half a step', async (t) => {
  const random = createRandom()
  t.comment(`seed ${random.seed}`)
  const weights = normals(random, 4 * 27, 1)
  weights.subarray(27, 54).forEach((value, i, all) => {
    all[i] = Math.abs(value) * 100
  })
  weights.fill(0, 81)
  const { codes, zeroPoint, scales } = quantizeWeights(weights, 4)
  t.equal(scales[3], 0, 'an all-zero channel has no step')
  t.ok(codes.subarray(81).every((code) => code === zeroPoint))
  for (let i = 0; i < 81; i++) {
    const scale = scales[Math.floor(i / 27)]!
    const clipped = codes[i] === 0 || codes[i] === 255
    if (!clipped && Math.abs((codes[i]! - zeroPoint) * scale - weights[i]!) > scale * 0.5001) t.fail(`weight ${i}`)
  }
  t.ok(scales[1]! > scales[0]! * 20, 'a loud channel does not coarsen the others')
})

t.test('weights: one-sided layers use all codes', async (t) => {
  t.equal(quantizeWeights(Float32Array.of(0.1, 1, 2, 3), 2).zeroPoint, 0)
  t.equal(quantizeWeights(Float32Array.of(-0.1, -1, -2, -3), 2).zeroPoint, 255)
})

t.test('splitFactor: the largest shift whose multiplier fits 24 bits', async (t) => {
  t.same(splitFactor(1), { mul: 32_768, shift: 15 })
  t.same(splitFactor(2 ** 20), { mul: 2 ** 22, shift: 2 })
  t.same(splitFactor(0), { mul: 0, shift: 15 })
})

t.test('activation table: none, ReLU, Clip and LeakyReLU are exact to one rounding', async (t) => {
  const cases: [Activation, number, number][] = [
    [NO_ACTIVATION, -3, 5],
    [{ fn: 'relu' }, 0, 7],
    [{ fn: 'relu' }, -2, 7],
    [{ fn: 'clip', min: 0, max: 6 }, 0, 6],
    [{ fn: 'clip', min: -1, max: 2 }, -2, 4],
    [{ fn: 'leakyRelu', slope: 0.1 }, -1, 8],
    [{ fn: 'leakyRelu', slope: 0.01 }, -0.05, 8],
    [{ fn: 'leakyRelu', slope: 0.3 }, -20, 1],
  ]
  for (const [activation, min, max] of cases) {
    const quant = quantFor({ min, max })
    const slopes = tableSlopes(activation, 1024)
    const table = fullTable(activationTable(activation, quant, slopes))
    const stepsPerUnit = 2 ** 20 / (slopes.main * quant.scale)
    let worst = 0
    for (let real = 2 * min - 5; real < 2 * max + 5; real += (max - min) / 3000) {
      const wanted = Math.min(255, Math.max(0, activate(activation, real) / quant.scale + quant.zeroPoint))
      worst = Math.max(worst, Math.abs(evaluateActivation(table, Math.round(real * stepsPerUnit)) - wanted))
    }
    t.ok(worst <= 0.51, `${activation.fn} [${min}, ${max}]: ${worst.toFixed(3)} codes`)
    t.ok(table.every((segment) => segment.yMul >= 0 && segment.shiftNumber <= 20))
  }
})

t.test('quantizeLayer: registers follow the formulas and stay in their bits', async (t) => {
  const random = createRandom()
  t.comment(`seed ${random.seed}`)
  for (let round = 0; round < 30; round++) {
    const outputs = random.integer(1, 9)
    const scale = 10 ** (random.next() * 6 - 4)
    const input = quantFor({ min: -random.next() * scale, max: random.next() * scale + 1e-5 })
    const code = quantizeLayer({
      op: { kind: 'kpuConv2d', kernel: 3, depthwise: false, padValue: 0, activation: { fn: 'relu' }, pool: 'none' },
      weights: normals(random, outputs * 27, 10 ** (random.next() * 4 - 2)),
      outputs,
      bias: normals(random, outputs, scale),
      input,
      output: quantFor({ min: 0, max: random.next() * 10 * scale + 1e-4 }),
      inputMeans: [0, 0, 0],
    })
    t.equal(code.argAdd, 9 * code.argX * code.argW)
    t.equal(code.argW, -input.zeroPoint)
    t.equal(code.padCode, input.zeroPoint)
    for (const { mul, shift, add } of code.norm) {
      if (mul < 0 || mul >= 2 ** 23 || shift < 0 || shift > 15 || Math.abs(add) >= 2 ** 31)
        t.fail(`${mul} ${shift} ${add}`)
    }
  }
})

t.test('quantFor: a dead tensor gives finite parameters', async (t) => {
  t.same(quantFor({ min: 0, max: 0 }), { scale: Math.fround(1 / 255), zeroPoint: 0 })
  const { scale, zeroPoint } = quantFor({ min: 2, max: 6 })
  t.same([zeroPoint, Math.round(scale * 255 * 1e6) / 1e6], [0, 6], '0 is always inside')
})

t.test('FidelityMeter: equal tensors, a shifted one and channel factors', async (t) => {
  const quant = { scale: 0.5, zeroPoint: 10 }
  const same = new FidelityMeter()
  same.add(Float32Array.of(1, -1), Uint8Array.of(12, 8), quant, [1])
  t.match(same.result(), { cosine: 1, snrDb: Number.POSITIVE_INFINITY })
  const scaled = new FidelityMeter()
  scaled.add(Float32Array.of(1, 3), Uint8Array.of(12, 12), quant, [1, 3])
  t.equal(scaled.result().cosine, 1)
})

/** One random network of KPU-friendly pieces; every kind of fused pool, activation, stride and pad can occur. */
function randomNetwork(random: Random, width: number, height: number): Uint8Array {
  const b = new GraphBuilder('random')
  let x = b.input('picture', [1, 3, height, width])
  const pick = <T>(...values: T[]): T => values[random.integer(0, values.length - 1)]!
  const activation = () =>
    pick<Activation>({ fn: 'relu' }, { fn: 'leakyRelu', slope: 0.1 }, { fn: 'clip', min: 0, max: 6 }, NO_ACTIVATION)
  const conv = (outputs: number, kernel: 1 | 3, stride: 1 | 2, pads = evenPads((kernel - 1) / 2)) => {
    const inputs = b.shapeOf(x)[1]!
    const deviation = x === 'picture' ? 0.01 : 1.4 / Math.sqrt(inputs * kernel * kernel)
    const weights = normals(random, outputs * inputs * kernel * kernel, deviation)
    const bias = normals(random, outputs, 0.2)
    x = b.conv2d(x, { weights, bias, shape: [outputs, inputs, kernel, kernel], stride: square(stride), pads })
    x = b.activation(x, activation())
  }
  const depthwise = (stride: 1 | 2) => {
    const c = b.shapeOf(x)[1]!
    const spec = { weights: normals(random, c * 9, 0.5), shape: [c, 1, 3, 3] as [number, number, number, number] }
    x = b.conv2d(x, { ...spec, groups: c, stride: square(stride), pads: evenPads(1) })
    x = b.activation(x, { fn: 'relu' })
  }
  conv(random.integer(4, 20), 3, pick(1, 2))
  for (let i = random.integer(1, 4); i > 0; i--) {
    const [, , h, w] = b.shapeOf(x)
    const room = Math.min(h!, w!) >= 16
    const kind = random.integer(0, room ? 5 : 1)
    if (kind === 0) conv(random.integer(3, 40), 1, 1)
    if (kind === 1) conv(random.integer(3, 40), 3, 1)
    if (kind === 2) conv(random.integer(3, 40), 3, 2)
    if (kind === 3) conv(random.integer(3, 40), 3, 1, pick(NO_PADS, { top: 0, left: 0, bottom: 1, right: 1 }))
    if (kind === 4) {
      depthwise(2)
      conv(random.integer(3, 40), 1, 1)
    }
    if (kind === 5) {
      conv(random.integer(3, 24), 3, 1)
      const even = h! % 2 === 0 && w! % 2 === 0
      const pool = pick<FusedPool>('max2s2', 'mean2s2', 'max2s1')
      const atEnd = { top: 0, left: 0, bottom: 1, right: 1 }
      if (pool === 'max2s1') x = b.node(pool2dOp({ kernel: square(2), stride: square(1), pads: atEnd }), [x])
      else if (even) {
        const mode = pool === 'max2s2' ? 'max' : 'mean'
        x = b.node(pool2dOp({ mode, kernel: square(2), stride: square(2) }), [x])
      }
    }
  }
  conv(random.integer(1, 12), 1, 1)
  return writeOnnx(b.output(x).build())
}

t.test('Histogram: bins double as values grow, and no count is lost', async (t) => {
  const random = createRandom()
  t.comment(`seed ${random.seed}`)
  const values = normals(random, 4000, 1).map((value, i) => value * 1.002 ** i)
  const histogram = new Histogram()
  for (let begin = 0; begin < values.length; begin += 100) histogram.add(values, begin, begin + 100)
  histogram.add(Float32Array.of(0, Number.NaN, Number.POSITIVE_INFINITY), 0, 3)
  const wanted = new Float64Array(histogram.counts.length)
  for (const value of values) wanted[Math.floor(value / histogram.width) + wanted.length / 2]!++
  t.same(histogram.counts, wanted, 'as if the last width had been known from the start')
  const largest = values.reduce((most, value) => Math.max(most, Math.abs(value)), 0)
  t.ok(largest / histogram.width >= 512 && largest / histogram.width <= 1024)
})

/** One channel's values as {@link chooseClip} takes them. */
function counted(values: Float32Array) {
  const seen = new Histogram()
  seen.add(values, 0, values.length)
  const range = { min: values.reduce((a, b) => Math.min(a, b)), max: values.reduce((a, b) => Math.max(a, b)) }
  return { range, channel: { seen, factor: 1, weight: 1 } }
}

t.test('chooseClip: a rare far value is cut, an even spread keeps its ends, ReLU keeps its zero', async (t) => {
  const random = createRandom()
  t.comment(`seed ${random.seed}`)
  const even = counted(Float32Array.from({ length: 5000 }, () => random.next() * 4 - 1))
  t.same(chooseClip(even.range, [even.channel]), even.range)
  const values = normals(random, 400_000, 1).map((value) => Math.max(0, value))
  values[7] = 40
  const rare = counted(values)
  const clip = chooseClip(rare.range, [rare.channel])
  t.equal(clip.min, 0)
  // least n e^2 / (12 * 255^2) + (40 - e)^2 for n values that are not 0
  const count = values.reduce((sum, value) => sum + (value > 0 ? 1 : 0), 0)
  const end = 40 / (1 + count / (12 * 255 ** 2))
  t.ok(Math.abs(clip.max - end) <= 40 / 64, `cut at ${clip.max}, best ${end.toFixed(2)}`)
  const many = counted(values.map((value, i) => (i % 20 === 0 ? 40 : value)))
  t.equal(chooseClip(many.range, [many.channel]).max, 40, 'what is frequent is not cut')
  const scaled = { ...rare.channel, factor: 0.5 }
  t.same(chooseClip({ min: 0, max: 80 }, [scaled]), { min: 0, max: 2 * clip.max }, 'a factor moves the ends with it')
})

t.test('chooseMapRanges: maps that nothing reads and maps without counts keep their range', async (t) => {
  const b = new GraphBuilder('ends')
  const layer = { kind: 'kpuConv2d', padValue: 0, pool: 'none', kernel: 1, depthwise: false } as const
  const x = b.input('x', [1, 1, 8, 8])
  const w = b.constant(Float32Array.of(1), [1, 1, 1, 1])
  const y = b.node({ ...layer, activation: { fn: 'relu' } }, [x, w], 'y')
  const z = b.node({ ...layer, activation: NO_ACTIVATION }, [y, w], 'z')
  const data = new Uint8Array(64).map((_, i) => (i === 9 ? 255 : i % 4))
  const calibration = [{ width: 8, height: 8, channels: 1, data }]
  const context = {
    mean: [0],
    std: [1],
    calibration,
    decoder: undefined,
    options: { ...options, method: 'mse' },
  } as const
  const graph = await calibrate(b.output(z).build(), context)
  t.equal(chooseMapRanges(graph, { ...context, options }), graph)
  const chosen = chooseMapRanges(graph, context)
  t.equal(chosen.tensors.get('x')!.range!.max, 255)
  t.equal(chosen.tensors.get('z')!.range!.max, 255, 'an output is not cut')
  t.equal(chosen.tensors.get('y')!.range!.isClipped, undefined)
  const plain = await calibrate(graph, { ...context, options })
  t.same(chooseMapRanges(plain, context), plain)
})

t.test('compile: random networks are valid kmodels and follow their float network', async (t) => {
  const random = createRandom()
  t.comment(`seed ${random.seed}`)
  for (let round = 0; round < 12; round++) {
    const [width, height] = [random.integer(16, 70), random.integer(16, 50)]
    const model = randomNetwork(random, width, height)
    const seen = pictures(random, width, height, 6)
    const method = round % 2 === 0 ? 'minmax' : 'mse'
    const given = { ...options, method, mean: [120, 120, 120], std: [60] } as const
    const { kmodel, report } = await compile({
      model,
      name: 'random',
      calibration: seen,
      options: given,
      simulateLayers,
    })
    const faults = validateKmodelV4(kmodel)
    t.same(faults, [], `${width}x${height}, ${method}: valid`)
    const worst = Math.min(...report.layers.map((layer) => layer.cosine ?? 1))
    t.ok(worst >= 0.985 || report.layers.some((layer) => /cosine/.test(layer.reason)), `cosine ${worst.toFixed(4)}`)
    const reference = await createReference(model)
    const simulator = await prepareModel(kmodel)
    const meter = new FidelityMeter()
    for (const picture of seen) {
      const input = Float32Array.from(picture.data, (pixel) => (pixel - 120) / 60)
      const [float] = Object.values(await reference.run({ picture: input }))
      meter.add(float!, simulator.run(picture.data).outputs[0]!, report.outputs[0]!, [1])
    }
    t.ok(meter.result().cosine >= 0.98, `output cosine ${meter.result().cosine.toFixed(4)}`)
    await reference.dispose()
  }
})

function smallDetector(): Uint8Array {
  const random = createRandom(7)
  const b = new GraphBuilder('small')
  let x = b.input('picture', [1, 3, 32, 32])
  x = b.conv2d(x, { weights: normals(random, 216, 0.3), shape: [8, 3, 3, 3], pads: evenPads(1) }, 'stem')
  x = b.maxPool(b.activation(x, { fn: 'leakyRelu', slope: 0.1 }), square(4), square(4))
  const weights = normals(random, 80, 1)
  return writeOnnx(b.output(b.conv2d(x, { weights, shape: [10, 8, 1, 1] }, 'head')).build())
}

const thresholds = { scoreThreshold: 0.5, iouThreshold: 0.4, maxBoxes: 10 }

t.test('compile: a YOLOv2 card is checked against the map and completed', async (t) => {
  const anchors = [[1, 1] as const, [2, 3] as const]
  const decoder = { kind: 'yolov2', classes: 0, stride: 4, anchors, ...thresholds } as const
  const request = { model: smallDetector(), name: 'small', options: { ...options, std: [255] } }
  const calibration = pictures(createRandom(3), 32, 32, 3)
  const { card, report, kmodel } = await compile({ ...request, calibration, card: { decoder, task: 'face-detect' } })
  t.match(card, { decoder, input: { width: 32, height: 32, scale: 1, zeroPoint: 0, std: [255] }, task: 'face-detect' })
  t.same(card.outputs, report.outputs)
  t.match(card.outputs, [{ name: 'head', shape: [10, 8, 8], type: 'uint8' }])
  t.equal(report.layers.length, 2)
  t.match(report.layers, [
    { name: 'stem', where: 'kpu', op: 'kpuConv2d', macs: 8 * 27 * 32 * 32, cosine: null },
    { name: 'head', where: 'kpu' },
  ])
  t.match(report.memory, { modelBytes: kmodel.length, mainBytes: 640, fits: true })
  t.equal(readKmodelV4(kmodel).nodes.length, 2)
  const wrong = { ...decoder, anchors: [...anchors, [3, 3] as const] }
  await throwsCode(t, 'CARD_INVALID', () => compile({ ...request, calibration, card: { decoder: wrong } }))
})

t.test('compile: no pictures, pictures of a wrong size and files of no known format are refused', async (t) => {
  const request = { model: smallDetector(), name: 'small', options }
  await throwsCode(t, 'COMPILE_CALIBRATION', () => compile({ ...request, calibration: [] }))
  const wrong = pictures(createRandom(3), 16, 32, 1)
  await throwsCode(t, 'COMPILE_CALIBRATION', () => compile({ ...request, calibration: wrong }))
  const model = new TextEncoder().encode('a text file that is no model of any kind')
  await throwsCode(t, 'MODEL_FORMAT', () => compile({ ...request, model, calibration: [] }))
})

t.test('compile: maps beyond the KPU RAM are refused with the rows they need', async (t) => {
  const b = new GraphBuilder('wide')
  const x = b.input('picture', [1, 3, 128, 128])
  const y = b.conv2d(x, { weights: normals(createRandom(1), 96, 1), shape: [32, 3, 1, 1] }, 'a')
  const z = b.conv2d(y, { weights: normals(createRandom(2), 3200, 1), shape: [100, 32, 1, 1] }, 'b')
  const model = writeOnnx(b.output(z).build())
  const calibration = pictures(createRandom(3), 128, 128, 1)
  const run = () => compile({ model, name: 'wide', calibration, options })
  const error = await throwsCode(t, 'COMPILE_UNSUPPORTED', run)
  t.match(error.what, /b \(conv2d\): output map ends at row 33792 of 32768/)
})

t.test('compile: the same request gives the same bytes', async (t) => {
  const request = { model: smallDetector(), name: 'small', options }
  const calibration = pictures(createRandom(3), 32, 32, 2)
  const [first, second] = [await compile({ ...request, calibration }), await compile({ ...request, calibration })]
  t.equal(first.report.sha256, second.report.sha256)
})

const slim = sharedData('models', 'ulfd_slim320_nopost.onnx')
t.test(
  'compile: slim320 ends at its heads with one pad and one upload',
  { skip: slim ? false : noSharedData },
  async (t) => {
    const calibration = pictures(createRandom(5), 320, 240, 4)
    const model = new Uint8Array(await readFile(slim!))
    const given = { ...options, mean: [127], std: [128] }
    const { kmodel, card, report } = await compile({ model, name: 'slim', calibration, options: given, simulateLayers })
    t.same(validateKmodelV4(kmodel), [])
    const count = (op: string) => report.layers.filter((layer) => layer.op === op).length
    t.same([count('kpuConv2d'), count('pad'), count('kpuUpload'), report.layers.length], [42, 1, 1, 44])
    t.ok(report.predictedMs < 13, `${report.predictedMs.toFixed(2)} ms from picture to boxes`)
    t.equal(card.decoder.kind, 'ssd')
    if (card.decoder.kind !== 'ssd') return
    t.same(
      card.decoder.heads.map((head) => [head.stride, head.minSizes]),
      [
        [8, [10, 16, 24]],
        [16, [32, 48]],
        [32, [64, 96]],
        [64, [128, 192, 256]],
      ],
    )
    const shapes = card.decoder.heads.map((head) => [card.outputs[head.scores]!.shape, card.outputs[head.boxes]!.shape])
    t.same(shapes[3], [
      [6, 4, 5],
      [12, 4, 5],
    ])
    const poor = report.layers.filter((layer) => (layer.cosine ?? 1) < 0.99)
    t.ok(
      poor.every((layer) => /cosine/.test(layer.reason)),
      `${poor.length} layers below 0.99 name the reason`,
    )
  },
)

const unsupported = sharedData('models', 'mbv2_yolofastest_voc.onnx')
t.test(
  'compile: what this compiler cannot place yet is named completely',
  { skip: unsupported ? false : noSharedData },
  async (t) => {
    const model = new Uint8Array(await readFile(unsupported!))
    const run = () => compile({ model, name: 'voc', calibration: [], options: { ...options, std: [255] } })
    const error = await throwsCode(t, 'COMPILE_UNSUPPORTED', run)
    t.match(error.what, /\(binary\).*has no kmodel layer/)
    t.equal(error.where.pass, 'assign-kpu')
  },
)

t.test('equalize-channels: quiet channels fill the range, and the network stays the same', async (t) => {
  const b = new GraphBuilder('even')
  const x = b.input('x', [1, 1, 8, 8])
  const layer = { kind: 'kpuConv2d', padValue: 0, pool: 'none' } as const
  const relu: Activation = { fn: 'relu' }
  const first = [x, b.constant(Float32Array.of(1, 0.125), [2, 1, 1, 1]), b.constant(Float32Array.of(0, 0.5), [2])]
  const y = b.node({ ...layer, kernel: 1, depthwise: false, activation: relu }, first, 'y')
  const taps = b.constant(normals(createRandom(4), 18, 1), [2, 1, 3, 3])
  const z = b.node({ ...layer, kernel: 3, depthwise: true, activation: relu }, [y, taps], 'z')
  const data = pictures(createRandom(5), 8, 8, 1)[0]!.data.slice(0, 64)
  const picture: PlanarPicture = { width: 8, height: 8, channels: 1, data }
  const context = { options, mean: [0], std: [1], calibration: [picture], decoder: undefined }
  const before = await calibrate(b.output(z).build(), context)
  const after = equalizeChannels(before)
  checkGraph(after)
  const [loud, quiet] = after.tensors.get('y')!.range!.channels
  t.ok(Math.abs(loud!.max - quiet!.max) < 1e-4 * loud!.max, 'both channels reach the same maximum')
  t.equal(after.tensors.get('y')!.channelFactors![0], 1)
  const feed = { x: Float32Array.from(data) }
  const [a, c] = [await createReference(writeOnnx(before)), await createReference(writeOnnx(after))]
  const [wanted, got] = [(await a.run(feed)).z!, (await c.run(feed)).z!]
  t.ok(wanted.every((value, i) => Math.abs(value - got[i]!) <= 1e-3 * (1 + Math.abs(value))))
  await a.dispose()
  await c.dispose()
})

t.test('clip-head: objectness far below the threshold saturates, sizes keep their range', async (t) => {
  const b = new GraphBuilder('head')
  b.input('x', [1, 5, 4, 4])
  const decoder = { kind: 'yolov2', classes: 0, stride: 8, anchors: [[1, 1] as const], ...thresholds } as const
  const channels = [-2, -3, -5, -1, -60].map((min) => ({ min, max: 3, mean: 0, power: 1 }))
  const graph = b.output(b.activation('x', NO_ACTIVATION, 'y')).build()
  const range = { min: -60, max: 3, channels }
  const tensors = new Map(graph.tensors).set('y', { ...graph.tensors.get('y')!, range })
  const context = { options, mean: [0], std: [1], calibration: [], decoder }
  const clipped = clipHead({ ...graph, tensors }, context).tensors.get('y')!.range
  t.match(clipped, { min: -5, max: 3, isClipped: true })
})

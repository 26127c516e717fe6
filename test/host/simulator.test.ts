import t from 'tap'
import { isBridgeError } from '../../host/foundation/errors.js'
import type { KmodelV4Model, KmodelV4Node } from '../../host/kmodel/v4/model.js'
import { type MemoryRange, NO_CLAMP, type Shape4 } from '../../host/kmodel/v4/values.js'
import { writeKmodelV4 } from '../../host/kmodel/v4/writer.js'
import { downloadMap, uploadMap } from '../../host/kpu/row-layout.js'
import { prepareModel } from '../../host/simulator/model.js'
import { integerScale } from '../../host/simulator/v4/quantized-ops.js'
import { EVERY_OP } from '../support/every-op.js'
import { referenceLayer } from '../support/kpu-reference.js'
import { createRandom } from '../support/random.js'
import { main, smallKmodel } from '../support/small-kmodel.js'
import { throwsAt } from '../support/throws-at.js'

const OUT_AT = 4096
const CONSTANTS = Float32Array.of(1, 10, 100, 1000, 2, 20, 200, 2000)
const constant = (bytes: number, type: MemoryRange['type'] = 'float32'): MemoryRange => ({
  memory: 'const',
  type,
  start: 0,
  bytes,
})

/** Runs one v4 node on an input at the start of main memory; its result lies at OUT_AT. */
async function runNode(node: KmodelV4Node, input: Float32Array | Uint8Array, outBytes: number, constants = CONSTANTS) {
  const type = input instanceof Float32Array ? 'float32' : 'uint8'
  const model: KmodelV4Model = {
    inputs: [{ range: main(0, input.byteLength, type), shape: [1, 1, 1, input.length] }],
    outputs: [main(OUT_AT, outBytes)],
    constants: new Uint8Array(constants.buffer, 0, constants.byteLength),
    mainBytes: 8192,
    nodes: [node],
  }
  const simulation = await prepareModel(writeKmodelV4(model))
  return simulation.run(input).outputs[0]!
}

const floats = async (node: KmodelV4Node, input: number[], count: number): Promise<number[]> => {
  const out = await runNode(node, Float32Array.from(input), count * 4)
  return [...new Float32Array(out.slice().buffer)]
}
const codes = async (node: KmodelV4Node, input: number[], count: number, constants = CONSTANTS): Promise<number[]> => [
  ...(await runNode(node, Uint8Array.from(input), count, constants)),
]

const realIn = (count: number): MemoryRange => main(0, count * 4)
const realOut = (count: number): MemoryRange => main(OUT_AT, count * 4)
const codeIn = (count: number): MemoryRange => main(0, count, 'uint8')
const codeOut = (count: number): MemoryRange => main(OUT_AT, count, 'uint8')
const none = { before: 0, after: 0 }
const WINDOW = { padH: none, padW: none, filterH: 1, filterW: 1, strideH: 1, strideW: 1, dilationH: 1, dilationW: 1 }

t.test('v4 binary: broadcasts, rounds to float32 and clamps', async (t) => {
  const node = (operation: 'add' | 'sub' | 'mul' | 'div' | 'min' | 'max', clamp = NO_CLAMP): KmodelV4Node => ({
    op: 'binary',
    a: realIn(4),
    b: constant(8),
    out: realOut(4),
    operation,
    aShape: [1, 2, 1, 2],
    bShape: [1, 2, 1, 1],
    outShape: [1, 2, 1, 2],
    clamp,
  })
  const input = [1, 2, 3, 4]
  t.strictSame(await floats(node('add'), input, 4), [2, 3, 13, 14])
  t.strictSame(await floats(node('sub'), input, 4), [0, 1, -7, -6])
  t.strictSame(await floats(node('mul'), input, 4), [1, 2, 30, 40])
  t.strictSame(await floats(node('div'), input, 4), [1, 2, Math.fround(0.3), Math.fround(0.4)])
  t.strictSame(await floats(node('min'), input, 4), [1, 1, 3, 4])
  t.strictSame(await floats(node('max', { min: 0, max: 6 }), input, 4), [1, 2, 6, 6])
})

t.test('v4 unary: every operation', async (t) => {
  const run = (operation: Extract<KmodelV4Node, { op: 'unary' }>['operation'], x: number) =>
    floats({ op: 'unary', in: realIn(1), out: realOut(1), operation }, [x], 1)
  t.strictSame(await run('abs', -2), [2])
  t.strictSame(await run('ceil', 1.25), [2])
  t.strictSame(await run('floor', -1.25), [-2])
  t.strictSame(await run('neg', 3), [-3])
  t.strictSame(await run('square', 3), [9])
  t.strictSame(await run('rsqrt', 4), [0.5])
  t.strictSame(await run('exp', 1), [Math.fround(Math.E)])
  t.strictSame(await run('log', 1), [0])
  t.strictSame(await run('sin', 0), [0])
  t.strictSame(await run('cos', 0), [1])
})

t.test('v4 reduce: starts from init, mean divides by the reduced count', async (t) => {
  const run = (operation: 'mean' | 'min' | 'max' | 'sum', init: number) =>
    floats(
      { op: 'reduce', in: realIn(6), out: realOut(2), operation, inShape: [1, 2, 1, 3], outShape: [1, 2, 1, 1], init },
      [1, 2, 6, -4, 5, 8],
      2,
    )
  t.strictSame(await run('sum', 0), [9, 9])
  t.strictSame(await run('mean', 0), [3, 3])
  t.strictSame(await run('max', 7), [7, 8])
  t.strictSame(await run('min', 0), [0, -4])
})

t.test('v4 reduceWindow2d: means count only taps inside the image', async (t) => {
  const node: KmodelV4Node = {
    op: 'reduceWindow2d',
    in: realIn(4),
    out: realOut(4),
    operation: 'mean',
    inShape: [1, 1, 2, 2],
    ...WINDOW,
    padH: { before: 0, after: 1 },
    padW: { before: 0, after: 1 },
    filterH: 2,
    filterW: 2,
    init: 0,
    clamp: { min: 0, max: 3.5 },
  }
  t.strictSame(await floats(node, [1, 2, 3, 6], 4), [3, 3.5, 3.5, 3.5])
})

t.test('v4 conv2d: groups, stride, padding and bias', async (t) => {
  const node: KmodelV4Node = {
    op: 'conv2d',
    in: realIn(8),
    out: realOut(4),
    inShape: [1, 2, 2, 2],
    groups: 2,
    outChannels: 2,
    ...WINDOW,
    padW: { before: 1, after: 0 },
    filterW: 2,
    strideH: 2,
    clamp: NO_CLAMP,
    weights: Float32Array.of(1, 10, -1, 2),
    bias: Float32Array.of(0.5, 100),
  }
  t.strictSame(await floats(node, [1, 2, 3, 4, 5, 6, 7, 8], 4), [10.5, 21.5, 110, 107])
})

t.test('v4 conv2dTranspose: spreads inputs over the output', async (t) => {
  const node: KmodelV4Node = {
    op: 'conv2dTranspose',
    in: realIn(2),
    out: realOut(4),
    inShape: [1, 1, 1, 2],
    outShape: [1, 1, 1, 4],
    groups: 1,
    ...WINDOW,
    filterW: 2,
    strideW: 2,
    clamp: NO_CLAMP,
    weights: Float32Array.of(1, 10),
    bias: Float32Array.of(0.5),
  }
  t.strictSame(await floats(node, [2, 3], 4), [2.5, 20.5, 3.5, 30.5])
})

t.test('v4 matmul and softmax', async (t) => {
  const matmul: KmodelV4Node = {
    op: 'matmul',
    a: realIn(2),
    b: constant(16),
    out: realOut(2),
    aRows: 1,
    aCols: 2,
    bCols: 2,
    clamp: NO_CLAMP,
    bias: Float32Array.of(0.5, 0),
  }
  t.strictSame(await floats(matmul, [1, 2], 2), [201.5, 2010], 'constants are 1 10 / 100 1000')
  const softmax: KmodelV4Node = { op: 'softmax', in: realIn(4), out: realOut(4), innerSize: 2, outerSize: 2, beta: 1 }
  t.strictSame(await floats(softmax, [0, 0, -1000, 1000], 4), [0.5, 0.5, 0, 1])
})

t.test('v4 nnil program: max(x, 0.5) squared', async (t) => {
  // push input, push f32 0.5, max, dup, mul, ret
  const program = Uint8Array.of(0x03, 0x06, 0, 0, 0, 0x3f, 0x45, 0x01, 0x42, 0xa0)
  const node: KmodelV4Node = { op: 'nnilUnary', in: realIn(2), out: realOut(2), program }
  t.strictSame(await floats(node, [-3, 4], 2), [0.25, 16])
})

t.test('v4 data movement: transpose, pad, slice, concat, copy', async (t) => {
  const shape: Shape4 = [1, 2, 1, 3]
  const transpose: KmodelV4Node = {
    op: 'transpose',
    in: codeIn(6),
    out: codeOut(6),
    inShape: shape,
    perm: [0, 3, 2, 1],
  }
  t.strictSame(await codes(transpose, [1, 2, 3, 4, 5, 6], 6), [1, 4, 2, 5, 3, 6])
  const pad: KmodelV4Node = {
    op: 'pad',
    in: codeIn(6),
    out: codeOut(6),
    inShape: shape,
    padN: none,
    padC: { before: 1, after: 0 },
    padH: none,
    padW: { before: 0, after: -1 },
    valueType: 'uint8',
    value: Uint8Array.of(9, 0, 0, 0),
  }
  t.strictSame(await codes(pad, [1, 2, 3, 4, 5, 6], 6), [9, 9, 1, 2, 4, 5])
  const slice: KmodelV4Node = {
    op: 'stridedSlice',
    in: codeIn(6),
    out: codeOut(4),
    inShape: shape,
    begin: [0, 0, 0, 2],
    end: [1, 2, 1, -1],
    strides: [1, 1, 1, -2],
    masks: [0, 0, 0, 0, 0],
  }
  t.strictSame(await codes(slice, [1, 2, 3, 4, 5, 6], 4), [3, 1, 6, 4])
  const concat: KmodelV4Node = {
    op: 'concat',
    out: codeOut(12),
    innerBytes: 1,
    outerCount: 2,
    inputCount: 2,
    inputs: [codeIn(6), codeIn(6)],
    dims: [3, 3],
  }
  t.strictSame(await codes(concat, [1, 2, 3, 4, 5, 6], 12), [1, 2, 3, 1, 2, 3, 4, 5, 6, 4, 5, 6])
  const copy: KmodelV4Node = { op: 'memoryCopy', in: codeIn(6), out: codeOut(6) }
  t.strictSame(await codes(copy, [1, 2, 3, 4, 5, 6], 6), [1, 2, 3, 4, 0, 0], 'whole floats only')
})

t.test('v4 resize: nearest, bilinear, align corners, uint8 is cut', async (t) => {
  const node = (mode: 'nearest' | 'bilinear', alignCorners: boolean, type: 'float32' | 'uint8'): KmodelV4Node => ({
    op: 'resizeImage',
    in: type === 'uint8' ? codeIn(2) : realIn(2),
    out: type === 'uint8' ? codeOut(4) : realOut(4),
    inShape: [1, 1, 1, 2],
    outHeight: 1,
    outWidth: 4,
    mode,
    alignCorners,
  })
  t.strictSame(await codes(node('nearest', false, 'uint8'), [1, 2], 4), [1, 1, 2, 2])
  t.strictSame(await floats(node('bilinear', false, 'float32'), [0, 4], 4), [0, 2, 4, 4])
  t.strictSame(await codes(node('bilinear', true, 'uint8'), [0, 4], 4), [0, 1, 2, 4])
})

t.test('v4 quantize and dequantize: halves go away from zero, codes are clamped', async (t) => {
  const quantize: KmodelV4Node = { op: 'quantize', in: realIn(5), out: codeOut(5), zeroPoint: 10, codesPerUnit: 2 }
  const out = await runNode(quantize, Float32Array.of(0.25, -0.75, 1000, -1000, 1.5), 5)
  t.strictSame([...out], [11, 9, 255, 0, 13], '10.5 and 8.5 go up')
  const dequantize: KmodelV4Node = { op: 'dequantize', in: codeIn(3), out: realOut(3), zeroPoint: 10, codesPerUnit: 4 }
  const real = await runNode(dequantize, Uint8Array.of(0, 10, 255), 12)
  t.strictSame([...new Float32Array(real.slice().buffer)], [-2.5, 0, 61.25])
})

t.test('v4 integer ops: binary, conv, matmul, lookup', async (t) => {
  const binary = (operation: 'add' | 'sub' | 'mul' | 'div' | 'min' | 'max'): KmodelV4Node => ({
    op: 'quantizedBinary',
    a: codeIn(2),
    b: codeIn(2),
    out: codeOut(2),
    operation,
    aShape: [1, 1, 1, 2],
    bShape: [1, 1, 1, 2],
    outShape: [1, 1, 1, 2],
    aOffset: -10,
    aMul: 3,
    aShift: 1,
    bOffset: 0,
    bMul: 1,
    bShift: 0,
    outOffset: 5,
    outMul: 1,
    outShift: 1,
  })
  // a' = (3 (a - 10) + 1) >> 1: 15 for 20, -15 for 0 (floor of -14.5); b' = 20, 0
  t.strictSame(await codes(binary('add'), [20, 0], 2), [23, 0], '(35 + 1) >> 1 = 18, (-15 + 1) >> 1 = -7')
  t.strictSame(await codes(binary('sub'), [20, 0], 2), [3, 0])
  t.strictSame(await codes(binary('mul'), [20, 0], 2), [155, 5])
  t.strictSame(await codes(binary('max'), [20, 0], 2), [15, 5])
  t.strictSame(await codes(binary('min'), [20, 0], 2), [13, 0])
  t.strictSame((await codes(binary('div'), [20, 1], 2)).slice(0, 1), [6], '(15 + 10) / 20 = 1')
  const conv: KmodelV4Node = {
    op: 'quantizedConv2d',
    in: codeIn(4),
    out: codeOut(2),
    inShape: [1, 2, 1, 2],
    groups: 1,
    outChannels: 1,
    ...WINDOW,
    inputOffset: -1,
    filterOffset: -2,
    outMul: 1,
    outShift: 1,
    outOffset: 5,
    bias: [4],
    weights: Uint8Array.of(3, 1),
  }
  t.strictSame(await codes(conv, [11, 21, 5, 5], 2), [10, 15], '(4 + 10 - 4) / 2 + 5, (4 + 20 - 4) / 2 + 5')
  const matmul: KmodelV4Node = {
    op: 'quantizedMatmul',
    a: codeIn(2),
    b: constant(2, 'uint8'),
    out: codeOut(1),
    aRows: 1,
    aCols: 2,
    bCols: 1,
    aOffset: -1,
    bOffset: 1,
    outMul: 1,
    outShift: 0,
    outOffset: 0,
    bias: [7],
  }
  t.strictSame(await codes(matmul, [3, 4], 1, Float32Array.of(0)), [12], '2 + 3 + 7')
  const table = new Float32Array(new Uint8Array(256).map((_, index) => 255 - index).buffer)
  const lookup: KmodelV4Node = { op: 'tableLookup1d', in: codeIn(2), table: constant(256, 'uint8'), out: codeOut(2) }
  t.strictSame(await codes(lookup, [0, 200], 2, table), [255, 55])
})

t.test('integer scaling: 64-bit products round half up, results are cut to 32 bits', async (t) => {
  t.equal(integerScale(1, 1)(3), 2)
  t.equal(integerScale(1, 1)(-3), -1)
  t.equal(integerScale(2 ** 31 - 1, 32)(2 ** 30), 2 ** 29, '2^61 needs more than a double')
  t.equal(integerScale(2 ** 31 - 1, 33)(-(2 ** 30)), -(2 ** 28))
  t.equal(integerScale(4, 0)(2 ** 31 - 1), -4)
})

t.test('v4 model: KPU layers, download and dequantize equal the slow reference', async (t) => {
  const model = smallKmodel()
  const simulation = await prepareModel(writeKmodelV4(model))
  t.match(simulation.inputs, [{ type: 'uint8', shape: [1, 3, 8, 12], bytes: 288 }])
  const input = createRandom(3).bytes(288)
  const run = simulation.run(input, { layers: true })
  const ram = new Uint8Array(2 << 20)
  uploadMap(ram, 0, input, { channels: 3, height: 8, width: 12 })
  const expected = model.nodes.flatMap((node) => {
    if (node.op !== 'kpuConv2d') return []
    const { layer, batchNorm, activation, weights } = node.kpu
    referenceLayer(ram, layer, { bn: batchNorm, activation, weights, weightBits: 8 })
    return [
      downloadMap(ram, layer.imageDstAddr, { channels: layer.oChNum, height: layer.oColHigh, width: layer.oRowWid }),
    ]
  })
  t.strictSame(
    run.layers.slice(0, 2).map(({ data }) => data),
    expected,
  )
  t.strictSame(
    run.layers.map(({ kind, shape }) => [kind, shape]),
    [
      ['kpuConv2d', [4, 4, 6]],
      ['kpuConv2d', [2, 4, 6]],
      ['dequantize', null],
    ],
  )
  t.strictSame(
    [...new Float32Array(run.outputs[0]!.slice().buffer)],
    [...expected[1]!].map((code) => (code - 10) / 4),
  )
})

t.test('v4 model: batches run one after another in KPU RAM', async (t) => {
  const [first] = smallKmodel().nodes
  if (first?.op !== 'kpuConv2d') throw new Error('the first node is a KPU layer')
  const kpu = { ...first.kpu, layer: { ...first.kpu.layer, imageDstAddr: 100 } }
  const input = createRandom(4).bytes(288 * 3)
  const model: KmodelV4Model = {
    inputs: [{ range: main(0, input.length, 'uint8'), shape: [3, 3, 8, 12] }],
    outputs: [main(1024, 288, 'uint8')],
    constants: new Uint8Array(0),
    mainBytes: 2048,
    nodes: [
      {
        op: 'kpuUpload',
        in: main(0, input.length, 'uint8'),
        out: { memory: 'kpu', type: 'uint8', start: 0, bytes: 3 * 8 * 64 },
        inShape: [3, 3, 8, 12],
      },
      { op: 'kpuConv2d', mainMemOutput: main(1024, 288, 'uint8'), batches: 3, kpu },
    ],
  }
  const batched = (await prepareModel(writeKmodelV4(model))).run(input).outputs[0]!
  const single = await prepareModel(writeKmodelV4(smallKmodel()))
  for (let n = 0; n < 3; n++) {
    const alone = single.run(input.subarray(n * 288, (n + 1) * 288), { layers: true }).layers[0]!.data
    t.strictSame(batched.subarray(n * 96, (n + 1) * 96), alone, `item ${n}`)
  }
})

t.test('onLayer: is told of every layer in order', async (t) => {
  const seen: string[] = []
  const simulation = await prepareModel(writeKmodelV4(smallKmodel()), {
    onLayer: (index, kind) => seen.push(`${index} ${kind}`),
  })
  simulation.run(new Uint8Array(288))
  t.strictSame(seen, ['0 kpuConv2d', '1 kpuConv2d', '2 dequantize'])
})

t.test('inputs: wrong size, type or number are refused', async (t) => {
  const simulation = await prepareModel(writeKmodelV4(smallKmodel()))
  await throwsAt(t, () => simulation.run(new Uint8Array(287)), 'SIM_INPUT', { input: 0, shape: '1x3x8x12' })
  await throwsAt(t, () => simulation.run(new Float32Array(72)), 'SIM_INPUT', { input: 0 })
  await throwsAt(t, () => simulation.run([]), 'SIM_INPUT')
})

t.test('models: unknown opcodes, bad ranges and illegal layers are refused with their place', async (t) => {
  const base = smallKmodel()
  const unknown = writeKmodelV4({ ...base, nodes: [{ op: 'memoryCopy', in: main(0, 8), out: main(8, 8) }] })
  new DataView(unknown.buffer).setUint32(104, 0x1001, true)
  await throwsAt(t, () => prepareModel(unknown), 'SIM_UNSUPPORTED', { node: 0 })
  const far = writeKmodelV4({ ...base, nodes: [{ op: 'memoryCopy', in: main(0, 8), out: main(1 << 20, 8) }] })
  const simulation = await prepareModel(far)
  await throwsAt(t, () => simulation.run(new Uint8Array(288)), 'KMODEL_INVALID', { layer: 0, kind: 'memoryCopy' })
  const [first] = base.nodes
  if (first?.op !== 'kpuConv2d') throw new Error('the first node is a KPU layer')
  const overlapping = { ...first, kpu: { ...first.kpu, layer: { ...first.kpu.layer, imageDstAddr: 1 } } }
  await throwsAt(t, () => prepareModel(writeKmodelV4({ ...base, nodes: [overlapping] })), 'KPU_LIMIT', { node: 0 })
})

t.test('damaged models: run to the end or give a BridgeError', async (t) => {
  const random = createRandom()
  t.comment(`seed ${random.seed}`)
  const model = smallKmodel()
  const files = [writeKmodelV4(model)]
  for (const node of Object.values(EVERY_OP)) files.push(writeKmodelV4({ ...model, nodes: [node] }))
  const failures: string[] = []
  for (let round = 0; round < 10 * files.length; round++) {
    const file = files[round % files.length]!.slice()
    const last = Math.min(file.length, 420) - 1
    for (let flips = random.integer(1, 4); flips > 0; flips--) file[random.integer(16, last)] = random.integer(0, 255)
    try {
      const simulation = await prepareModel(file)
      simulation.run(simulation.inputs.map(({ bytes }) => new Uint8Array(bytes)))
    } catch (error) {
      if (!isBridgeError(error)) failures.push(`round ${round}: ${error}`)
    }
  }
  t.strictSame(failures, [])
})

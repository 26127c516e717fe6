import { readFile } from 'node:fs/promises'
import t from 'tap'
import { BridgeError } from '../../host/foundation/errors.js'
import { GraphBuilder } from '../../host/ir/builder.js'
import { evenPads, square } from '../../host/ir/op.js'
import { printGraph } from '../../host/ir/printer.js'
import { importOnnx } from '../../host/onnx/import.js'
import { ATTRIBUTE, ELEMENT, ModelType, type OnnxAttribute, type OnnxNode } from '../../host/onnx/schema.js'
import { halfToNumber, readTensor } from '../../host/onnx/tensors.js'
import { writeOnnx } from '../../host/onnx/writer.js'
import { createReference } from '../../host/reference/reference.js'
import { createRandom } from '../support/random.js'
import { noSharedData, sharedData } from '../support/shared-data.js'
import { throwsCode } from '../support/throws-code.js'

const ints = (name: string, ...values: number[]): OnnxAttribute => ({ name, ints: values, type: ATTRIBUTE.ints })
const int = (name: string, value: number): OnnxAttribute => ({ name, i: value, type: ATTRIBUTE.int })
const float = (name: string, value: number): OnnxAttribute => ({ name, f: value, type: ATTRIBUTE.float })

const node = (opType: string, input: string[], output: string[], attribute: OnnxAttribute[] = []): OnnxNode => ({
  opType,
  name: output[0],
  input,
  output,
  attribute,
})

const int64Tensor = (name: string, ...values: number[]) => ({
  name,
  dims: [values.length],
  dataType: ELEMENT.int64,
  int64Data: values,
})

/** Bytes of a model with one input `x`; sizes below 1 are written as dynamic axes. */
function model(opset: number, shape: number[], nodes: OnnxNode[], outputs: string[], initializer: object[] = []) {
  const dim = shape.map((size) => (size > 0 ? { dimValue: size } : { dimParam: 'N' }))
  const type = { tensorType: { elemType: ELEMENT.float32, shape: { dim } } }
  const graph = { node: nodes, initializer, input: [{ name: 'x', type }], output: outputs.map((name) => ({ name })) }
  const message = { irVersion: 7, opsetImport: [{ domain: '', version: opset }], graph }
  return new Uint8Array(ModelType.encode(ModelType.fromObject(message)).finish())
}

const lines = (bytes: Uint8Array) =>
  printGraph(importOnnx(bytes, 'm'))
    .trimEnd()
    .split('\n')
    .slice(1)
    .map((l) => l.trim())

t.test('import: shape arithmetic of an exporter is folded while reading', async (t) => {
  const bytes = model(
    11,
    [0, 4, 2, 3],
    [
      node('Shape', ['x'], ['shape']),
      node('Constant', [], ['zero'], [{ name: 'value', t: int64Tensor('', 0), type: ATTRIBUTE.tensor }]),
      node('Gather', ['shape', 'zero'], ['batch']),
      node('Cast', ['batch'], ['cast'], [int('to', ELEMENT.int64)]),
      node('Concat', ['cast', 'rest'], ['target'], [int('axis', 0)]),
      node('Reshape', ['x', 'target'], ['y']),
    ],
    ['y'],
    [int64Tensor('rest', -1, 6)],
  )
  t.same(lines(bytes), ['y: [1,4,6] = reshape shape=1,4,6 (x)', 'return y'])
})

t.test('import: attributes of old operator sets and inputs of new ones give the same IR', async (t) => {
  const old = model(
    9,
    [1, 2, 6, 6],
    [
      node('Clip', ['x'], ['a'], [float('min', 0), float('max', 6)]),
      node('Slice', ['a'], ['b'], [ints('axes', 2), ints('starts', 1), ints('ends', 2 ** 40)]),
      node('Unsqueeze', ['b'], ['c'], [ints('axes', 0)]),
      node('Squeeze', ['c'], ['d'], [ints('axes', 0)]),
    ],
    ['d'],
  )
  const scalar = (name: string, value: number) => ({ name, dims: [], dataType: ELEMENT.float32, floatData: [value] })
  const recent = model(
    13,
    [1, 2, 6, 6],
    [
      node('Clip', ['x', 'low', 'high'], ['a']),
      node('Slice', ['a', 'starts', 'ends', 'axes'], ['b']),
      node('Unsqueeze', ['b', 'zero'], ['c']),
      node('Squeeze', ['c', 'zero'], ['d']),
    ],
    ['d'],
    [
      scalar('low', 0),
      scalar('high', 6),
      int64Tensor('starts', 1),
      int64Tensor('ends', 2 ** 40),
      int64Tensor('axes', 2),
      int64Tensor('zero', 0),
    ],
  )
  t.same(lines(old), lines(recent))
  t.same(lines(old)[0], 'a: [1,2,6,6] = activation clip(0,6) (x)')
})

t.test('import: auto_pad SAME_UPPER puts the odd pixel at the end', async (t) => {
  const attributes = [ints('kernel_shape', 2, 2), ints('strides', 1, 1)]
  const mode: OnnxAttribute = { name: 'auto_pad', s: new TextEncoder().encode('SAME_UPPER'), type: ATTRIBUTE.string }
  const bytes = model(11, [1, 1, 4, 4], [node('MaxPool', ['x'], ['y'], [...attributes, mode])], ['y'])
  t.same(lines(bytes)[0], 'y: [1,1,4,4] = pool2d max 2x2 stride=1x1 pads=0,0,1,1 (x)')
})

t.test('import: unsupported nodes are all named in one report, with operator and operator set', async (t) => {
  const bytes = model(
    12,
    [1, 2, 4, 4],
    [
      node('Relu', ['x'], ['a']),
      node('LSTM', ['a'], ['b']),
      node('Relu', ['b'], ['c']),
      node('Einsum', ['c'], ['d']),
      node('Pad', ['a'], ['e'], [{ name: 'mode', s: new TextEncoder().encode('reflect'), type: ATTRIBUTE.string }]),
    ],
    ['d', 'e'],
  )
  const error = await throwsCode(t, 'ONNX_UNSUPPORTED', () => importOnnx(bytes, 'm'))
  t.equal(error.where.nodes, 'b,d,e')
  t.match(error.what, /b \(LSTM, opset 12\).*d \(Einsum, opset 12\).*e \(Pad, opset 12\): mode reflect/)
  t.same(lines(model(12, [1, 2, 4, 4], [node('Relu', ['x'], ['a']), node('LSTM', ['a'], ['b'])], ['a'])).length, 2)
})

t.test('import: --outputs ends before operators that nobody knows', async (t) => {
  const bytes = model(12, [1, 2, 4, 4], [node('Relu', ['x'], ['a']), node('LSTM', ['a'], ['b'])], ['b'])
  t.same(importOnnx(bytes, 'm', { outputs: ['a'] }).outputs, ['a'])
  await throwsCode(t, 'NOT_FOUND', () => importOnnx(bytes, 'm', { outputs: ['z'] }))
})

t.test('import: an open shape is asked for, a given one is taken', async (t) => {
  const bytes = model(12, [0, 3, 0, 0], [node('Relu', ['x'], ['a'])], ['a'])
  const error = await throwsCode(t, 'COMPILE_SHAPE', () => importOnnx(bytes, 'm'))
  t.match(error.fix, /--input-shape x=/)
  const graph = importOnnx(bytes, 'm', { inputShapes: { x: [1, 3, 12, 16] } })
  t.same(graph.tensors.get('a')!.shape, [1, 3, 12, 16])
})

t.test('import: text, nothing, unknown operator sets and tensors without their data are refused', async (t) => {
  const text = new TextEncoder().encode('this is not a network at all, only text')
  await throwsCode(t, 'ONNX_FORMAT', () => importOnnx(text, 'm'))
  await throwsCode(t, 'ONNX_FORMAT', () => importOnnx(new Uint8Array(), 'm'))
  const relu = [node('Relu', ['x'], ['a'])]
  await throwsCode(t, 'ONNX_UNSUPPORTED', () => importOnnx(model(6, [1, 1, 4, 4], relu, ['a']), 'm'))
  const huge = { name: 'w', dims: [2 ** 30, 2 ** 10], dataType: ELEMENT.float32, rawData: new Uint8Array(8) }
  await throwsCode(t, 'ONNX_FORMAT', () => importOnnx(model(12, [1, 1, 4, 4], relu, ['a'], [huge]), 'm'))
})

t.test('tensors: half precision, doubles and 64-bit integers are read', async (t) => {
  t.same([0x3c00, 0xc000, 0x0001, 0x7c00].map(halfToNumber), [1, -2, 2 ** -24, Number.POSITIVE_INFINITY])
  const half = { dims: [2], dataType: ELEMENT.float16, rawData: Uint8Array.of(0, 0x3c, 0, 0xc0) }
  t.same(Array.from(readTensor(half).data), [1, -2])
  const long = { dims: [1], dataType: ELEMENT.int64, rawData: new Uint8Array(new BigInt64Array([2n ** 62n]).buffer) }
  t.same(Array.from(readTensor(long).data), [2 ** 31 - 1], 'saturated')
})

t.test('round trip: a written network is read back as the same IR', async (t) => {
  const b = new GraphBuilder('m')
  const x = b.input('x', [1, 2, 8, 8])
  const weights = Float32Array.from({ length: 36 }, (_, i) => i / 7)
  const y = b.conv2d(
    x,
    { weights, shape: [2, 2, 3, 3], stride: square(2), pads: evenPads(1), bias: Float32Array.of(1, 2) },
    'c',
  )
  const z = b.activation(y, { fn: 'leakyRelu', slope: 0.125 }, 'a')
  const graph = b.output(b.maxPool(z, square(2), square(2), {}, 'p')).build()
  t.equal(printGraph(importOnnx(writeOnnx(graph), 'm')), printGraph(graph))
})

t.test('import: damaged copies of a network are refused or read, never a crash', async (t) => {
  const b = new GraphBuilder('m')
  const x = b.input('x', [1, 2, 8, 8])
  const y = b.conv2d(x, { weights: new Float32Array(4), shape: [2, 2, 1, 1] }, 'c')
  const bytes = writeOnnx(b.output(b.activation(y, { fn: 'clip', min: 0, max: 6 }, 'a')).build())
  const random = createRandom()
  t.comment(`seed ${random.seed}`)
  const started = performance.now()
  for (let i = 0; i < 1500; i++) {
    const copy = bytes.slice(0, random.integer(0, 4) === 0 ? random.integer(0, bytes.length) : bytes.length)
    for (let k = random.integer(1, 4); k > 0; k--) copy[random.integer(0, copy.length - 1)] = random.integer(0, 255)
    try {
      importOnnx(copy, 'm')
    } catch (error) {
      if (!(error instanceof BridgeError)) t.fail(`${error} for ${Buffer.from(copy).toString('hex')}`)
    }
  }
  t.ok(performance.now() - started < 20_000, 'no copy takes long')
})

const folder = sharedData('models')
t.test(
  'shared models: read and written again they give the same results',
  { skip: folder ? false : noSharedData },
  async (t) => {
    const names = ['ulfd_slim320', 'ulfd_slim320_nopost', 'mobilefacenet_foamliu', 'mbv2_yolofastest_voc', 'mtcnn_onet']
    for (const name of names) {
      const bytes = new Uint8Array(await readFile(`${folder}/${name}.onnx`))
      const graph = importOnnx(bytes, name)
      const [original, written] = [await createReference(bytes), await createReference(writeOnnx(graph))]
      const count = graph.tensors.get(graph.inputs[0]!)!.shape.reduce((a, c) => a * c, 1)
      const input = Float32Array.from({ length: count }, (_, k) => ((31 * k + 7) % 251) / 255)
      const wanted = Object.values(await original.run({ [original.inputs[0]!.name]: input }))
      const got = Object.values(await written.run({ [graph.inputs[0]!]: input }))
      const worst = wanted.map((values, i) => values.reduce((m, v, k) => Math.max(m, Math.abs(v - got[i]![k]!)), 0))
      t.ok(Math.max(...worst) < 1e-3, `${name}: largest difference ${Math.max(...worst)}`)
      await original.dispose()
      await written.dispose()
    }
  },
)

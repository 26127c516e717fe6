import t from 'tap'
import { GraphBuilder } from '../../host/ir/builder.js'
import { conv2dOp, evenPads, NO_ACTIVATION, square } from '../../host/ir/op.js'
import { writeOnnx } from '../../host/onnx/writer.js'
import { createReference } from '../../host/reference/reference.js'

const ramp = (n: number) => Float32Array.from({ length: n }, (_, i) => (i % 13) - 6)

t.test('writer: onnxruntime runs a written net and offers inner tensors', async (t) => {
  const b = new GraphBuilder('net')
  const x = b.input('x', [1, 1, 4, 4])
  const y = b.conv2d(x, { weights: Float32Array.of(2), shape: [1, 1, 1, 1], bias: Float32Array.of(1) }, 'y')
  const z = b.activation(y, { fn: 'leakyRelu', slope: 0.5 }, 'z')
  const graph = b.output(b.maxPool(z, square(2), square(2), {}, 'p')).build()
  const reference = await createReference(writeOnnx(graph, { outputs: ['p', 'z'] }))
  t.same(reference.inputs, [{ name: 'x', shape: [1, 1, 4, 4] }])
  t.same(reference.outputs, ['p', 'z'])
  const input = ramp(16)
  const out = await reference.run({ x: input })
  const z0 = Array.from(input, (v) => (2 * v + 1 < 0 ? v + 0.5 : 2 * v + 1))
  t.same(Array.from(out.z!), z0)
  t.same(
    Array.from(out.p!),
    [0, 2, 8, 10].map((i) => Math.max(z0[i]!, z0[i + 1]!, z0[i + 4]!, z0[i + 5]!)),
  )
  await t.rejects(reference.run({ x: ramp(3) }), { code: 'REFERENCE_RUN' })
  await reference.dispose()
})

t.test('writer: fused activation, pool and pad value of one convolution are written as nodes', async (t) => {
  const b = new GraphBuilder('net')
  const x = b.input('x', [1, 1, 5, 4])
  const w = b.constant(new Float32Array(9).fill(1), [1, 1, 3, 3])
  const op = conv2dOp({
    kernel: square(3),
    pads: evenPads(1),
    padValue: 7,
    activation: { fn: 'clip', min: -1, max: 20 },
    pool: 'leftTop2s2',
  })
  const graph = b.output(b.node(op, [x, w], 'y')).build()
  const reference = await createReference(writeOnnx(graph))
  const input = ramp(20)
  const at = (row: number, col: number) => (row < 0 || row > 4 || col < 0 || col > 3 ? 7 : input[row * 4 + col]!)
  const expected = [0, 2].flatMap((row) =>
    [0, 2].map((col) => {
      let sum = 0
      for (let dy = -1; dy <= 1; dy++) for (let dx = -1; dx <= 1; dx++) sum += at(row + dy, col + dx)
      return Math.min(20, Math.max(-1, sum))
    }),
  )
  t.same(Array.from((await reference.run({ x: input })).y!), expected)
  await reference.dispose()
})

t.test('writer: a KPU layer is written as the float convolution it stands for', async (t) => {
  const b = new GraphBuilder('net')
  const x = b.input('x', [1, 2, 4, 4])
  const w = b.constant(
    Float32Array.from({ length: 18 }, (_, i) => (i % 9 === 4 ? 3 : 0)),
    [2, 1, 3, 3],
  )
  const y = b.node(
    { kind: 'kpuConv2d', kernel: 3, depthwise: true, padValue: 0, activation: NO_ACTIVATION, pool: 'none' },
    [x, w],
    'y',
  )
  const reference = await createReference(writeOnnx(b.output(y).build()))
  const input = ramp(32)
  t.same(
    Array.from((await reference.run({ x: input })).y!),
    Array.from(input, (v) => v * 3),
  )
  await reference.dispose()
})

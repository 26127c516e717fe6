import t from 'tap'
import type { KmodelV3, V3Layer } from '../../host/kmodel/v3/model.js'
import { prepareModel } from '../../host/simulator/model.js'
import { throwsAt } from '../support/throws-at.js'

/** Runs one v3 layer on 16 floats at address 0 (an identity dense layer comes first); the result lies at 1024. */
async function runV3(layer: V3Layer, input: readonly number[], outBytes: number): Promise<Uint8Array> {
  const identity: V3Layer = {
    type: 'fullyConnected',
    flags: 1,
    in: 2048,
    out: 0,
    inChannels: 16,
    outChannels: 16,
    activation: 'linear',
    weights: Float32Array.from({ length: 256 }, (_, index) => (index % 17 === 0 ? 1 : 0)),
    bias: new Float32Array(16),
  }
  const model: KmodelV3 = {
    version: 3,
    weightBits: 8,
    maxStartRow: 32_768,
    mainBytes: 4096,
    outputs: [{ address: 1024, bytes: outBytes }],
    layers: [identity, layer],
    places: [],
    usedBytes: 0,
  }
  const simulation = await prepareModel(model)
  return simulation.run(Float32Array.from({ length: 16 }, (_, index) => input[index] ?? 0)).outputs[0]!
}
const v3Floats = async (layer: V3Layer, input: readonly number[], count: number): Promise<number[]> => [
  ...new Float32Array((await runV3(layer, input, count * 4)).slice().buffer),
]
/** Floats whose bytes are the codes given. */
const asFloats = (bytes: readonly number[]): number[] => {
  const padded = Uint8Array.from({ length: 64 }, (_, index) => bytes[index] ?? 0)
  return [...new Float32Array(padded.buffer)]
}
const v3Codes = async (layer: V3Layer, bytes: readonly number[], count: number): Promise<number[]> => [
  ...(await runV3(layer, asFloats(bytes), count)),
]
const at = { flags: 1, in: 0, out: 1024 }

t.test('v3 float layers', async (t) => {
  const add: V3Layer = { type: 'add', flags: 1, a: 0, b: 8, out: 1024, count: 2 }
  t.strictSame(await v3Floats(add, [1, 2, 10, 20], 2), [11, 22])
  t.strictSame(
    await v3Floats({ type: 'globalAveragePool2d', ...at, kernelSize: 2, channels: 2 }, [1, 2, 4, 8], 2),
    [1.5, 6],
  )
  t.strictSame(
    await v3Floats({ type: 'tensorflowFlatten', ...at, width: 2, height: 1, channels: 2 }, [1, 2, 3, 4], 4),
    [1, 3, 2, 4],
  )
  t.strictSame(await v3Floats({ type: 'l2Normalization', ...at, channels: 2 }, [3, 4], 2), [
    Math.fround(3 * Math.fround(0.2)),
    Math.fround(4 * Math.fround(0.2)),
  ])
  t.strictSame(await v3Floats({ type: 'l2Normalization', ...at, channels: 2 }, [0, 0], 2), [0, 0])
  t.strictSame(await v3Floats({ type: 'softmax', ...at, channels: 2 }, [5, 5], 2), [0.5, 0.5])
  t.ok(
    Number.isNaN((await v3Floats({ type: 'softmax', ...at, channels: 2 }, [-1000, -1000], 2))[0]),
    'underflows as the runtime does',
  )
  t.strictSame(await v3Floats({ type: 'logistic', ...at, channels: 2 }, [0, 1000], 2), [0.5, 1])
  const resize = { inWidth: 2, inHeight: 1, inChannels: 1, outWidth: 4, outHeight: 1, alignCorners: 0 }
  t.strictSame(await v3Floats({ type: 'resizeNearest', ...at, ...resize }, [1, 2], 4), [1, 1, 2, 2])
  const dense: V3Layer = {
    type: 'fullyConnected',
    ...at,
    inChannels: 2,
    outChannels: 2,
    activation: 'relu6',
    weights: Float32Array.of(1, 1, -1, 0),
    bias: Float32Array.of(1, 0),
  }
  t.strictSame(await v3Floats(dense, [5, 6], 2), [6, 0])
})

const POOL = {
  inWidth: 3,
  inHeight: 1,
  inChannels: 1,
  outWidth: 2,
  outHeight: 1,
  outChannels: 1,
  kernelWidth: 2,
  kernelHeight: 1,
  strideWidth: 2,
  strideHeight: 1,
  padWidth: 0,
  padHeight: 0,
}

t.test('v3 pools: windows are cut at the edge', async (t) => {
  t.strictSame(await v3Floats({ type: 'averagePool2d', ...at, ...POOL, activation: 'relu6' }, [1, 2, 9], 2), [1.5, 9])
  t.strictSame(await v3Codes({ type: 'quantizedMaxPool2d', ...at, ...POOL }, [3, 7, 5], 2), [7, 5])
})

t.test('v3 code layers', async (t) => {
  t.strictSame(
    [...(await runV3({ type: 'quantize', ...at, count: 4, scale: 0.5, bias: -1 }, [-1, 0.25, 1000, -1000], 4))],
    [0, 3, 255, 0],
  )
  const dequantize: V3Layer = { type: 'dequantize', ...at, count: 2, scale: 0.5, bias: -1 }
  const real = await runV3(dequantize, asFloats([0, 255]), 8)
  t.strictSame([...new Float32Array(real.slice().buffer)], [-1, 126.5])
  const channelwise: V3Layer = {
    type: 'channelwiseDequantize',
    ...at,
    channels: 2,
    channelSize: 1,
    parameters: [
      { scale: 1, bias: 0 },
      { scale: 2, bias: 5 },
    ],
  }
  const perChannel = await runV3(channelwise, asFloats([3, 4]), 8)
  t.strictSame([...new Float32Array(perChannel.slice().buffer)], [3, 13])
  const table = Uint8Array.from({ length: 256 }, (_, index) => 255 - index)
  t.strictSame(await v3Codes({ type: 'requantize', ...at, count: 2, table }, [0, 5], 2), [255, 250])
  const concat: V3Layer = {
    type: 'concat',
    flags: 1,
    out: 1024,
    inputCount: 2,
    inputs: [
      { start: 2, bytes: 2 },
      { start: 0, bytes: 1 },
    ],
  }
  t.strictSame(await v3Codes(concat, [1, 2, 3, 4], 3), [3, 4, 1])
  t.strictSame(
    await v3Codes(
      { type: 'k210RemovePadding', ...at, channels: 2 },
      Array.from({ length: 32 }, (_, k) => k),
      2,
    ),
    [0, 16],
  )
  const resize = { inWidth: 1, inHeight: 2, inChannels: 1, outWidth: 2, outHeight: 2, alignCorners: 0 }
  t.strictSame(await v3Codes({ type: 'quantizedResizeNearest', ...at, ...resize }, [7, 8], 4), [7, 7, 8, 8])
})

t.test('v3 quantizedAdd: rounds as the runtime does', async (t) => {
  const layer: V3Layer = {
    type: 'quantizedAdd',
    flags: 1,
    a: 0,
    b: 8,
    out: 1024,
    count: 3,
    aOffset: -100,
    aMul: 1,
    aShift: 0,
    bOffset: 0,
    bMul: 1,
    bShift: 0,
    outOffset: 50,
    outMul: 1,
    outShift: 1,
  }
  // sums: 3, -3, -4; R(3, 1) = 2, R(-3, 1) = -3 (odd negatives go one further), R(-4, 1) = -2
  t.strictSame(await v3Codes(layer, [103, 97, 96], 3), [52, 47, 48])
})

t.test('v3 KPU layers: add padding leaves other bytes, upload goes to rows', async (t) => {
  const upload: V3Layer = { type: 'k210Upload', flags: 0, in: 0, outRow: 5, width: 4, height: 4, channels: 2 }
  const addPadding: V3Layer = { type: 'k210AddPadding', flags: 0, in: 0, outRow: 5, channels: 2 }
  const model: KmodelV3 = {
    version: 3,
    weightBits: 8,
    maxStartRow: 0,
    mainBytes: 4096,
    outputs: [],
    layers: [
      {
        type: 'fullyConnected',
        flags: 1,
        in: 512,
        out: 0,
        inChannels: 8,
        outChannels: 8,
        activation: 'linear',
        weights: Float32Array.from({ length: 64 }, (_, k) => (k % 9 === 0 ? 1 : 0)),
        bias: new Float32Array(8),
      },
      upload,
      addPadding,
    ],
    places: [],
    usedBytes: 0,
  }
  const bytes = Uint8Array.from({ length: 32 }, (_, k) => k + 1)
  const { layers } = (await prepareModel(model)).run(new Float32Array(bytes.buffer), { layers: true })
  t.strictSame(layers[1]!.data, bytes)
  const padded = bytes.slice()
  padded[16] = 2
  t.strictSame(layers[2]!.data, padded, 'byte c at (c, 0, 0)')
})

t.test('v3: a first layer that the runtime cannot feed is refused', async (t) => {
  const model: KmodelV3 = {
    version: 3,
    weightBits: 8,
    maxStartRow: 0,
    mainBytes: 64,
    outputs: [],
    layers: [{ type: 'logistic', ...at, channels: 1 }],
    places: [],
    usedBytes: 0,
  }
  await throwsAt(t, () => prepareModel(model), 'SIM_UNSUPPORTED', { layer: 0 })
})

import { BridgeError } from '../../foundation/errors.js'
import { ACTIVATION_BYTES } from '../../kpu/activation-table.js'
import { BATCH_NORM_BYTES } from '../../kpu/batch-norm.js'
import { decodeLayer, LAYER_BYTES } from '../../kpu/layer-words.js'
import { ByteReader } from '../bytes.js'
import { choice, type FieldKind, type Fields, f32, f32s, i32, numberOf, repeat, u8s, u32 } from '../fields.js'
import { type KpuBlocks, weightBytesOf, withoutAddresses } from '../v4/kpu-blocks.js'

const layer = <F extends Fields>(id: number, fields: F) => ({ id, fields })

/** Bit 0: MAIN_MEM_OUT; only k210_conv reads it. */
const flags = u32
const activation = choice(['linear', 'relu', 'relu6'])
const readOnly = (): never => {
  throw new BridgeError('INTERNAL', { what: 'kmodel v3 is only read' })
}

/**
 * Four file offsets, then the blocks themselves. `values.weightBits` (from the file header) tells the weights' size.
 * Source: kmodel-v3.md section 3.
 */
const convBlocks: FieldKind<KpuBlocks> = {
  read(r, values) {
    const offsets = [r.u32(), r.u32(), r.u32(), r.u32()] as const
    const block = (offset: number, bytes: number): Uint8Array =>
      new ByteReader(r.file, offset, r.file.length).bytes(bytes)
    const kpuLayer = decodeLayer(block(offsets[0], LAYER_BYTES))
    const weightBits = numberOf(values, 'weightBits') === 16 ? 16 : 8
    const weights = block(offsets[1], weightBytesOf(kpuLayer, weightBits, offsets[0]))
    const batchNorm = block(offsets[2], kpuLayer.oChNum * BATCH_NORM_BYTES)
    return {
      layer: withoutAddresses(kpuLayer),
      weights,
      batchNorm,
      activation: block(offsets[3], ACTIVATION_BYTES),
    }
  },
  write: readOnly,
}

const byteRange: FieldKind<{ readonly start: number; readonly bytes: number }> = {
  read: (r) => ({ start: r.u32(), bytes: r.u32() }),
  write: readOnly,
}

const scaleBias: FieldKind<{ readonly scale: number; readonly bias: number }> = {
  read: (r) => ({ scale: r.f32(), bias: r.f32() }),
  write: readOnly,
}

const inOut = { flags, in: u32, out: u32 }
const poolShape = {
  ...inOut,
  inWidth: u32,
  inHeight: u32,
  inChannels: u32,
  outWidth: u32,
  outHeight: u32,
  outChannels: u32,
  kernelWidth: u32,
  kernelHeight: u32,
  strideWidth: u32,
  strideHeight: u32,
  padWidth: u32,
  padHeight: u32,
}
const resize = {
  ...inOut,
  inWidth: u32,
  inHeight: u32,
  inChannels: u32,
  outWidth: u32,
  outHeight: u32,
  alignCorners: u32,
}
const concat = { flags, out: u32, inputCount: u32, inputs: repeat(byteRange, (v) => numberOf(v, 'inputCount'), 8) }
const linear = { ...inOut, count: u32, scale: f32, bias: f32 }
const vector = { ...inOut, channels: u32 }
const map = { ...inOut, width: u32, height: u32, channels: u32 }

/**
 * Every layer type that the vendor's runtime runs, with its body's fields. in/out are byte offsets in main memory, or
 * KPU rows where the name says so; real = code * scale + bias. Source: kmodel-v3.md sections 2 and 3.
 */
export const LAYERS = {
  add: layer(1, { flags, a: u32, b: u32, out: u32, count: u32 }),
  quantizedAdd: layer(2, {
    flags,
    a: u32,
    b: u32,
    out: u32,
    count: u32,
    aOffset: i32,
    aMul: i32,
    aShift: i32,
    bOffset: i32,
    bMul: i32,
    bShift: i32,
    outOffset: i32,
    outMul: i32,
    outShift: i32,
  }),
  globalAveragePool2d: layer(5, { ...inOut, kernelSize: u32, channels: u32 }),
  quantizedMaxPool2d: layer(8, poolShape),
  averagePool2d: layer(9, { ...poolShape, activation }),
  quantize: layer(11, linear),
  dequantize: layer(12, linear),
  requantize: layer(13, { ...inOut, count: u32, table: u8s(() => 256) }),
  l2Normalization: layer(14, vector),
  softmax: layer(15, vector),
  concat: layer(16, concat),
  quantizedConcat: layer(17, concat),
  fullyConnected: layer(18, {
    ...inOut,
    inChannels: u32,
    outChannels: u32,
    activation,
    weights: f32s((v) => numberOf(v, 'inChannels') * numberOf(v, 'outChannels')),
    bias: f32s((v) => numberOf(v, 'outChannels')),
  }),
  tensorflowFlatten: layer(20, map),
  resizeNearest: layer(22, resize),
  quantizedResizeNearest: layer(23, resize),
  channelwiseDequantize: layer(24, {
    ...inOut,
    channels: u32,
    channelSize: u32,
    parameters: repeat(scaleBias, (v) => numberOf(v, 'channels'), 8),
  }),
  logistic: layer(25, vector),
  k210Conv: layer(10240, { flags, mainOut: u32, kpu: convBlocks }),
  k210AddPadding: layer(10241, { flags, in: u32, outRow: u32, channels: u32 }),
  k210RemovePadding: layer(10242, vector),
  k210Upload: layer(10243, { flags, in: u32, outRow: u32, width: u32, height: u32, channels: u32 }),
} as const

/** Layer names by type id. */
export const LAYER_NAMES: ReadonlyMap<number, keyof typeof LAYERS> = new Map(
  Object.entries(LAYERS).map(([name, row]) => [row.id, name as keyof typeof LAYERS]),
)

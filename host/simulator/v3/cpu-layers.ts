import type { V3LayerName, V3LayerOf } from '../../kmodel/v3/model.js'
import { accumulate, add32, div32, exp32, f32, mul32, roundHalfAway, sqrt32, toCode } from '../float32.js'
import { floatsOf, type ModelMemory, mainBytes, storeBytes, storeFloats } from '../memory.js'
import { countOf } from '../v4/tensors.js'

/** Where a CPU layer's result lies in main memory. */
export interface ByteRange {
  readonly start: number
  readonly bytes: number
}

type CpuLayer<N extends V3LayerName> = (layer: V3LayerOf<N>, memory: ModelMemory) => ByteRange

const bytesAt = (memory: ModelMemory, start: number, count: number): Uint8Array =>
  mainBytes(memory, start, countOf([count])).slice()
const floatsAt = (memory: ModelMemory, start: number, count: number): Float32Array =>
  floatsOf(mainBytes(memory, start, countOf([count]) * 4))

function store(memory: ModelMemory, start: number, values: Float32Array | Uint8Array): ByteRange {
  const target = mainBytes(memory, start, values.byteLength)
  if (values instanceof Float32Array) storeFloats(target, values)
  else storeBytes(target, values)
  return { start, bytes: values.byteLength }
}

const roundUp8 = (count: number): number => Math.ceil(count / 8) * 8

const add: CpuLayer<'add'> = (layer, memory) => {
  const b = floatsAt(memory, layer.b, layer.count)
  return store(
    memory,
    layer.out,
    floatsAt(memory, layer.a, layer.count).map((value, index) => value + b[index]!),
  )
}

/** The runtime's rounding shift: negatives of odd halves move away from zero. */
function roundShift(value: bigint, shift: bigint): bigint {
  if (shift === 0n) return value
  const half = value >> (shift - 1n)
  if ((half & 1n) === 0n) return half >> 1n
  return half >= 0n ? (half >> 1n) + 1n : (half >> 1n) - 1n
}

const quantizedAdd: CpuLayer<'quantizedAdd'> = (layer, memory) => {
  const count = roundUp8(layer.count)
  const a = bytesAt(memory, layer.a, count)
  const b = bytesAt(memory, layer.b, count)
  const [aShift, bShift, outShift] = [layer.aShift, layer.bShift, layer.outShift].map((shift) => BigInt(shift & 63))
  const side = (offset: number, mul: number): bigint[] =>
    Array.from({ length: 256 }, (_, code) => BigInt(code + offset) * BigInt(mul))
  const left = side(layer.aOffset, layer.aMul)
  const right = side(layer.bOffset, layer.bMul)
  const sum = (x: bigint, y: bigint): bigint =>
    aShift === bShift ? (x + y) >> aShift! : (x >> aShift!) + (y >> bShift!)
  const out = a.map((code, index) => {
    const scaled = sum(left[code]!, right[b[index]!]!) * BigInt(layer.outMul)
    return toCode(Number(roundShift(scaled, outShift!)) + layer.outOffset)
  })
  const { start } = store(memory, layer.out, out)
  return { start, bytes: layer.count }
}

const globalAveragePool2d: CpuLayer<'globalAveragePool2d'> = (layer, memory) => {
  const input = floatsAt(memory, layer.in, countOf([layer.kernelSize, layer.channels]))
  const out = new Float32Array(layer.channels)
  for (let channel = 0; channel < layer.channels; channel++) {
    let sum = 0
    for (let k = 0; k < layer.kernelSize; k++) sum = add32(sum, input[channel * layer.kernelSize + k]!)
    out[channel] = sum / layer.kernelSize
  }
  return store(memory, layer.out, out)
}

type PoolShape = V3LayerOf<'quantizedMaxPool2d'> | V3LayerOf<'averagePool2d'>

/** In-image offsets of every output pixel's window, channel by channel. */
function eachWindow(layer: PoolShape, visit: (plane: number, taps: readonly number[], index: number) => void): void {
  countOf([layer.outChannels, layer.outHeight, layer.outWidth, layer.kernelHeight * layer.kernelWidth])
  let index = 0
  for (let channel = 0; channel < layer.outChannels; channel++) {
    const plane = channel * layer.inHeight * layer.inWidth
    for (let oy = 0; oy < layer.outHeight; oy++) {
      for (let ox = 0; ox < layer.outWidth; ox++) visit(plane, windowTaps(layer, oy, ox), index++)
    }
  }
}

function windowTaps(layer: PoolShape, oy: number, ox: number): number[] {
  const taps: number[] = []
  const top = oy * layer.strideHeight - layer.padHeight
  const left = ox * layer.strideWidth - layer.padWidth
  for (let y = Math.max(0, top); y < Math.min(layer.inHeight, top + layer.kernelHeight); y++) {
    for (let x = Math.max(0, left); x < Math.min(layer.inWidth, left + layer.kernelWidth); x++) {
      taps.push(y * layer.inWidth + x)
    }
  }
  return taps
}

const inCount = (layer: PoolShape): number => countOf([layer.inChannels, layer.inHeight, layer.inWidth])
const outCount = (layer: PoolShape): number => countOf([layer.outChannels, layer.outHeight, layer.outWidth])

const quantizedMaxPool2d: CpuLayer<'quantizedMaxPool2d'> = (layer, memory) => {
  const input = bytesAt(memory, layer.in, inCount(layer))
  const out = new Uint8Array(outCount(layer))
  eachWindow(layer, (plane, taps, index) => {
    for (const tap of taps) out[index] = Math.max(out[index]!, input[plane + tap]!)
  })
  return store(memory, layer.out, out)
}

const averagePool2d: CpuLayer<'averagePool2d'> = (layer, memory) => {
  const input = floatsAt(memory, layer.in, inCount(layer))
  const out = new Float32Array(outCount(layer))
  eachWindow(layer, (plane, taps, index) => {
    out[index] = taps.reduce((sum, tap) => add32(sum, input[plane + tap]!), 0) / taps.length
  })
  return store(memory, layer.out, out)
}

const quantize: CpuLayer<'quantize'> = (layer, memory) => {
  const perUnit = div32(1, layer.scale)
  const code = (x: number): number => toCode(roundHalfAway(mul32(f32(x - layer.bias), perUnit)))
  return store(memory, layer.out, Uint8Array.from(floatsAt(memory, layer.in, layer.count), code))
}

const dequantize: CpuLayer<'dequantize'> = (layer, memory) => {
  const real = (code: number): number => add32(mul32(code, layer.scale), layer.bias)
  return store(memory, layer.out, Float32Array.from(bytesAt(memory, layer.in, layer.count), real))
}

const requantize: CpuLayer<'requantize'> = (layer, memory) =>
  store(
    memory,
    layer.out,
    bytesAt(memory, layer.in, layer.count).map((code) => layer.table[code]!),
  )

const l2Normalization: CpuLayer<'l2Normalization'> = (layer, memory) => {
  const input = floatsAt(memory, layer.in, layer.channels)
  const sum = input.reduce((total, x) => accumulate(total, x, x), 0)
  const factor = div32(1, sqrt32(Math.max(sum, f32(1e-10))))
  return store(
    memory,
    layer.out,
    input.map((x) => x * factor),
  )
}

/** The runtime starts the maximum at FLT_MIN, so a vector of negatives is shifted by nearly 0. */
const FLT_MIN = 1.1754943508222875e-38

const softmax: CpuLayer<'softmax'> = (layer, memory) => {
  const input = floatsAt(memory, layer.in, layer.channels)
  const top = input.reduce((most, x) => Math.max(most, x), FLT_MIN)
  const powers = input.map((x) => exp32(f32(x - top)))
  const sum = powers.reduce(add32, 0)
  return store(
    memory,
    layer.out,
    powers.map((power) => power / sum),
  )
}

const concat: CpuLayer<'concat' | 'quantizedConcat'> = (layer, memory) => {
  const parts = layer.inputs.map((input) => bytesAt(memory, input.start, input.bytes))
  return store(memory, layer.out, new Uint8Array(Buffer.concat(parts)))
}

const fullyConnected: CpuLayer<'fullyConnected'> = (layer, memory) => {
  const input = floatsAt(memory, layer.in, layer.inChannels)
  const out = new Float32Array(layer.outChannels)
  for (let oc = 0; oc < layer.outChannels; oc++) {
    let sum = 0
    for (let ic = 0; ic < layer.inChannels; ic++) {
      sum = accumulate(sum, input[ic]!, layer.weights[oc * layer.inChannels + ic]!)
    }
    const value = add32(sum, layer.bias[oc]!)
    const positive = Math.max(0, value)
    out[oc] = layer.activation === 'linear' ? value : layer.activation === 'relu' ? positive : Math.min(6, positive)
  }
  return store(memory, layer.out, out)
}

const tensorflowFlatten: CpuLayer<'tensorflowFlatten'> = (layer, memory) => {
  const pixels = countOf([layer.height, layer.width])
  const input = floatsAt(memory, layer.in, countOf([layer.channels, pixels]))
  const pick = (_: number, index: number): number =>
    input[(index % layer.channels) * pixels + Math.floor(index / layer.channels)]!
  return store(memory, layer.out, input.map(pick))
}

/** Source offset of every output element. */
function nearest(layer: V3LayerOf<'resizeNearest'> | V3LayerOf<'quantizedResizeNearest'>): number[] {
  const sources = (input: number, output: number): number[] => {
    const scale = f32(input / output)
    return Array.from({ length: output }, (_, at) => Math.min(Math.floor(f32(at * scale)), input - 1))
  }
  countOf([layer.inChannels, layer.outHeight, layer.outWidth])
  const rows = sources(layer.inHeight, layer.outHeight)
  const columns = sources(layer.inWidth, layer.outWidth)
  return Array.from({ length: layer.inChannels }, (_, channel) => channel * layer.inHeight).flatMap((plane) =>
    rows.flatMap((y) => columns.map((x) => (plane + y) * layer.inWidth + x)),
  )
}

const resizeNearest: CpuLayer<'resizeNearest'> = (layer, memory) => {
  const input = floatsAt(memory, layer.in, countOf([layer.inChannels, layer.inHeight, layer.inWidth]))
  return store(
    memory,
    layer.out,
    Float32Array.from(nearest(layer), (at) => input[at]!),
  )
}

const quantizedResizeNearest: CpuLayer<'quantizedResizeNearest'> = (layer, memory) => {
  const input = bytesAt(memory, layer.in, countOf([layer.inChannels, layer.inHeight, layer.inWidth]))
  return store(
    memory,
    layer.out,
    Uint8Array.from(nearest(layer), (at) => input[at]!),
  )
}

const channelwiseDequantize: CpuLayer<'channelwiseDequantize'> = (layer, memory) => {
  const input = bytesAt(memory, layer.in, countOf([layer.channels, layer.channelSize]))
  const out = Float32Array.from(input, (code, index) => {
    const { scale, bias } = layer.parameters[Math.floor(index / layer.channelSize)]!
    return add32(mul32(code, scale), bias)
  })
  return store(memory, layer.out, out)
}

const logistic: CpuLayer<'logistic'> = (layer, memory) =>
  store(
    memory,
    layer.out,
    floatsAt(memory, layer.in, layer.channels).map((x) => div32(1, add32(1, exp32(-x)))),
  )

const k210RemovePadding: CpuLayer<'k210RemovePadding'> = (layer, memory) => {
  const padded = bytesAt(memory, layer.in, layer.channels * 16)
  return store(
    memory,
    layer.out,
    Uint8Array.from({ length: layer.channels }, (_, channel) => padded[channel * 16]!),
  )
}

/** Layers that touch KPU RAM; run.ts has them. */
export type KpuLayerName = 'k210Conv' | 'k210Upload' | 'k210AddPadding'

/** Code of every CPU layer type. Source: kmodel-v3.md section 3. */
export const CPU_LAYERS: { readonly [N in Exclude<V3LayerName, KpuLayerName>]: CpuLayer<N> } = {
  add,
  quantizedAdd,
  globalAveragePool2d,
  quantizedMaxPool2d,
  averagePool2d,
  quantize,
  dequantize,
  requantize,
  l2Normalization,
  softmax,
  concat,
  quantizedConcat: concat,
  fullyConnected,
  tensorflowFlatten,
  resizeNearest,
  quantizedResizeNearest,
  channelwiseDequantize,
  logistic,
  k210RemovePadding,
}

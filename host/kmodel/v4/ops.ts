import {
  choice,
  type FieldKind,
  type Fields,
  f32,
  f32s,
  flag32,
  i32,
  i32s,
  numberOf,
  repeat,
  rest,
  shapeOf,
  u8s,
  u32,
  type Values,
} from '../fields.js'
import { kpuBlocks } from './kpu-blocks.js'
import type { ClampRange, MemoryRange, PadPair, Shape4 } from './values.js'

const MEMORIES = ['const', 'main', 'kpu'] as const
const TYPES = ['float32', 'uint8'] as const
const memoryKind = choice(MEMORIES)
const typeKind = choice(TYPES)

/** memory_range: 16 bytes. */
export const range: FieldKind<MemoryRange> = {
  read: (r, v) => ({ memory: memoryKind.read(r, v), type: typeKind.read(r, v), start: r.u32(), bytes: r.u32() }),
  write(w, value, v) {
    memoryKind.write(w, value.memory, v)
    typeKind.write(w, value.type, v)
    w.u32(value.start)
    w.u32(value.bytes)
  },
}

/** A range that is all zero when absent. */
const optionalRange: FieldKind<MemoryRange | null> = {
  read(r, v) {
    const value = range.read(r, v)
    return value.bytes === 0 ? null : value
  },
  write: (w, value, v) => range.write(w, value ?? { memory: 'const', type: 'float32', start: 0, bytes: 0 }, v),
}

/** Four i32: N, C, H, W. */
export const shape4: FieldKind<Shape4> = {
  read: (r) => [r.i32(), r.i32(), r.i32(), r.i32()],
  write(w, value) {
    for (const size of value) w.i32(size)
  },
}

const padPair: FieldKind<PadPair> = {
  read: (r) => ({ before: r.i32(), after: r.i32() }),
  write(w, value) {
    w.i32(value.before)
    w.i32(value.after)
  },
}

const clamp: FieldKind<ClampRange> = {
  read: (r) => ({ min: r.f32(), max: r.f32() }),
  write(w, value) {
    w.f32(value.min)
    w.f32(value.max)
  },
}

/** Four raw bytes: the pad value of the datatype before it. */
const rawValue: FieldKind<Uint8Array> = u8s(() => 4)

const binaryOperation = choice(['add', 'sub', 'mul', 'div', 'min', 'max'])
const reduceOperation = choice(['mean', 'min', 'max', 'sum'])
const unaryOperation = choice(['abs', 'ceil', 'cos', 'exp', 'floor', 'log', 'neg', 'rsqrt', 'sin', 'square'])

const op = <F extends Fields>(opcode: number, fields: F) => ({ opcode, fields })

const window = {
  filterH: i32,
  filterW: i32,
  strideH: i32,
  strideW: i32,
  dilationH: i32,
  dilationW: i32,
}

/** Weights of a grouped convolution: outChannels x inChannels/groups x filterH x filterW. */
const convWeights = (v: Values): number => {
  const inChannels = shapeOf(v, 'inShape')[1]! / numberOf(v, 'groups')
  return numberOf(v, 'outChannels') * inChannels * numberOf(v, 'filterH') * numberOf(v, 'filterW')
}
const outChannels = (v: Values): number => numberOf(v, 'outChannels')
const bCols = (v: Values): number => numberOf(v, 'bCols')

/** conv2d_transpose: shapes give the channels. */
const transposeWeights = (v: Values): number =>
  ((shapeOf(v, 'outShape')[1]! * shapeOf(v, 'inShape')[1]!) / numberOf(v, 'groups')) *
  numberOf(v, 'filterH') *
  numberOf(v, 'filterW')

/**
 * Every opcode with its body's fields in file order. `codesPerUnit` is the file's "scale": code = real * codesPerUnit +
 * zeroPoint. Source: kmodel-v4.md sections 2 and 3.
 */
export const OPS = {
  binary: op(0x00, {
    a: range,
    b: range,
    out: range,
    operation: binaryOperation,
    aShape: shape4,
    bShape: shape4,
    outShape: shape4,
    clamp,
  }),
  /** innerBytes: bytes per unit of the axis; dims: units of each input. */
  concat: op(0x01, {
    out: range,
    innerBytes: u32,
    outerCount: u32,
    inputCount: u32,
    inputs: repeat(range, (v) => numberOf(v, 'inputCount'), 16),
    dims: i32s((v) => numberOf(v, 'inputCount')),
  }),
  conv2d: op(0x02, {
    in: range,
    out: range,
    inShape: shape4,
    groups: i32,
    outChannels: i32,
    padH: padPair,
    padW: padPair,
    ...window,
    clamp,
    weights: f32s(convWeights),
    bias: f32s(outChannels),
  }),
  dequantize: op(0x03, { in: range, out: range, zeroPoint: i32, codesPerUnit: f32 }),
  matmul: op(0x04, { a: range, b: range, out: range, aRows: i32, aCols: i32, bCols: i32, clamp, bias: f32s(bCols) }),
  pad: op(0x05, {
    in: range,
    out: range,
    inShape: shape4,
    padN: padPair,
    padC: padPair,
    padH: padPair,
    padW: padPair,
    valueType: typeKind,
    value: rawValue,
  }),
  quantize: op(0x06, { in: range, out: range, zeroPoint: i32, codesPerUnit: f32 }),
  reduce: op(0x07, {
    in: range,
    out: range,
    operation: reduceOperation,
    inShape: shape4,
    outShape: shape4,
    init: f32,
  }),
  reduceWindow2d: op(0x08, {
    in: range,
    out: range,
    operation: reduceOperation,
    inShape: shape4,
    padH: padPair,
    padW: padPair,
    ...window,
    init: f32,
    clamp,
  }),
  memoryCopy: op(0x09, { in: range, out: range }),
  resizeImage: op(0x0a, {
    in: range,
    out: range,
    inShape: shape4,
    outHeight: i32,
    outWidth: i32,
    mode: choice(['bilinear', 'nearest']),
    alignCorners: flag32,
  }),
  softmax: op(0x0b, { in: range, out: range, innerSize: i32, outerSize: i32, beta: f32 }),
  transpose: op(0x0c, { in: range, out: range, inShape: shape4, perm: shape4 }),
  /** Masks are already resolved; the kernels ignore them. */
  stridedSlice: op(0x0d, {
    in: range,
    out: range,
    inShape: shape4,
    begin: shape4,
    end: shape4,
    strides: shape4,
    masks: i32s(() => 5),
  }),
  unary: op(0x0e, { in: range, out: range, operation: unaryOperation }),
  quantizedConv2d: op(0x0f, {
    in: range,
    out: range,
    inShape: shape4,
    groups: i32,
    outChannels: i32,
    padH: padPair,
    padW: padPair,
    ...window,
    inputOffset: i32,
    filterOffset: i32,
    outMul: i32,
    outShift: i32,
    outOffset: i32,
    bias: i32s(outChannels),
    weights: u8s(convWeights),
  }),
  quantizedMatmul: op(0x10, {
    a: range,
    b: range,
    out: range,
    aRows: i32,
    aCols: i32,
    bCols: i32,
    aOffset: i32,
    bOffset: i32,
    outMul: i32,
    outShift: i32,
    outOffset: i32,
    bias: i32s(bCols),
  }),
  quantizedBinary: op(0x11, {
    a: range,
    b: range,
    out: range,
    operation: binaryOperation,
    aShape: shape4,
    bShape: shape4,
    outShape: shape4,
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
  tableLookup1d: op(0x12, { in: range, table: range, out: range }),
  conv2dTranspose: op(0x13, {
    in: range,
    out: range,
    inShape: shape4,
    outShape: shape4,
    groups: i32,
    padH: padPair,
    padW: padPair,
    ...window,
    clamp,
    weights: f32s(transposeWeights),
    bias: f32s((v) => shapeOf(v, 'outShape')[1]!),
  }),
  /** f32 -> f32 stack program. */
  nnilUnary: op(0x14, { in: range, out: range, program: rest }),
  kpuUpload: op(0x2001, { in: range, out: range, inShape: shape4 }),
  /** mainMemOutput: dense NCHW bytes of the pooled result, or null when only KPU RAM needs it. */
  kpuConv2d: op(0x2002, { mainMemOutput: optionalRange, batches: i32, kpu: kpuBlocks }),
} as const

/** Op names by opcode. */
export const OP_NAMES: ReadonlyMap<number, keyof typeof OPS> = new Map(
  Object.entries(OPS).map(([name, row]) => [row.opcode, name as keyof typeof OPS]),
)

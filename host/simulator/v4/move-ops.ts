import type { NodeOf } from '../../kmodel/v4/model.js'
import type { MemoryRange, PadPair, Shape4 } from '../../kmodel/v4/values.js'
import { f32 } from '../float32.js'
import { floatsOf, type ModelMemory, rangeBytes, storeBytes } from '../memory.js'
import { countOf, eachIndex, readBytes, writeBytes, writeFloats } from './tensors.js'

const elementBytes = (range: MemoryRange): number => (range.type === 'float32' ? 4 : 1)

/** Copies single elements of 1 or 4 bytes by index. */
function gather(
  memory: ModelMemory,
  node: { readonly in: MemoryRange; readonly out: MemoryRange; readonly inShape: Shape4 },
  outShape: Shape4,
  source: (n: number, c: number, h: number, w: number) => number,
  fill?: Uint8Array,
): void {
  const unit = elementBytes(node.in)
  const input = readBytes(memory, node.in, countOf(node.inShape) * unit)
  const out = new Uint8Array(countOf(outShape) * unit)
  eachIndex(outShape, (n, c, h, w, index) => {
    const from = source(n, c, h, w)
    for (let k = 0; k < unit; k++) out[index * unit + k] = from < 0 ? (fill?.[k] ?? 0) : input[from * unit + k]!
  })
  writeBytes(memory, node.out, out)
}

const flat = (shape: readonly number[], n: number, c: number, h: number, w: number): number =>
  ((n * shape[1]! + c) * shape[2]! + h) * shape[3]! + w

/** Inputs side by side along an axis: outerCount times innerBytes * dims[i] of each. */
export function concat(node: NodeOf<'concat'>, memory: ModelMemory): void {
  const sizes = node.dims.map((dim) => countOf([dim, node.innerBytes]))
  const inputs = node.inputs.map((input, index) => readBytes(memory, input, sizes[index]! * node.outerCount))
  const out = new Uint8Array(countOf([sizes.reduce((a, b) => a + b, 0), node.outerCount]))
  let at = 0
  for (let outer = 0; outer < node.outerCount; outer++) {
    inputs.forEach((input, index) => {
      const size = sizes[index]!
      out.set(input.subarray(outer * size, (outer + 1) * size), at)
      at += size
    })
  }
  writeBytes(memory, node.out, out)
}

/** Border of `value`; negative pads crop. */
export function pad(node: NodeOf<'pad'>, memory: ModelMemory): void {
  const pads: readonly PadPair[] = [node.padN, node.padC, node.padH, node.padW]
  const sizes = node.inShape.map((size, axis) => size + pads[axis]!.before + pads[axis]!.after)
  const outShape: Shape4 = [sizes[0]!, sizes[1]!, sizes[2]!, sizes[3]!]
  const [padN, padC, padH, padW] = [node.padN.before, node.padC.before, node.padH.before, node.padW.before]
  const [batch, channels, height, width] = node.inShape
  const outside = (at: number, size: number): boolean => at < 0 || at >= size
  const source = (n: number, c: number, h: number, w: number): number => {
    const [y, x] = [h - padH, w - padW]
    if (outside(n - padN, batch) || outside(c - padC, channels) || outside(y, height) || outside(x, width)) return -1
    return flat(node.inShape, n - padN, c - padC, y, x)
  }
  gather(memory, node, outShape, source, node.value)
}

/** Output axis i is input axis perm[i]. */
export function transpose(node: NodeOf<'transpose'>, memory: ModelMemory): void {
  const axis = (index: number): number => node.perm[index]! & 3
  const outShape: Shape4 = [
    node.inShape[axis(0)]!,
    node.inShape[axis(1)]!,
    node.inShape[axis(2)]!,
    node.inShape[axis(3)]!,
  ]
  const strides = [1, 1, 1, 1]
  for (let k = 2; k >= 0; k--) strides[k] = strides[k + 1]! * node.inShape[k + 1]!
  const step = [0, 1, 2, 3].map((index) => strides[axis(index)]!)
  gather(memory, node, outShape, (n, c, h, w) => n * step[0]! + c * step[1]! + h * step[2]! + w * step[3]!)
}

/** begin, end and strides are resolved; negative strides run backwards. */
export function stridedSlice(node: NodeOf<'stridedSlice'>, memory: ModelMemory): void {
  const size = (axis: number): number => {
    const stride = node.strides[axis] || 1
    return Math.max(0, Math.ceil((node.end[axis]! - node.begin[axis]!) / stride))
  }
  const outShape: Shape4 = [size(0), size(1), size(2), size(3)]
  const at = (axis: number, coordinate: number): number => node.begin[axis]! + coordinate * (node.strides[axis] || 1)
  gather(memory, node, outShape, (n, c, h, w) => flat(node.inShape, at(0, n), at(1, c), at(2, h), at(3, w)))
}

/** Moves whole floats: bytes beyond the last multiple of four stay behind. */
export function memoryCopy(node: NodeOf<'memoryCopy'>, memory: ModelMemory): void {
  const bytes = rangeBytes(memory, node.in).slice()
  storeBytes(rangeBytes(memory, node.out), bytes.subarray(0, bytes.length & ~3))
}

/** Nearest picks floor(o * in / out); bilinear blends; uint8 results are cut, not rounded. */
export function resizeImage(node: NodeOf<'resizeImage'>, memory: ModelMemory): void {
  const [batch, channels, height, width] = node.inShape
  const outShape: Shape4 = [batch, channels, node.outHeight, node.outWidth]
  const rows = resizeScale(height, node.outHeight, node.alignCorners)
  const columns = resizeScale(width, node.outWidth, node.alignCorners)
  if (node.mode === 'nearest') {
    const pick = (at: number, scale: number, size: number): number => Math.min(Math.floor(f32(at * scale)), size - 1)
    gather(memory, node, outShape, (n, c, h, w) =>
      flat(node.inShape, n, c, pick(h, rows, height), pick(w, columns, width)),
    )
    return
  }
  const raw = readBytes(memory, node.in, countOf(node.inShape) * elementBytes(node.in))
  const input = node.in.type === 'float32' ? floatsOf(raw) : Float32Array.from(raw)
  const out = new Float32Array(countOf(outShape))
  eachIndex(outShape, (n, c, h, w, index) => {
    const at = (y: number, x: number): number => input[flat(node.inShape, n, c, y, x)]!
    out[index] = blend(at, f32(h * rows), f32(w * columns), height, width)
  })
  if (node.out.type === 'float32') writeFloats(memory, node.out, out)
  else writeBytes(memory, node.out, Uint8Array.from(out, Math.trunc))
}

const resizeScale = (input: number, output: number, alignCorners: boolean): number =>
  alignCorners && output > 1 ? f32((input - 1) / (output - 1)) : f32(input / output)

/** Bilinear value at (y, x), float32 at every step. */
function blend(at: (y: number, x: number) => number, y: number, x: number, height: number, width: number): number {
  const top = Math.min(Math.floor(y), height - 1)
  const left = Math.min(Math.floor(x), width - 1)
  const bottom = Math.min(top + 1, height - 1)
  const right = Math.min(left + 1, width - 1)
  const fy = f32(y - top)
  const fx = f32(x - left)
  const weights = [f32(f32(1 - fy) * f32(1 - fx)), f32(fy * f32(1 - fx)), f32(f32(1 - fy) * fx), f32(fy * fx)]
  const values = [at(top, left), at(bottom, left), at(top, right), at(bottom, right)]
  return values.reduce((sum, value, k) => f32(sum + f32(value * weights[k]!)), 0)
}

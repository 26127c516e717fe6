import type { MemoryRange, Shape4 } from '../../kmodel/v4/values.js'
import { elementCount } from '../../tensor/tensor.js'
import { floatsOf, type ModelMemory, rangeBytes, storeBytes, storeFloats, wantElements } from '../memory.js'

/** The float elements of a range, at least `count`; a copy. */
export function readFloats(memory: ModelMemory, range: MemoryRange, count: number): Float32Array {
  const values = floatsOf(rangeBytes(memory, range))
  wantElements(values.length, count, 'an operand')
  return values
}

/** The bytes of a range, at least `count`; a copy. */
export function readBytes(memory: ModelMemory, range: MemoryRange, count: number): Uint8Array {
  const values = rangeBytes(memory, range).slice()
  wantElements(values.length, count, 'an operand')
  return values
}

/** Stores a float result. */
export const writeFloats = (memory: ModelMemory, range: MemoryRange, values: Float32Array): void =>
  storeFloats(rangeBytes(memory, range), values)

/** Stores a byte result. */
export const writeBytes = (memory: ModelMemory, range: MemoryRange, values: Uint8Array): void =>
  storeBytes(rangeBytes(memory, range), values)

/** Largest tensor of any model: guards loops against damaged shapes. */
const MOST_ELEMENTS = 1 << 24

/** Elements of a shape. @throws BridgeError `KMODEL_INVALID` on sizes that no model has */
export function countOf(shape: readonly number[]): number {
  const count = elementCount(shape)
  const plausible = shape.every((size) => size >= 0) && count <= MOST_ELEMENTS
  wantElements(plausible ? 0 : -1, 0, `a tensor of shape ${shape.join('x')}`)
  return count
}

/** Calls `visit` for every coordinate of a shape in order, with its running index. */
export function eachIndex(
  shape: Shape4,
  visit: (n: number, c: number, h: number, w: number, index: number) => void,
): void {
  countOf(shape)
  let index = 0
  for (let n = 0; n < shape[0]; n++) {
    for (let c = 0; c < shape[1]; c++) {
      for (let h = 0; h < shape[2]; h++) {
        for (let w = 0; w < shape[3]; w++) visit(n, c, h, w, index++)
      }
    }
  }
}

/** Index of a coordinate; 0 along axes where the shape has fewer elements (broadcast, reduced axes). */
export function broadcastIndex(shape: Shape4, n: number, c: number, h: number, w: number): number {
  const at = (coordinate: number, size: number): number => (coordinate >= size ? 0 : coordinate)
  return ((at(n, shape[0]) * shape[1] + at(c, shape[1])) * shape[2] + at(h, shape[2])) * shape[3] + at(w, shape[3])
}

/** Window of a 2-D sliding operation. */
export interface Window {
  readonly inShape: Shape4
  readonly padH: { readonly before: number; readonly after: number }
  readonly padW: { readonly before: number; readonly after: number }
  readonly filterH: number
  readonly filterW: number
  readonly strideH: number
  readonly strideW: number
  readonly dilationH: number
  readonly dilationW: number
}

/** Largest filter, stride and dilation of any model: guards loops against damaged files. */
const MOST_WINDOW = 4096

/** Output height and width of a sliding window. @throws BridgeError `KMODEL_INVALID` on sizes that no model has */
export function windowOutput(w: Window): { height: number; width: number } {
  const sizes = [w.filterH, w.filterW, w.strideH, w.strideW, w.dilationH, w.dilationW]
  const plausible = sizes.every((size) => size >= 1 && size <= MOST_WINDOW)
  wantElements(plausible ? 0 : -1, 0, `a window of ${sizes.join(', ')} (filter, stride, dilation)`)
  const size = (input: number, pad: Window['padH'], filter: number, dilation: number, stride: number): number =>
    Math.max(0, Math.floor((input + pad.before + pad.after - ((filter - 1) * dilation + 1)) / stride) + 1)
  return {
    height: size(w.inShape[2], w.padH, w.filterH, w.dilationH, w.strideH),
    width: size(w.inShape[3], w.padW, w.filterW, w.dilationW, w.strideW),
  }
}

/** Calls `tap` for every in-image tap of output pixel (oy, ox): offset in the channel's plane, index in the kernel. */
export function eachTap(w: Window, oy: number, ox: number, tap: (offset: number, index: number) => void): void {
  for (let ky = 0; ky < w.filterH; ky++) {
    const y = oy * w.strideH - w.padH.before + ky * w.dilationH
    if (y < 0 || y >= w.inShape[2]) continue
    for (let kx = 0; kx < w.filterW; kx++) {
      const x = ox * w.strideW - w.padW.before + kx * w.dilationW
      if (x >= 0 && x < w.inShape[3]) tap(y * w.inShape[3] + x, ky * w.filterW + kx)
    }
  }
}

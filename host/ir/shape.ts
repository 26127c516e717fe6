import { BridgeError } from '../foundation/errors.js'
import { unreachable } from '../foundation/unreachable.js'
import { elementCount, type Shape } from '../tensor/tensor.js'
import type { Conv2dOp, FusedPool, Op, Pool2dOp } from './op.js'

const fail = (what: string): never => {
  throw new BridgeError('COMPILE_SHAPE', { what, fix: 'Check the shapes in the model file.' })
}

function mapOf(shape: Shape): readonly [number, number, number, number] {
  if (shape.length !== 4) fail(`a map must have 4 axes, not [${shape}]`)
  return [shape[0]!, shape[1]!, shape[2]!, shape[3]!]
}

function windowSize(
  size: number,
  kernel: number,
  stride: number,
  dilation: number,
  pads: readonly [number, number],
  ceil: boolean,
): number {
  const room = size + pads[0] + pads[1] - (dilation * (kernel - 1) + 1)
  if (room < 0) fail(`a window of ${kernel} does not fit ${size} pixels`)
  let count = Math.floor(room / stride) + 1
  // ONNX: a window rounded up must begin inside the picture or its leading padding
  if (ceil && room % stride !== 0 && count * stride < size + pads[0]) count += 1
  return count
}

/** Size after a fused pool, rounded down. Source: kpu.md section 7. */
export function pooledSize(size: number, pool: FusedPool): number {
  switch (pool) {
    case 'none':
    case 'mean2s1':
    case 'max2s1':
      return size
    case 'max2s2':
    case 'mean2s2':
    case 'leftTop2s2':
    case 'rightTop2s2':
      return Math.floor(size / 2)
    case 'max4s4':
    case 'mean4s4':
    case 'leftTop4s4':
      return Math.floor(size / 4)
    default:
      return unreachable(pool)
  }
}

function convShape(op: Conv2dOp, x: Shape, weights: Shape): Shape {
  const [n, c, h, w] = mapOf(x)
  const [o, i] = mapOf(weights)
  if (i * op.groups !== c) fail(`weights [${weights}] with ${op.groups} groups do not fit ${c} channels`)
  const { pads, kernel, stride, dilation } = op
  const oh = windowSize(h, kernel.h, stride.h, dilation.h, [pads.top, pads.bottom], false)
  const ow = windowSize(w, kernel.w, stride.w, dilation.w, [pads.left, pads.right], false)
  return [n, o, pooledSize(oh, op.pool), pooledSize(ow, op.pool)]
}

function poolShape(op: Pool2dOp, x: Shape): Shape {
  const [n, c, h, w] = mapOf(x)
  const { pads, kernel, stride } = op
  return [
    n,
    c,
    windowSize(h, kernel.h, stride.h, 1, [pads.top, pads.bottom], op.ceil),
    windowSize(w, kernel.w, stride.w, 1, [pads.left, pads.right], op.ceil),
  ]
}

/** Shape of two operands under ONNX (numpy) broadcasting. @throws BridgeError `COMPILE_SHAPE` */
export function broadcastShape(a: Shape, b: Shape): Shape {
  const rank = Math.max(a.length, b.length)
  return Array.from({ length: rank }, (_, axis) => {
    const x = a[axis - rank + a.length] ?? 1
    const y = b[axis - rank + b.length] ?? 1
    if (x !== y && x !== 1 && y !== 1) fail(`[${a}] and [${b}] cannot be broadcast`)
    return x === 1 ? y : x
  })
}

function concatShape(axis: number, inputs: readonly Shape[]): Shape {
  const first = inputs[0]!
  for (const other of inputs) {
    const fits = other.length === first.length && other.every((size, i) => i === axis || size === first[i])
    if (!fits) fail(`[${first}] and [${other}] cannot be joined along axis ${axis}`)
  }
  return first.map((size, i) => (i === axis ? inputs.reduce((sum, shape) => sum + shape[axis]!, 0) : size))
}

function reshapeShape(wanted: Shape, x: Shape): Shape {
  if (elementCount(wanted) !== elementCount(x)) fail(`[${x}] cannot become [${wanted}]`)
  return wanted
}

function matmulShape(a: Shape, b: Shape): Shape {
  if (b.length !== 2 || a.length < 1 || a[a.length - 1] !== b[0]) fail(`[${a}] x [${b}] cannot be multiplied`)
  return [...a.slice(0, -1), b[1]!]
}

function padShape(before: readonly number[], after: readonly number[], x: Shape): Shape {
  const shape = x.map((size, i) => size + (before[i] ?? 0) + (after[i] ?? 0))
  if (shape.some((size) => size < 1)) fail(`padding leaves [${shape}] of [${x}]`)
  return shape
}

function sliceShape(op: Extract<Op, { kind: 'slice' }>, x: Shape): Shape {
  return x.map((_, i) => Math.max(0, Math.ceil((op.end[i]! - op.begin[i]!) / op.step[i]!)))
}

function reduceShape(op: Extract<Op, { kind: 'reduce' }>, x: Shape): Shape {
  const kept = x.map((size, i) => (op.axes.includes(i) ? 1 : size))
  return op.keepDims ? kept : kept.filter((_, i) => !op.axes.includes(i))
}

function kpuShape(op: Extract<Op, { kind: 'kpuConv2d' }>, x: Shape, weights: Shape): Shape {
  const [n, , h, w] = mapOf(x)
  return [n, weights[0]!, pooledSize(h, op.pool), pooledSize(w, op.pool)]
}

/**
 * Shape of a node's output from its inputs' shapes (constants included, in the op's order).
 * @throws BridgeError `COMPILE_SHAPE` when they do not fit the op
 */
export function inferShape(op: Op, inputs: readonly Shape[]): Shape {
  const x = inputs[0] ?? []
  switch (op.kind) {
    case 'conv2d':
      return convShape(op, x, inputs[1] ?? [])
    case 'kpuConv2d':
      return kpuShape(op, x, inputs[1] ?? [])
    case 'pool2d':
      return poolShape(op, x)
    case 'pick': {
      const [n, c, h, w] = mapOf(x)
      return [n, c, Math.ceil(h / op.stride), Math.ceil(w / op.stride)]
    }
    case 'globalPool': {
      const [n, c] = mapOf(x)
      return [n, c, 1, 1]
    }
    case 'kpuUpload':
    case 'kpuDownload':
    case 'batchNorm':
    case 'activation':
    case 'prelu':
    case 'unary':
    case 'softmax':
      return x
    case 'binary':
      return broadcastShape(x, inputs[1] ?? [])
    case 'concat':
      return concatShape(op.axis, inputs)
    case 'transpose':
      return op.perm.map((axis) => x[axis] ?? fail(`perm [${op.perm}] does not fit [${x}]`))
    case 'reshape':
      return reshapeShape(op.shape, x)
    case 'slice':
      return sliceShape(op, x)
    case 'pad':
      return padShape(op.before, op.after, x)
    case 'matmul':
      return matmulShape(x, inputs[1] ?? [])
    case 'reduce':
      return reduceShape(op, x)
    case 'resize': {
      const [n, c] = mapOf(x)
      return [n, c, op.height, op.width]
    }
    default:
      return unreachable(op)
  }
}

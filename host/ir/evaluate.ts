import { elementCount, type Shape } from '../tensor/tensor.js'
import type { ConstantData } from './graph.js'
import type { Activation, BinaryFn, Op, UnaryFn } from './op.js'
import { broadcastShape, inferShape } from './shape.js'

/** A constant operand. */
export interface ConstantValue {
  readonly shape: Shape
  readonly data: ConstantData
}

/** Largest constant that folding makes; larger ones are left to the nodes that ask for them. */
export const MAX_FOLDED_ELEMENTS = 2 ** 25

const UNARY: Readonly<Record<UnaryFn, (x: number) => number>> = {
  exp: Math.exp,
  log: Math.log,
  sqrt: Math.sqrt,
  neg: (x) => -x,
  abs: Math.abs,
  floor: Math.floor,
  ceil: Math.ceil,
  reciprocal: (x) => 1 / x,
}

const BINARY: Readonly<Record<BinaryFn, (a: number, b: number) => number>> = {
  add: (a, b) => a + b,
  sub: (a, b) => a - b,
  mul: (a, b) => a * b,
  div: (a, b) => a / b,
  min: Math.min,
  max: Math.max,
  pow: Math.pow,
}

const clamp = (x: number, min: number, max: number): number => Math.min(max, Math.max(min, x))

/** Value of an activation at `x`, in real numbers. */
export function activate(activation: Activation, x: number): number {
  switch (activation.fn) {
    case 'none':
      return x
    case 'relu':
      return Math.max(0, x)
    case 'clip':
      return clamp(x, activation.min, activation.max)
    case 'leakyRelu':
      return x < 0 ? x * activation.slope : x
    case 'sigmoid':
      return 1 / (1 + Math.exp(-x))
    case 'tanh':
      return Math.tanh(x)
    case 'hardSigmoid':
      return clamp(x * activation.alpha + activation.beta, 0, 1)
    case 'hardSwish':
      return x * clamp(x / 6 + 0.5, 0, 1)
  }
}

/** Element steps of each axis of a dense tensor. */
function stridesOf(shape: Shape): number[] {
  const strides = new Array<number>(shape.length).fill(1)
  for (let axis = shape.length - 2; axis >= 0; axis--) strides[axis] = strides[axis + 1]! * shape[axis + 1]!
  return strides
}

const sameKind = (data: ConstantData, length: number): ConstantData =>
  data instanceof Float32Array
    ? new Float32Array(length)
    : data instanceof Int32Array
      ? new Int32Array(length)
      : new Uint8Array(length)

/** Copies elements whose source index is start + sum of position * step over the axes of `shape`. */
function gatherStrided(source: ConstantData, shape: Shape, steps: readonly number[], start: number): ConstantData {
  const target = sameKind(source, elementCount(shape))
  const position = new Array<number>(shape.length).fill(0)
  let at = start
  for (let i = 0; i < target.length; i++) {
    target[i] = source[at]!
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      at += steps[axis]!
      position[axis]! += 1
      if (position[axis]! < shape[axis]!) break
      at -= steps[axis]! * shape[axis]!
      position[axis] = 0
    }
  }
  return target
}

/** Steps that walk an operand along a broadcast shape: 0 where it has one element only. */
function broadcastSteps(operand: Shape, shape: Shape): number[] {
  const strides = stridesOf(operand)
  return shape.map((_, axis) => {
    const own = axis - shape.length + operand.length
    return own < 0 || operand[own] === 1 ? 0 : strides[own]!
  })
}

/** The operand repeated to `shape` by ONNX broadcasting. */
export function broadcastTo(value: ConstantValue, shape: Shape): ConstantValue {
  return { shape, data: gatherStrided(value.data, shape, broadcastSteps(value.shape, shape), 0) }
}

function evaluateBinary(fn: BinaryFn, a: ConstantValue, b: ConstantValue): ConstantData {
  const shape = broadcastShape(a.shape, b.shape)
  const x = broadcastTo(a, shape).data
  const y = broadcastTo(b, shape).data
  const isFloat = x instanceof Float32Array || y instanceof Float32Array
  const target = isFloat ? new Float32Array(x.length) : new Int32Array(x.length)
  // integer arrays cut toward zero when assigned, as ONNX integer division does
  for (let i = 0; i < target.length; i++) target[i] = BINARY[fn](x[i]!, y[i]!)
  return target
}

function evaluateConcat(axis: number, inputs: readonly ConstantValue[], shape: Shape): ConstantData {
  const target = sameKind(inputs[0]!.data, elementCount(shape))
  const inner = elementCount(shape.slice(axis + 1))
  const outer = elementCount(shape.slice(0, axis))
  const row = shape[axis]! * inner
  let offset = 0
  for (const { shape: part, data } of inputs) {
    const length = part[axis]! * inner
    for (let i = 0; i < outer; i++) target.set(data.subarray(i * length, (i + 1) * length), i * row + offset)
    offset += length
  }
  return target
}

/**
 * Value of a node whose inputs are all constants.
 * @returns undefined for operations that are not folded (convolutions, pools and the like) and for huge results
 * @throws BridgeError `COMPILE_SHAPE` when the shapes do not fit
 */
export function evaluate(op: Op, inputs: readonly ConstantValue[]): ConstantValue | undefined {
  const x = inputs[0]
  if (!x) return undefined
  const shape = inferShape(
    op,
    inputs.map((input) => input.shape),
  )
  if (elementCount(shape) > MAX_FOLDED_ELEMENTS) return undefined
  const data = evaluateData(op, inputs, x, shape)
  return data && { shape, data }
}

function evaluateData(
  op: Op,
  inputs: readonly ConstantValue[],
  x: ConstantValue,
  shape: Shape,
): ConstantData | undefined {
  switch (op.kind) {
    case 'binary':
      return inputs[1] && evaluateBinary(op.fn, x, inputs[1])
    case 'unary':
      return x.data.map((value) => UNARY[op.fn](value))
    case 'activation':
      return x.data.map((value) => activate(op.activation, value))
    case 'concat':
      return evaluateConcat(op.axis, inputs, shape)
    case 'reshape':
      return x.data
    case 'transpose': {
      const strides = stridesOf(x.shape)
      return gatherStrided(
        x.data,
        shape,
        op.perm.map((axis) => strides[axis]!),
        0,
      )
    }
    case 'slice': {
      const strides = stridesOf(x.shape)
      const steps = strides.map((stride, axis) => stride * op.step[axis]!)
      const start = strides.reduce((sum, stride, axis) => sum + stride * op.begin[axis]!, 0)
      return gatherStrided(x.data, shape, steps, start)
    }
    default:
      return undefined
  }
}

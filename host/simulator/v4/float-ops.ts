import type { NodeOf } from '../../kmodel/v4/model.js'
import type { ClampRange } from '../../kmodel/v4/values.js'
import { accumulate, add32, div32, exp32, f32, mul32, sqrt32 } from '../float32.js'
import { type ModelMemory, wantElements } from '../memory.js'
import { broadcastIndex, countOf, eachIndex, eachTap, readFloats, windowOutput, writeFloats } from './tensors.js'

const clampTo = (value: number, clamp: ClampRange): number => Math.min(Math.max(value, clamp.min), clamp.max)

const BINARY: Record<NodeOf<'binary'>['operation'], (a: number, b: number) => number> = {
  add: (a, b) => a + b,
  sub: (a, b) => a - b,
  mul: (a, b) => a * b,
  div: (a, b) => a / b,
  min: Math.min,
  max: Math.max,
}

/** f32 a op b with broadcasting, clamped. */
export function binary(node: NodeOf<'binary'>, memory: ModelMemory): void {
  const a = readFloats(memory, node.a, countOf(node.aShape))
  const b = readFloats(memory, node.b, countOf(node.bShape))
  const out = new Float32Array(countOf(node.outShape))
  const operation = BINARY[node.operation]
  eachIndex(node.outShape, (n, c, h, w, index) => {
    const left = a[broadcastIndex(node.aShape, n, c, h, w)]!
    const right = b[broadcastIndex(node.bShape, n, c, h, w)]!
    out[index] = clampTo(f32(operation(left, right)), node.clamp)
  })
  writeFloats(memory, node.out, out)
}

const UNARY: Record<NodeOf<'unary'>['operation'], (x: number) => number> = {
  abs: Math.abs,
  ceil: Math.ceil,
  cos: Math.cos,
  exp: exp32,
  floor: Math.floor,
  log: Math.log,
  neg: (x) => -x,
  rsqrt: (x) => div32(1, sqrt32(x)),
  sin: Math.sin,
  square: (x) => x * x,
}

/** f32 function of every element. */
export function unary(node: NodeOf<'unary'>, memory: ModelMemory): void {
  writeFloats(memory, node.out, readFloats(memory, node.in, 0).map(UNARY[node.operation]))
}

type ReduceName = NodeOf<'reduce'>['operation']
const REDUCE: Record<ReduceName, (a: number, b: number) => number> = {
  mean: add32,
  sum: add32,
  min: Math.min,
  max: Math.max,
}

/** Over the axes where outShape is 1, from init; mean multiplies the sum by out/in elements. */
export function reduce(node: NodeOf<'reduce'>, memory: ModelMemory): void {
  const input = readFloats(memory, node.in, countOf(node.inShape))
  const out = new Float32Array(countOf(node.outShape)).fill(node.init)
  const operation = REDUCE[node.operation]
  eachIndex(node.inShape, (n, c, h, w, index) => {
    const at = broadcastIndex(node.outShape, n, c, h, w)
    out[at] = operation(out[at]!, input[index]!)
  })
  if (node.operation === 'mean') {
    const share = f32(out.length / countOf(node.inShape))
    for (let index = 0; index < out.length; index++) out[index] = out[index]! * share
  }
  writeFloats(memory, node.out, out)
}

/** Sliding reduction over in-image taps; mean divides by their number. */
export function reduceWindow2d(node: NodeOf<'reduceWindow2d'>, memory: ModelMemory): void {
  const [batch, channels, height, width] = node.inShape
  const input = readFloats(memory, node.in, countOf(node.inShape))
  const size = windowOutput(node)
  const out = new Float32Array(countOf([batch, channels, size.height, size.width]))
  const operation = REDUCE[node.operation]
  eachIndex([batch, channels, size.height, size.width], (n, c, oy, ox, index) => {
    const plane = (n * channels + c) * height * width
    let value = node.init
    let taps = 0
    eachTap(node, oy, ox, (offset) => {
      value = operation(value, input[plane + offset]!)
      taps++
    })
    out[index] = clampTo(node.operation === 'mean' ? div32(value, taps) : value, node.clamp)
  })
  writeFloats(memory, node.out, out)
}

/** f32 convolution from the bias, taps in index order, then the clamp. */
export function conv2d(node: NodeOf<'conv2d'>, memory: ModelMemory): void {
  const [batch, channels, height, width] = node.inShape
  const input = readFloats(memory, node.in, countOf(node.inShape))
  const size = windowOutput(node)
  const perGroup = { in: channels / node.groups, out: node.outChannels / node.groups }
  const taps = node.filterH * node.filterW
  const out = new Float32Array(countOf([batch, node.outChannels, size.height, size.width]))
  eachIndex([batch, node.outChannels, size.height, size.width], (n, oc, oy, ox, index) => {
    let acc = node.bias[oc]!
    const first = Math.floor(oc / perGroup.out) * perGroup.in
    for (let ic = 0; ic < perGroup.in; ic++) {
      const plane = (n * channels + first + ic) * height * width
      const weights = (oc * perGroup.in + ic) * taps
      eachTap(node, oy, ox, (offset, tap) => {
        acc = accumulate(acc, input[plane + offset]!, node.weights[weights + tap]!)
      })
    }
    out[index] = clampTo(acc, node.clamp)
  })
  writeFloats(memory, node.out, out)
}

/** Every input element is spread over its window of the output; bias and clamp at the end. */
export function conv2dTranspose(node: NodeOf<'conv2dTranspose'>, memory: ModelMemory): void {
  const input = readFloats(memory, node.in, countOf(node.inShape))
  const [, outChannels, height, width] = node.outShape
  const perGroup = { in: node.inShape[1] / node.groups, out: outChannels / node.groups }
  const out = new Float32Array(countOf(node.outShape))
  eachIndex(node.inShape, (n, ic, y, x, index) => {
    const group = Math.floor(ic / perGroup.in)
    for (let k = 0; k < perGroup.out; k++) {
      const oc = group * perGroup.out + k
      const weights = (oc * perGroup.in + (ic % perGroup.in)) * node.filterH * node.filterW
      for (let tap = 0; tap < node.filterH * node.filterW; tap++) {
        const oy = y * node.strideH - node.padH.before + Math.floor(tap / node.filterW) * node.dilationH
        const ox = x * node.strideW - node.padW.before + (tap % node.filterW) * node.dilationW
        if (oy < 0 || ox < 0 || oy >= height || ox >= width) continue
        const at = ((n * outChannels + oc) * height + oy) * width + ox
        out[at] = accumulate(out[at]!, input[index]!, node.weights[weights + tap]!)
      }
    }
  })
  eachIndex(node.outShape, (_n, oc, _h, _w, index) => {
    out[index] = clampTo(add32(out[index]!, node.bias[oc]!), node.clamp)
  })
  writeFloats(memory, node.out, out)
}

/** f32 a x b from the bias. */
export function matmul(node: NodeOf<'matmul'>, memory: ModelMemory): void {
  const a = readFloats(memory, node.a, countOf([node.aRows, node.aCols]))
  const b = readFloats(memory, node.b, countOf([node.aCols, node.bCols]))
  const out = new Float32Array(countOf([node.aRows, node.bCols]))
  for (let row = 0; row < node.aRows; row++) {
    for (let column = 0; column < node.bCols; column++) {
      let acc = node.bias[column]!
      for (let k = 0; k < node.aCols; k++) {
        acc = accumulate(acc, a[row * node.aCols + k]!, b[k * node.bCols + column]!)
      }
      out[row * node.bCols + column] = clampTo(acc, node.clamp)
    }
  }
  writeFloats(memory, node.out, out)
}

/** exp((x - max) * beta) over rows of innerSize, divided by their sum. */
export function softmax(node: NodeOf<'softmax'>, memory: ModelMemory): void {
  const count = countOf([node.outerSize, node.innerSize])
  const input = readFloats(memory, node.in, count)
  const out = new Float32Array(count)
  for (let outer = 0; outer < node.outerSize; outer++) {
    const from = outer * node.innerSize
    let top = input[from]!
    for (let k = 1; k < node.innerSize; k++) top = Math.max(top, input[from + k]!)
    let sum = 0
    for (let k = 0; k < node.innerSize; k++) {
      out[from + k] = exp32(mul32(f32(input[from + k]! - top), node.beta))
      sum = add32(sum, out[from + k]!)
    }
    for (let k = 0; k < node.innerSize; k++) out[from + k] = out[from + k]! / sum
  }
  writeFloats(memory, node.out, out)
}

/** nnil opcodes: what each does to the stack. Source: kmodel-v4.md section 3. */
const NNIL = {
  nop: 0x00,
  dup: 0x01,
  pop: 0x02,
  input: 0x03,
  zero: 0x04,
  one: 0x05,
  constant: 0x06,
  clamp: 0x80,
  ret: 0xa0,
}
const NNIL_UNARY = [UNARY.abs, UNARY.ceil, UNARY.cos, UNARY.exp, UNARY.floor, UNARY.log, UNARY.neg, UNARY.rsqrt].concat(
  [UNARY.sin, UNARY.square],
)
const NNIL_BINARY = [BINARY.add, BINARY.sub, BINARY.mul, BINARY.div, BINARY.min, BINARY.max]

/** Fused float program, run for every element. */
export function nnilUnary(node: NodeOf<'nnilUnary'>, memory: ModelMemory): void {
  const view = new DataView(node.program.buffer, node.program.byteOffset, node.program.byteLength)
  writeFloats(
    memory,
    node.out,
    readFloats(memory, node.in, 0).map((x) => runProgram(view, x)),
  )
}

function runProgram(program: DataView, x: number): number {
  const stack: number[] = []
  const pop = (): number => stack.pop() ?? Number.NaN
  for (let at = 0; at < program.byteLength; at++) {
    const code = program.getUint8(at)
    if (code === NNIL.ret) break
    if (code === NNIL.dup) stack.push(stack.at(-1) ?? Number.NaN)
    else if (code === NNIL.pop) pop()
    else if (code === NNIL.input) stack.push(x)
    else if (code === NNIL.zero || code === NNIL.one) stack.push(code - NNIL.zero)
    else if (code === NNIL.constant) {
      wantElements(program.byteLength - at - 1, 4, 'a constant of an nnil program')
      stack.push(program.getFloat32(at + 1, true))
      at += 4
    } else if (code === NNIL.clamp) {
      const high = pop()
      const low = pop()
      stack.push(Math.min(Math.max(pop(), low), high))
    } else if (code >= 0x40 && code < 0x46) {
      const second = pop()
      stack.push(f32(NNIL_BINARY[code - 0x40]!(pop(), second)))
    } else if (code >= 0x20 && code < 0x2a) stack.push(f32(NNIL_UNARY[code - 0x20]!(pop())))
    else if (code !== NNIL.nop) wantElements(-1, 0, `an nnil program with code 0x${code.toString(16)}`)
  }
  return pop()
}

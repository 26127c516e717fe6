import type { NodeOf } from '../../kmodel/v4/model.js'
import { div32, f32, mul32, roundHalfAway, toCode } from '../float32.js'
import { type ModelMemory, wantElements } from '../memory.js'
import {
  broadcastIndex,
  countOf,
  eachIndex,
  eachTap,
  readBytes,
  readFloats,
  windowOutput,
  writeBytes,
  writeFloats,
} from './tensors.js'

/** code = round(x * codesPerUnit + zeroPoint), half away from zero, clamped. */
export function quantize(node: NodeOf<'quantize'>, memory: ModelMemory): void {
  const input = readFloats(memory, node.in, 0)
  const scale = node.codesPerUnit
  const codes = Uint8Array.from(input, (x) => toCode(roundHalfAway(f32(mul32(x, scale) + node.zeroPoint))))
  writeBytes(memory, node.out, codes)
}

/** (code - zeroPoint) * (1 / codesPerUnit). */
export function dequantize(node: NodeOf<'dequantize'>, memory: ModelMemory): void {
  const unit = div32(1, node.codesPerUnit)
  const input = readBytes(memory, node.in, 0)
  writeFloats(
    memory,
    node.out,
    Float32Array.from(input, (code) => (code - node.zeroPoint) * unit),
  )
}

/**
 * Multiplies by `mul` and shifts with rounding half up, in 64 bits; the result is cut to 32.
 * @throws BridgeError `KMODEL_INVALID` when the shift is not 0..63
 */
export function integerScale(mul: number, shift: number): (value: number) => number {
  wantElements(shift >= 0 && shift < 64 ? 0 : -1, 0, `a shift by ${shift}`)
  const half = shift === 0 ? 0 : 2 ** (shift - 1)
  const unit = 2 ** shift
  const exact = shift < 52 ? 2 ** 52 : 0
  const bigHalf = shift === 0 ? 0n : 1n << BigInt(shift - 1)
  return (value) => {
    const product = value * mul
    if (Math.abs(product) < exact) return Math.floor((product + half) / unit) | 0
    return Number(BigInt.asIntN(32, (BigInt(value) * BigInt(mul) + bigHalf) >> BigInt(shift)))
  }
}

const INTEGER: Record<NodeOf<'quantizedBinary'>['operation'], (a: number, b: number) => number> = {
  add: (a, b) => (a + b) | 0,
  sub: (a, b) => (a - b) | 0,
  mul: Math.imul,
  div: (a, b) => (b === 0 ? 0 : Math.trunc((a + Math.trunc(b / 2)) / b) | 0),
  min: Math.min,
  max: Math.max,
}

/** Integer a op b with broadcasting. Source: kmodel-v4.md section 4. */
export function quantizedBinary(node: NodeOf<'quantizedBinary'>, memory: ModelMemory): void {
  const a = readBytes(memory, node.a, countOf(node.aShape))
  const b = readBytes(memory, node.b, countOf(node.bShape))
  const out = new Uint8Array(countOf(node.outShape))
  const operation = INTEGER[node.operation]
  const side = (offset: number, scale: (value: number) => number): Int32Array =>
    Int32Array.from({ length: 256 }, (_, code) => scale(code + offset))
  const left = side(node.aOffset, integerScale(node.aMul, node.aShift))
  const right = side(node.bOffset, integerScale(node.bMul, node.bShift))
  const scale = integerScale(node.outMul, node.outShift)
  eachIndex(node.outShape, (n, c, h, w, index) => {
    const first = left[a[broadcastIndex(node.aShape, n, c, h, w)]!]!
    const second = right[b[broadcastIndex(node.bShape, n, c, h, w)]!]!
    out[index] = toCode(scale(operation(first, second)) + node.outOffset)
  })
  writeBytes(memory, node.out, out)
}

/** Integer convolution over in-image taps. */
export function quantizedConv2d(node: NodeOf<'quantizedConv2d'>, memory: ModelMemory): void {
  const [batch, channels, height, width] = node.inShape
  const input = readBytes(memory, node.in, countOf(node.inShape))
  const size = windowOutput(node)
  const perGroup = { in: channels / node.groups, out: node.outChannels / node.groups }
  const taps = node.filterH * node.filterW
  const out = new Uint8Array(countOf([batch, node.outChannels, size.height, size.width]))
  const scale = integerScale(node.outMul, node.outShift)
  eachIndex([batch, node.outChannels, size.height, size.width], (n, oc, oy, ox, index) => {
    let acc = node.bias[oc]!
    const first = Math.floor(oc / perGroup.out) * perGroup.in
    for (let ic = 0; ic < perGroup.in; ic++) {
      const plane = (n * channels + first + ic) * height * width
      const weights = (oc * perGroup.in + ic) * taps
      eachTap(node, oy, ox, (offset, tap) => {
        const x = input[plane + offset]! + node.inputOffset
        acc = (acc + Math.imul(x, node.weights[weights + tap]! + node.filterOffset)) | 0
      })
    }
    out[index] = toCode(scale(acc) + node.outOffset)
  })
  writeBytes(memory, node.out, out)
}

/** Integer a x b from the bias. */
export function quantizedMatmul(node: NodeOf<'quantizedMatmul'>, memory: ModelMemory): void {
  const a = readBytes(memory, node.a, countOf([node.aRows, node.aCols]))
  const b = readBytes(memory, node.b, countOf([node.aCols, node.bCols]))
  const out = new Uint8Array(countOf([node.aRows, node.bCols]))
  const scale = integerScale(node.outMul, node.outShift)
  for (let row = 0; row < node.aRows; row++) {
    for (let column = 0; column < node.bCols; column++) {
      let acc = node.bias[column]!
      for (let k = 0; k < node.aCols; k++) {
        const x = a[row * node.aCols + k]! + node.aOffset
        acc = (acc + Math.imul(x, b[k * node.bCols + column]! + node.bOffset)) | 0
      }
      out[row * node.bCols + column] = toCode(scale(acc) + node.outOffset)
    }
  }
  writeBytes(memory, node.out, out)
}

/** out = table[in]. */
export function tableLookup1d(node: NodeOf<'tableLookup1d'>, memory: ModelMemory): void {
  const table = readBytes(memory, node.table, 256)
  writeBytes(
    memory,
    node.out,
    readBytes(memory, node.in, 0).map((code) => table[code]!),
  )
}

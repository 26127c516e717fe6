import { BridgeError } from '../foundation/errors.js'
import type { ConstantValue } from '../ir/evaluate.js'
import type { ConstantData } from '../ir/graph.js'
import { elementCount } from '../tensor/tensor.js'
import { toNumber } from './reader.js'
import { ELEMENT, type Int64, type OnnxTensor } from './schema.js'

const INT32_MAX = 2 ** 31 - 1
const EXTERNAL = 1

/** A number held in 32 bits; ONNX writes "to the end" as the largest 64-bit number. */
export const saturate = (value: number): number => Math.max(-INT32_MAX - 1, Math.min(INT32_MAX, value))

/** IEEE half precision to a number. */
export function halfToNumber(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1
  const exponent = (bits >> 10) & 31
  const fraction = bits & 1023
  if (exponent === 0) return sign * fraction * 2 ** -24
  if (exponent === 31) return fraction === 0 ? sign * Number.POSITIVE_INFINITY : Number.NaN
  return sign * (1 + fraction / 1024) * 2 ** (exponent - 15)
}

interface ElementReader {
  readonly bytes: number
  readonly make: (length: number) => ConstantData
  readonly read: (view: DataView, offset: number) => number
}

const floats = (length: number): ConstantData => new Float32Array(length)
const ints = (length: number): ConstantData => new Int32Array(length)
const bytes = (length: number): ConstantData => new Uint8Array(length)

/** How each element type lies in `rawData`, and what it becomes. */
const RAW: ReadonlyMap<number, ElementReader> = new Map([
  [ELEMENT.float32, { bytes: 4, make: floats, read: (v: DataView, o: number) => v.getFloat32(o, true) }],
  [ELEMENT.double, { bytes: 8, make: floats, read: (v: DataView, o: number) => v.getFloat64(o, true) }],
  [ELEMENT.float16, { bytes: 2, make: floats, read: (v: DataView, o: number) => halfToNumber(v.getUint16(o, true)) }],
  [ELEMENT.int64, { bytes: 8, make: ints, read: (v: DataView, o: number) => saturate(Number(v.getBigInt64(o, true))) }],
  [ELEMENT.int32, { bytes: 4, make: ints, read: (v: DataView, o: number) => v.getInt32(o, true) }],
  [ELEMENT.int16, { bytes: 2, make: ints, read: (v: DataView, o: number) => v.getInt16(o, true) }],
  [ELEMENT.uint16, { bytes: 2, make: ints, read: (v: DataView, o: number) => v.getUint16(o, true) }],
  [ELEMENT.int8, { bytes: 1, make: ints, read: (v: DataView, o: number) => v.getInt8(o) }],
  [ELEMENT.uint8, { bytes: 1, make: bytes, read: (v: DataView, o: number) => v.getUint8(o) }],
  [ELEMENT.bool, { bytes: 1, make: bytes, read: (v: DataView, o: number) => v.getUint8(o) }],
])

const damaged = (tensor: OnnxTensor, what: string): BridgeError =>
  new BridgeError('ONNX_FORMAT', {
    what: `tensor ${tensor.name || 'without name'}: ${what}`,
    fix: 'Check that the file was copied completely.',
  })

/** Elements of the typed fields, where `rawData` is not used. */
function typedElements(tensor: OnnxTensor): ArrayLike<number | Int64> {
  const lists = [tensor.floatData, tensor.int32Data, tensor.int64Data, tensor.doubleData]
  return lists.find((list) => list !== undefined && list.length > 0) ?? []
}

function fillTyped(tensor: OnnxTensor, data: ConstantData, isHalf: boolean): void {
  const elements = typedElements(tensor)
  if (elements.length !== data.length) throw damaged(tensor, `${elements.length} elements instead of ${data.length}`)
  for (let i = 0; i < data.length; i++) {
    const value = toNumber(elements[i])
    data[i] = isHalf ? halfToNumber(value) : saturateIn(data, value)
  }
}

const saturateIn = (data: ConstantData, value: number): number =>
  data instanceof Float32Array ? value : saturate(value)

/**
 * Elements of an ONNX tensor: floating types become float32, whole numbers int32 (saturated) or uint8.
 * @throws BridgeError `ONNX_FORMAT` when data and shape disagree or the data are kept in another file
 */
export function readTensor(tensor: OnnxTensor): ConstantValue {
  const shape = (tensor.dims ?? []).map((size) => toNumber(size))
  const reader = RAW.get(tensor.dataType ?? 0)
  if (!reader) throw damaged(tensor, `element type ${tensor.dataType ?? 0} is not supported`)
  if (tensor.dataLocation === EXTERNAL) throw damaged(tensor, 'its data are kept in another file')
  const count = elementCount(shape)
  const raw = tensor.rawData ?? new Uint8Array()
  const available = raw.length > 0 ? raw.length / reader.bytes : typedElements(tensor).length
  // before anything is allocated: a damaged shape may ask for any amount of memory
  if (shape.some((size) => size < 0) || available !== count) {
    throw damaged(tensor, `shape [${shape}] needs ${count} elements, ${available} are there`)
  }
  const data = reader.make(count)
  if (raw.length === 0) {
    fillTyped(tensor, data, tensor.dataType === ELEMENT.float16)
  } else {
    const view = new DataView(raw.buffer, raw.byteOffset, raw.byteLength)
    for (let i = 0; i < count; i++) data[i] = reader.read(view, i * reader.bytes)
  }
  return { shape, data }
}

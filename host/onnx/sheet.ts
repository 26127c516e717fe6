import type { ConstantData } from '../ir/graph.js'
import type { Shape } from '../tensor/tensor.js'
import { ATTRIBUTE, ELEMENT, type OnnxAttribute, type OnnxNode, type OnnxTensor } from './schema.js'

/** What an attribute can hold: whole number, text, whole numbers, or a float in a wrapper. */
export type AttributeValue = number | string | readonly number[] | { readonly float: number }

function attribute(name: string, value: AttributeValue): OnnxAttribute {
  if (typeof value === 'number') return { name, i: value, type: ATTRIBUTE.int }
  if (typeof value === 'string') return { name, s: new TextEncoder().encode(value), type: ATTRIBUTE.string }
  if ('float' in value) return { name, f: value.float, type: ATTRIBUTE.float }
  return { name, ints: value, type: ATTRIBUTE.ints }
}

const rawBytes = (data: ConstantData | BigInt64Array): Uint8Array =>
  new Uint8Array(data.buffer, data.byteOffset, data.byteLength)

/** A constant as an ONNX initializer. */
export function constantTensor(name: string, shape: Shape, data: ConstantData): OnnxTensor {
  const dataType =
    data instanceof Float32Array ? ELEMENT.float32 : data instanceof Int32Array ? ELEMENT.int32 : ELEMENT.uint8
  return { name, dims: [...shape], dataType, rawData: rawBytes(data) }
}

/** Collects ONNX nodes and initializers while the IR is walked. */
export class Sheet {
  readonly nodes: OnnxNode[] = []
  readonly initializers: OnnxTensor[] = []
  #count = 0

  /** A tensor name not used so far. */
  fresh(stem: string): string {
    return `${stem}/${this.#count++}`
  }

  /** Adds a node and returns its output. */
  emit(
    opType: string,
    input: readonly string[],
    output: string,
    attributes: Readonly<Record<string, AttributeValue>> = {},
  ): string {
    const list = Object.entries(attributes).map(([key, value]) => attribute(key, value))
    this.nodes.push({ opType, name: output, input: [...input], output: [output], attribute: list })
    return output
  }

  /** Adds a float constant and returns its name. */
  floats(stem: string, values: readonly number[], shape: Shape = []): string {
    const name = this.fresh(stem)
    this.initializers.push(constantTensor(name, shape, Float32Array.from(values)))
    return name
  }

  /** Adds a list of 64-bit whole numbers and returns its name. */
  ints(stem: string, values: readonly number[]): string {
    const name = this.fresh(stem)
    const rawData = rawBytes(BigInt64Array.from(values, (value) => BigInt(value)))
    this.initializers.push({ name, dims: [values.length], dataType: ELEMENT.int64, rawData })
    return name
  }
}

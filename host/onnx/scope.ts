import type { GraphBuilder } from '../ir/builder.js'
import { type ConstantValue, evaluate } from '../ir/evaluate.js'
import type { ConstantData } from '../ir/graph.js'
import type { Op, Pads, Pair } from '../ir/op.js'
import type { Shape } from '../tensor/tensor.js'
import { toNumber } from './reader.js'
import type { OnnxAttribute, OnnxNode } from './schema.js'
import { readTensor, saturate } from './tensors.js'

/** Thrown by an importer for a use of its operator that it cannot express; collected into one report. */
export class UnsupportedUse extends Error {}

/** One ONNX node while it is imported: typed attributes, and outputs as IR nodes. */
export class ImportNode {
  readonly #attributes: ReadonlyMap<string, OnnxAttribute>
  readonly #builder: GraphBuilder
  readonly #aliases: Map<string, string>
  readonly opType: string
  readonly opset: number
  readonly name: string
  readonly outputs: readonly string[]
  /** IR tensor names; '' where an optional input is absent. */
  readonly inputs: readonly string[]

  constructor(node: OnnxNode, opset: number, builder: GraphBuilder, aliases: Map<string, string>) {
    this.#attributes = new Map((node.attribute ?? []).map((attribute) => [attribute.name ?? '', attribute]))
    this.#builder = builder
    this.#aliases = aliases
    this.opType = node.opType ?? ''
    this.opset = opset
    this.outputs = node.output ?? []
    this.name = node.name || this.outputs[0] || this.opType
    this.inputs = (node.input ?? []).map((input) => aliases.get(input) ?? input)
  }

  /** Name of the input, which must be there. @throws UnsupportedUse */
  input(index: number): string {
    const name = this.inputs[index]
    if (!name) throw new UnsupportedUse(`input ${index} is missing`)
    return name
  }

  /** True when the optional input is given. */
  hasInput(index: number): boolean {
    return Boolean(this.inputs[index])
  }

  /** Shape of an input. */
  shape(index: number): Shape {
    return this.#builder.shapeOf(this.input(index))
  }

  /** Elements of an input when it is a constant. */
  constant(index: number): ConstantValue | undefined {
    if (!this.hasInput(index)) return undefined
    const { shape, data } = this.#builder.tensor(this.input(index))
    return data && { shape, data }
  }

  /** Elements of an input that must be a constant. @throws UnsupportedUse */
  requireConstant(index: number, what: string): ConstantValue {
    const value = this.constant(index)
    if (!value) throw new UnsupportedUse(`${what} must be a constant`)
    return value
  }

  /** Numbers given as a constant input or, in older operator sets, as an attribute; undefined when absent. */
  numbers(attribute: string, index: number): number[] | undefined {
    if (this.hasInput(index)) return Array.from(this.requireConstant(index, attribute).data)
    return this.has(attribute) ? this.ints(attribute) : undefined
  }

  has(name: string): boolean {
    return this.#attributes.has(name)
  }

  int(name: string, otherwise: number): number {
    const attribute = this.#attributes.get(name)
    return attribute ? toNumber(attribute.i) : otherwise
  }

  float(name: string, otherwise: number): number {
    return this.#attributes.get(name)?.f ?? otherwise
  }

  ints(name: string, otherwise: readonly number[] = []): number[] {
    const attribute = this.#attributes.get(name)
    return attribute ? (attribute.ints ?? []).map((value) => saturate(toNumber(value))) : [...otherwise]
  }

  floats(name: string): number[] {
    return [...(this.#attributes.get(name)?.floats ?? [])]
  }

  string(name: string, otherwise: string): string {
    const bytes = this.#attributes.get(name)?.s
    return bytes && bytes.length > 0 ? new TextDecoder().decode(bytes) : otherwise
  }

  tensor(name: string): ConstantValue | undefined {
    const tensor = this.#attributes.get(name)?.t
    return tensor && readTensor(tensor)
  }

  /** An axis attribute, counted from the front. @throws UnsupportedUse when it is outside `rank` */
  axis(value: number, rank: number): number {
    const axis = value < 0 ? value + rank : value
    if (axis < 0 || axis >= Math.max(1, rank)) throw new UnsupportedUse(`axis ${value} is outside ${rank} axes`)
    return axis
  }

  /** Adds an IR node for output `index`; folded at once when all its inputs are constants. */
  emit(op: Op, inputs: readonly string[], index = 0): string {
    const output = this.outputs[index] ?? this.#builder.fresh(this.name)
    return this.#emit(op, inputs, output, this.name)
  }

  /** Adds an IR node whose output has no name in the ONNX file. */
  inner(op: Op, inputs: readonly string[], suffix: string): string {
    const name = this.#builder.fresh(`${this.name}.${suffix}`)
    return this.#emit(op, inputs, name, name)
  }

  /** Makes output `index` a constant. */
  emitConstant(value: ConstantValue, index = 0): string {
    return this.#builder.constant(value.data, value.shape, this.outputs[index])
  }

  /** Adds a constant that has no name in the ONNX file. */
  innerConstant(data: ConstantData, shape: Shape, suffix: string): string {
    return this.#builder.constant(data, shape, this.#builder.fresh(`${this.name}.${suffix}`))
  }

  /** Makes output `index` another name of an existing tensor. */
  alias(tensor: string, index = 0): void {
    const output = this.outputs[index]
    if (output) this.#aliases.set(output, tensor)
  }

  #emit(op: Op, inputs: readonly string[], output: string, name: string): string {
    const tensors = inputs.map((input) => this.#builder.tensor(input))
    const values = tensors.flatMap(({ shape, data }) => (data ? [{ shape, data }] : []))
    const folded = values.length === inputs.length ? evaluate(op, values) : undefined
    if (folded) return this.#builder.constant(folded.data, folded.shape, output)
    return this.#builder.node(op, inputs, name, output)
  }
}

/** Turns one ONNX node into IR. */
export type Importer = (node: ImportNode) => void

/** Two numbers as a window; `otherwise` for an absent attribute. @throws UnsupportedUse unless two-dimensional */
export function pairOf(values: readonly number[], otherwise: Pair): Pair {
  if (values.length === 0) return otherwise
  if (values.length !== 2) throw new UnsupportedUse(`${values.length} spatial axes; only 2 are supported`)
  return { h: values[0]!, w: values[1]! }
}

/** ONNX pads of two axes: begins, then ends. */
export function padsOf(values: readonly number[]): Pads {
  if (values.length === 0) return { top: 0, left: 0, bottom: 0, right: 0 }
  if (values.length !== 4) throw new UnsupportedUse(`pads [${values}]; only 2 spatial axes are supported`)
  return { top: values[0]!, left: values[1]!, bottom: values[2]!, right: values[3]! }
}

/** Pads of `auto_pad`, else of `pads`. @throws UnsupportedUse for an unknown mode */
export function resolvePads(node: ImportNode, kernel: Pair, stride: Pair, dilation: Pair): Pads {
  const mode = node.string('auto_pad', 'NOTSET')
  if (mode === 'NOTSET') return padsOf(node.ints('pads'))
  if (mode === 'VALID') return padsOf([])
  if (mode !== 'SAME_UPPER' && mode !== 'SAME_LOWER') throw new UnsupportedUse(`auto_pad ${mode}`)
  const split = (size: number, k: number, s: number, d: number): [number, number] => {
    const total = Math.max(0, (Math.ceil(size / s) - 1) * s + d * (k - 1) + 1 - size)
    const small = Math.floor(total / 2)
    return mode === 'SAME_UPPER' ? [small, total - small] : [total - small, small]
  }
  const [, , height, width] = node.shape(0)
  const [top, bottom] = split(height ?? 1, kernel.h, stride.h, dilation.h)
  const [left, right] = split(width ?? 1, kernel.w, stride.w, dilation.w)
  return { top, left, bottom, right }
}

import { BridgeError } from '../foundation/errors.js'
import type { DataType, Shape } from '../tensor/tensor.js'
import type { ConstantData, DetectionHeads, Graph, Node, Tensor } from './graph.js'
import type { Op } from './op.js'
import { inferShape } from './shape.js'

/** A node to add; `output` defaults to the name. */
export interface NewNode {
  readonly name: string
  readonly op: Op
  readonly inputs: readonly string[]
  readonly output?: string
}

/**
 * A graph under change, for one pass: the graph it is made from stays as it is. Order does not matter while drafting;
 * `finish` sorts the nodes, drops what no output needs and checks nothing (the driver does).
 */
export class GraphDraft {
  readonly #source: Graph
  readonly #tensors: Map<string, Tensor>
  #nodes: Node[]
  #outputs: string[]
  #heads: DetectionHeads | undefined
  #changed = false

  constructor(graph: Graph) {
    this.#source = graph
    this.#tensors = new Map(graph.tensors)
    this.#nodes = [...graph.nodes]
    this.#outputs = [...graph.outputs]
    this.#heads = graph.heads
  }

  /** The nodes now; safe to change the draft while walking them. */
  get nodes(): readonly Node[] {
    return [...this.#nodes]
  }

  get inputs(): readonly string[] {
    return this.#source.inputs
  }

  get outputs(): readonly string[] {
    return this.#outputs
  }

  /** @throws BridgeError `IR_INVALID` for an unknown name */
  tensor(name: string): Tensor {
    const tensor = this.#tensors.get(name)
    if (!tensor) {
      throw new BridgeError('IR_INVALID', { what: `no tensor ${name}`, where: { graph: this.#source.name } })
    }
    return tensor
  }

  shape(name: string): Shape {
    return this.tensor(name).shape
  }

  /** Float elements of a constant, else undefined. */
  floats(name: string | undefined): Float32Array | undefined {
    const data = name === undefined ? undefined : this.#tensors.get(name)?.data
    return data instanceof Float32Array ? data : undefined
  }

  producer(name: string): Node | undefined {
    return this.#nodes.find((node) => node.output === name)
  }

  consumers(name: string): readonly Node[] {
    return this.#nodes.filter((node) => node.inputs.includes(name))
  }

  isOutput(name: string): boolean {
    return this.#outputs.includes(name)
  }

  /** The one node that reads `name`, when there is exactly one and `name` is no output of the graph. */
  soleConsumer(name: string): Node | undefined {
    const [first, second] = this.consumers(name)
    return first && !second && !this.isOutput(name) ? first : undefined
  }

  /** A name not used so far, beginning with `stem`. */
  fresh(stem: string): string {
    if (!this.#tensors.has(stem)) return stem
    for (let i = 1; ; i++) if (!this.#tensors.has(`${stem}.${i}`)) return `${stem}.${i}`
  }

  /** Adds a constant and returns its name, made from `stem`. */
  constant(stem: string, data: ConstantData, shape: Shape): string {
    const name = this.fresh(stem)
    const type: DataType = data instanceof Float32Array ? 'float32' : data instanceof Int32Array ? 'int32' : 'uint8'
    this.setTensor({ name, shape, type, data })
    return name
  }

  /** Replaces or adds a tensor. */
  setTensor(tensor: Tensor): void {
    this.#changed = true
    this.#tensors.set(tensor.name, tensor)
  }

  /** Adds a node; its output takes the shape that the op gives and the type of its first input. Returns the output. */
  add(node: NewNode): string {
    const output = node.output ?? node.name
    const tensors = node.inputs.map((input) => this.tensor(input))
    const shape = inferShape(
      node.op,
      tensors.map((tensor) => tensor.shape),
    )
    const old = this.#tensors.get(output)
    const type = tensors[0]?.type ?? 'float32'
    this.setTensor(old && !old.data ? { ...old, shape, type } : { name: output, shape, type })
    this.#nodes.push({ name: node.name, op: node.op, inputs: node.inputs, output })
    return output
  }

  /** Takes a node out; its output stays without producer until something else makes it. */
  remove(node: Node): void {
    this.#changed = true
    this.#nodes = this.#nodes.filter((other) => other !== node)
  }

  /** Puts a changed node in place of another. */
  replace(node: Node, fields: Partial<NewNode>): string {
    this.remove(node)
    return this.add({ ...node, ...fields })
  }

  /** Everything that reads `from` (outputs of the graph too) reads `to` from now on. */
  redirect(from: string, to: string): void {
    this.#changed = true
    this.#nodes = this.#nodes.map((node) =>
      node.inputs.includes(from) ? { ...node, inputs: node.inputs.map((x) => (x === from ? to : x)) } : node,
    )
    this.#outputs = this.#outputs.map((output) => (output === from ? to : output))
  }

  setOutputs(outputs: readonly string[], heads?: DetectionHeads): void {
    this.#changed = true
    this.#outputs = [...outputs]
    this.#heads = heads ?? this.#heads
  }

  /** The new graph; the old one itself when nothing was changed. */
  finish(): Graph {
    if (!this.#changed) return this.#source
    const nodes = this.#sorted()
    const used = new Set([...this.inputs, ...this.#outputs, ...nodes.flatMap((node) => [node.output, ...node.inputs])])
    const tensors = new Map([...this.#tensors].filter(([name]) => used.has(name)))
    const { name, inputs } = this.#source
    return { name, inputs, tensors, nodes, outputs: this.#outputs, ...(this.#heads && { heads: this.#heads }) }
  }

  /** Needed nodes, producers first; a cycle leaves its nodes where checkGraph finds them. */
  #sorted(): Node[] {
    const byOutput = new Map(this.#nodes.map((node) => [node.output, node]))
    const sorted: Node[] = []
    const seen = new Set<Node>()
    const visit = (root: Node): void => {
      // an explicit stack: a deep network must not exhaust the call stack
      const stack: { node: Node; next: number }[] = [{ node: root, next: 0 }]
      seen.add(root)
      while (stack.length > 0) {
        const top = stack[stack.length - 1]!
        const input = top.node.inputs[top.next++]
        const producer = input === undefined ? undefined : byOutput.get(input)
        if (producer && !seen.has(producer)) {
          seen.add(producer)
          stack.push({ node: producer, next: 0 })
        } else if (input === undefined) {
          sorted.push(top.node)
          stack.pop()
        }
      }
    }
    for (const output of this.#outputs) {
      const producer = byOutput.get(output)
      if (producer && !seen.has(producer)) visit(producer)
    }
    return sorted
  }
}

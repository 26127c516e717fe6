import { BridgeError } from '../foundation/errors.js'
import { type DataType, elementCount, type Shape } from '../tensor/tensor.js'
import type { ConstantData, Graph, Node, Tensor } from './graph.js'
import { type Activation, type Conv2dOp, conv2dOp, type Op, type Pair, pool2dOp } from './op.js'
import { inferShape } from './shape.js'

/** Weights and geometry of {@link GraphBuilder.conv2d}. */
export interface ConvSpec extends Partial<Omit<Conv2dOp, 'kind' | 'kernel'>> {
  /** OIHW. */
  readonly weights: Float32Array
  /** [O, I / groups, kernel height, kernel width]. */
  readonly shape: readonly [number, number, number, number]
  readonly bias?: Float32Array
}

const typeOf = (data: ConstantData): DataType =>
  data instanceof Float32Array ? 'float32' : data instanceof Int32Array ? 'int32' : 'uint8'

/** Builds a {@link Graph} node by node; every method returns the new tensor's name. */
export class GraphBuilder {
  readonly #name: string
  readonly #tensors = new Map<string, Tensor>()
  readonly #nodes: Node[] = []
  readonly #inputs: string[] = []
  readonly #outputs: string[] = []

  constructor(name: string) {
    this.#name = name
  }

  /** Shape of a tensor made so far. @throws BridgeError `IR_INVALID` for an unknown name */
  shapeOf(name: string): Shape {
    return this.tensor(name).shape
  }

  /** A tensor made so far. @throws BridgeError `IR_INVALID` for an unknown name */
  tensor(name: string): Tensor {
    const tensor = this.#tensors.get(name)
    if (!tensor) throw new BridgeError('IR_INVALID', { what: `unknown tensor ${name}`, where: { graph: this.#name } })
    return tensor
  }

  /** True when a tensor of that name exists. */
  has(name: string): boolean {
    return this.#tensors.has(name)
  }

  /** Declares a graph input (float32 unless said otherwise). */
  input(name: string, shape: Shape, type: DataType = 'float32'): string {
    this.#add({ name, shape, type })
    this.#inputs.push(name)
    return name
  }

  /** Adds a constant. @throws BridgeError `IR_INVALID` when data and shape disagree */
  constant(data: ConstantData, shape: Shape, name = this.fresh('const')): string {
    if (data.length !== elementCount(shape)) {
      throw new BridgeError('IR_INVALID', { what: `${name}: ${data.length} elements do not fill [${shape}]` })
    }
    this.#add({ name, shape, type: typeOf(data), data })
    return name
  }

  /** Adds a node; its output is called `output`, by default the node's name. */
  node(op: Op, inputs: readonly string[], name = this.fresh(op.kind), output = name): string {
    const shape = inferShape(
      op,
      inputs.map((input) => this.shapeOf(input)),
    )
    this.#add({ name: output, shape, type: inputs[0] === undefined ? 'float32' : this.tensor(inputs[0]).type })
    this.#nodes.push({ name, op, inputs, output })
    return output
  }

  /** Convolution with its constants called `name.weight` and `name.bias`. */
  conv2d(x: string, spec: ConvSpec, name = this.fresh('conv')): string {
    const { weights, shape, bias, ...fields } = spec
    const inputs = [x, this.constant(weights, shape, `${name}.weight`)]
    if (bias) inputs.push(this.constant(bias, [bias.length], `${name}.bias`))
    return this.node(conv2dOp({ kernel: { h: shape[2], w: shape[3] }, ...fields }), inputs, name)
  }

  /** Elementwise activation. */
  activation(x: string, activation: Activation, name?: string): string {
    return this.node({ kind: 'activation', activation }, [x], name)
  }

  /** Maximum over a window. */
  maxPool(x: string, kernel: Pair, stride: Pair, fields: Partial<Parameters<typeof pool2dOp>[0]> = {}, name?: string) {
    return this.node(pool2dOp({ ...fields, mode: 'max', kernel, stride }), [x], name)
  }

  /** Names the graph's outputs, in order. */
  output(...names: readonly string[]): this {
    this.#outputs.push(...names)
    return this
  }

  /** A name not used so far. */
  fresh(stem: string): string {
    for (let i = 0; ; i++) {
      const name = `${stem}${i}`
      if (!this.#tensors.has(name)) return name
    }
  }

  /** The finished graph. */
  build(): Graph {
    return {
      name: this.#name,
      tensors: new Map(this.#tensors),
      nodes: [...this.#nodes],
      inputs: [...this.#inputs],
      outputs: [...this.#outputs],
    }
  }

  #add(tensor: Tensor): void {
    if (this.#tensors.has(tensor.name)) {
      throw new BridgeError('IR_INVALID', {
        what: `two tensors are called ${tensor.name}`,
        where: { graph: this.#name },
      })
    }
    this.#tensors.set(tensor.name, tensor)
  }
}

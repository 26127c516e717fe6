import { BridgeError } from '../foundation/errors.js'
import type { DataType, QuantParams, Shape } from '../tensor/tensor.js'
import type { Op } from './op.js'

/** Elements of a constant. int64 of model files is held as int32 (saturated): it only serves shapes. */
export type ConstantData = Float32Array | Int32Array | Uint8Array

/** How often values other than 0 occurred: `counts[i]` of them in [i - counts.length / 2, + 1) * width. */
export interface ValueCounts {
  readonly width: number
  readonly counts: Float64Array
}

/** Values of one channel (axis 1) seen during calibration. */
export interface ChannelRange {
  readonly min: number
  readonly max: number
  readonly mean: number
  /** Mean of the squares. */
  readonly power: number
  /** As in the model file, whatever the channel was scaled by since; present when the method asks for it. */
  readonly seen?: ValueCounts
}

/** Values seen during calibration. */
export interface TensorRange {
  readonly min: number
  readonly max: number
  readonly channels: readonly ChannelRange[]
  /** Values beyond were seen but cut off on purpose: they make no difference to what follows. */
  readonly isClipped?: boolean
}

/** Where a tensor lives: KPU rows of 64 bytes, or bytes of main memory. */
export type TensorPlace =
  | { readonly area: 'kpu'; readonly row: number; readonly rows: number }
  | { readonly area: 'main'; readonly offset: number; readonly bytes: number }

/** A value of the graph: input, constant or the output of one node. */
export interface Tensor {
  readonly name: string
  readonly shape: Shape
  readonly type: DataType
  /** Present for constants. */
  readonly data?: ConstantData
  /** real = (code - zeroPoint) * scale, once quantized. */
  readonly quant?: QuantParams
  readonly range?: TensorRange
  /** Once channels are equalized: what each channel is to be multiplied with to give the model file's values. */
  readonly channelFactors?: readonly number[]
  readonly place?: TensorPlace
}

/** One operation with its one output. */
export interface Node {
  /** Name in the model file, or of the output when it has none. */
  readonly name: string
  readonly op: Op
  readonly inputs: readonly string[]
  readonly output: string
}

/** One scale of a recognized SSD head: tensor names of its maps. */
export interface SsdHeadMaps {
  readonly scores: string
  readonly boxes: string
  readonly priors: number
}

/** What a cut at the detection heads found; the card's decoder is made from it. */
export interface DetectionHeads {
  readonly kind: 'ssd'
  readonly classes: number
  readonly heads: readonly SsdHeadMaps[]
}

/** An immutable network; nodes are in an order that can be run. */
export interface Graph {
  readonly name: string
  readonly tensors: ReadonlyMap<string, Tensor>
  readonly nodes: readonly Node[]
  readonly inputs: readonly string[]
  readonly outputs: readonly string[]
  readonly heads?: DetectionHeads
}

/** The tensor of that name. @throws BridgeError `IR_INVALID` when there is none */
export function tensorOf(graph: Graph, name: string): Tensor {
  const tensor = graph.tensors.get(name)
  if (tensor === undefined) {
    throw new BridgeError('IR_INVALID', { what: `the graph has no tensor ${name}`, where: { graph: graph.name } })
  }
  return tensor
}

/** Float elements of a constant tensor. @throws BridgeError `IR_INVALID` when it is none */
export function floatsOf(graph: Graph, name: string): Float32Array {
  const { data } = tensorOf(graph, name)
  if (data instanceof Float32Array) return data
  throw new BridgeError('IR_INVALID', { what: `${name} is no float constant`, where: { graph: graph.name } })
}

/** Index from tensor name to the node that makes it. */
export function producers(graph: Graph): ReadonlyMap<string, Node> {
  return new Map(graph.nodes.map((node) => [node.output, node]))
}

/** Index from tensor name to the nodes that read it. */
export function consumers(graph: Graph): ReadonlyMap<string, readonly Node[]> {
  const index = new Map<string, Node[]>()
  for (const node of graph.nodes) {
    for (const input of new Set(node.inputs)) {
      const list = index.get(input)
      if (list) list.push(node)
      else index.set(input, [node])
    }
  }
  return index
}

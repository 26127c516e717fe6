import { asBridgeError, type BridgeError } from '../foundation/errors.js'
import type { Graph } from '../ir/graph.js'
import { readOnnx, toNumber } from '../onnx/reader.js'
import type { OnnxValueInfo } from '../onnx/schema.js'
import { elementCount, type MapShape } from '../tensor/tensor.js'
import { readModel } from './front-end.js'
import type { CompileOptions } from './options.js'

/** Input or output of a model file; an axis that is not fixed is its name, or `?`. */
export interface ModelTensor {
  readonly name: string
  readonly shape: readonly (number | string)[]
}

/** What is in a model file. */
export interface ModelDescription {
  readonly format: 'ONNX'
  readonly opset: number
  readonly irVersion: number
  readonly inputs: readonly ModelTensor[]
  readonly outputs: readonly ModelTensor[]
  /** Nodes by operator, most frequent first. */
  readonly operators: Readonly<Record<string, number>>
  readonly nodeCount: number
  /** Elements of all constants. */
  readonly parameters: number
  /** Multiply-accumulates of the convolutions; null when the network cannot be read as IR. */
  readonly macs: number | null
  /** Why the network cannot be read as IR, naming every node concerned. */
  readonly problem?: BridgeError
}

function tensorOf(info: OnnxValueInfo): ModelTensor {
  const dims = info.type?.tensorType?.shape?.dim ?? []
  return { name: info.name ?? '', shape: dims.map((dim) => toNumber(dim.dimValue) || dim.dimParam || '?') }
}

function macsOf(graph: Graph): number {
  const macs = graph.nodes.map(({ op, inputs, output }) => {
    if (op.kind !== 'conv2d') return 0
    const [outputs = 1, ...taps] = graph.tensors.get(inputs[1]!)!.shape
    const shape = graph.tensors.get(output)!.shape
    return outputs > 0 ? elementCount(shape) * elementCount(taps) : 0
  })
  return macs.reduce((sum, value) => sum + value, 0)
}

function readAsIr(bytes: Uint8Array, name: string): { macs: number | null; problem?: BridgeError } {
  try {
    return { macs: macsOf(readModel(bytes, name, { method: 'minmax', target: 'v4' })) }
  } catch (error) {
    return { macs: null, problem: asBridgeError(error) }
  }
}

/**
 * Describes an ONNX file for people, whether or not it can be compiled.
 * @throws BridgeError `ONNX_FORMAT`, `ONNX_UNSUPPORTED` for a file that is no ONNX model or of an unknown operator set
 */
export function describeModel(bytes: Uint8Array, name: string): ModelDescription {
  const { graph, opset, irVersion } = readOnnx(bytes)
  const constants = graph.initializer ?? []
  const constantNames = new Set(constants.map((tensor) => tensor.name))
  const counts = new Map<string, number>()
  for (const { opType = '?' } of graph.node ?? []) counts.set(opType, (counts.get(opType) ?? 0) + 1)
  return {
    format: 'ONNX',
    opset,
    irVersion,
    inputs: (graph.input ?? []).filter((info) => !constantNames.has(info.name ?? '')).map(tensorOf),
    outputs: (graph.output ?? []).map(tensorOf),
    operators: Object.fromEntries([...counts].sort(([, a], [, b]) => b - a)),
    nodeCount: graph.node?.length ?? 0,
    parameters: constants.reduce((sum, tensor) => sum + elementCount((tensor.dims ?? []).map(toNumber)), 0),
    ...readAsIr(bytes, name),
  }
}

/**
 * Channels, height and width of a model's picture input; undefined when its first input is no [N, C, H, W].
 * @throws BridgeError what {@link readModel} throws
 */
export function pictureInput(bytes: Uint8Array, name: string, options: CompileOptions): MapShape | undefined {
  const graph = readModel(bytes, name, options)
  const [, channels, height, width, ...more] = graph.tensors.get(graph.inputs[0] ?? '')?.shape ?? []
  if (width === undefined || more.length > 0) return undefined
  return { channels: channels!, height: height!, width }
}

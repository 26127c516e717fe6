import { BridgeError } from '../../foundation/errors.js'
import { unreachable } from '../../foundation/unreachable.js'
import { consumers, type Graph, type Node, tensorOf } from '../../ir/graph.js'
import type { KpuConv2dOp, Op, TableSegment } from '../../ir/op.js'
import type { KmodelV4Model, KmodelV4Node } from '../../kmodel/v4/model.js'
import type { MemoryRange, Shape4 } from '../../kmodel/v4/values.js'
import { ACTIVATION_SEGMENTS, type ActivationSegment, encodeActivationTable } from '../../kpu/activation-table.js'
import { encodeBatchNorm } from '../../kpu/batch-norm.js'
import { layerFields } from '../../kpu/layer-fields.js'
import { POOL_IDS } from '../../kpu/pool.js'
import { ROW_BYTES } from '../../kpu/row-layout.js'
import { MAIN_ALIGNMENT } from '../allocate/main-memory.js'
import { mapShape } from '../maps.js'

/** A kmodel node and the IR node that it comes from. */
export interface EmittedNode {
  readonly node: Node
  readonly layer: KmodelV4Node
}

/** A whole kmodel before it is written. */
export interface EmittedModel {
  readonly model: KmodelV4Model
  readonly nodes: readonly EmittedNode[]
}

const shape4 = (graph: Graph, name: string): Shape4 => {
  const { channels, height, width } = mapShape(graph, name)
  return [1, channels, height, width]
}

function memoryRange(graph: Graph, name: string): MemoryRange {
  const { place } = tensorOf(graph, name)
  if (!place) throw new BridgeError('IR_INVALID', { what: `${name} has no place in memory`, where: { tensor: name } })
  return place.area === 'kpu'
    ? { memory: 'kpu', type: 'uint8', start: place.row * ROW_BYTES, bytes: place.rows * ROW_BYTES }
    : { memory: 'main', type: 'uint8', start: place.offset, bytes: place.bytes }
}

const rowOf = (graph: Graph, name: string): number => memoryRange(graph, name).start / ROW_BYTES

/** First x_start of unused entries: above every result, rising. Source: kpu.md section 5. */
const UNUSED_START = 2 ** 35 - 16

/** All 16 segments of a table. */
export function fullTable(live: readonly TableSegment[]): ActivationSegment[] {
  return Array.from({ length: ACTIVATION_SEGMENTS }, (_, i) => {
    const segment = live[i] ?? { start: UNUSED_START + i, mul: 0, shift: 0, bias: 255 }
    return { xStart: segment.start, yMul: segment.mul, shiftNumber: segment.shift, resultBias: segment.bias }
  })
}

function emitConv(graph: Graph, node: Node, op: KpuConv2dOp, main: MemoryRange | null): KmodelV4Node {
  const { code } = op
  if (!code) throw new BridgeError('IR_INVALID', { what: `${node.name} is not quantized`, where: { node: node.name } })
  const layer = layerFields({
    in: mapShape(graph, node.inputs[0]!),
    outChannels: mapShape(graph, node.output).channels,
    kernel: op.kernel,
    depthwise: op.depthwise,
    pool: POOL_IDS[op.pool],
    srcRow: rowOf(graph, node.inputs[0]!),
    dstRow: rowOf(graph, node.output),
    padValue: code.padCode,
    argX: code.argX,
    shrX: code.shrX,
    argW: code.argW,
    shrW: code.shrW,
    argAdd: code.argAdd,
    sendDataOut: main !== null,
  })
  const batchNorm = encodeBatchNorm(
    code.norm.map(({ mul, shift, add }) => ({ normMul: mul, normShift: shift, normAdd: add })),
  )
  const activation = encodeActivationTable(fullTable(code.table))
  const kpu = { layer, batchNorm, activation, weights: code.weights }
  return { op: 'kpuConv2d', mainMemOutput: main, batches: 1, kpu }
}

function emitPad(graph: Graph, node: Node, op: Extract<Op, { kind: 'pad' }>): KmodelV4Node {
  const input = tensorOf(graph, node.inputs[0]!)
  const { scale, zeroPoint } = input.quant!
  const code = Math.min(255, Math.max(0, Math.round(op.value / scale) + zeroPoint))
  const pair = (axis: number) => ({ before: op.before[axis]!, after: op.after[axis]! })
  return {
    op: 'pad',
    in: memoryRange(graph, node.inputs[0]!),
    out: memoryRange(graph, node.output),
    inShape: shape4(graph, node.inputs[0]!),
    padN: pair(0),
    padC: pair(1),
    padH: pair(2),
    padW: pair(3),
    valueType: 'uint8',
    value: Uint8Array.of(code, 0, 0, 0),
  }
}

function emitNode(graph: Graph, node: Node, downloads: ReadonlyMap<string, string>): KmodelV4Node | undefined {
  const { op } = node
  switch (op.kind) {
    case 'kpuConv2d': {
      const main = downloads.get(node.output)
      return emitConv(graph, node, op, main === undefined ? null : memoryRange(graph, main))
    }
    case 'kpuUpload':
      return {
        op: 'kpuUpload',
        in: memoryRange(graph, node.inputs[0]!),
        out: memoryRange(graph, node.output),
        inShape: shape4(graph, node.inputs[0]!),
      }
    case 'kpuDownload':
      return undefined // part of the layer before it
    case 'pad':
      return emitPad(graph, node, op)
    case 'conv2d':
    case 'pool2d':
    case 'batchNorm':
    case 'pick':
    case 'globalPool':
    case 'activation':
    case 'prelu':
    case 'binary':
    case 'unary':
    case 'concat':
    case 'transpose':
    case 'reshape':
    case 'slice':
    case 'softmax':
    case 'matmul':
    case 'reduce':
    case 'resize':
      throw new BridgeError('IR_INVALID', { what: `${op.kind} reached the kmodel writer`, where: { node: node.name } })
    default:
      return unreachable(op)
  }
}

/** Main-memory tensor of each KPU result that is copied out. */
function downloadsOf(graph: Graph): ReadonlyMap<string, string> {
  const readers = consumers(graph)
  return new Map(
    graph.nodes.flatMap((node) => {
      const copy = readers.get(node.output)?.find((reader) => reader.op.kind === 'kpuDownload')
      return copy ? [[node.output, copy.output] as const] : []
    }),
  )
}

/** Turns a placed and quantized graph into a kmodel v4. Every node of it says which IR node it comes from. */
export function emitV4(graph: Graph): EmittedModel {
  const downloads = downloadsOf(graph)
  const nodes = graph.nodes.flatMap((node) => {
    const layer = emitNode(graph, node, downloads)
    return layer ? [{ node, layer }] : []
  })
  const ends = [...graph.tensors.values()].map(({ place }) => (place?.area === 'main' ? place.offset + place.bytes : 0))
  const mainBytes = Math.ceil(Math.max(0, ...ends) / MAIN_ALIGNMENT) * MAIN_ALIGNMENT
  const model: KmodelV4Model = {
    inputs: graph.inputs.map((name) => ({ range: memoryRange(graph, name), shape: shape4(graph, name) })),
    outputs: graph.outputs.map((name) => memoryRange(graph, name)),
    constants: new Uint8Array(),
    mainBytes,
    nodes: nodes.map(({ layer }) => layer),
  }
  return { model, nodes }
}

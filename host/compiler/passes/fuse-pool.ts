import { GraphDraft } from '../../ir/draft.js'
import type { Graph, Node } from '../../ir/graph.js'
import { type Conv2dOp, conv2dOp, type FusedPool, type Op, type Pool2dOp, square } from '../../ir/op.js'
import { KPU_LIMITS } from '../../kpu/limits.js'

const key = (op: Pool2dOp): string =>
  [op.mode, op.kernel.h, op.kernel.w, op.stride.h, op.stride.w, ...Object.values(op.pads)].join()

/**
 * Pools of the KPU by mode, window, stride and pads (top, left, bottom, right). A 2x2 maximum of stride 1 looks at
 * pixels inside the picture only, as ONNX does with one pixel of padding at the end.
 */
const POOLS: ReadonlyMap<string, FusedPool> = new Map([
  ['max,2,2,2,2,0,0,0,0', 'max2s2'],
  ['mean,2,2,2,2,0,0,0,0', 'mean2s2'],
  ['max,4,4,4,4,0,0,0,0', 'max4s4'],
  ['mean,4,4,4,4,0,0,0,0', 'mean4s4'],
  ['max,2,2,1,1,0,0,1,1', 'max2s1'],
])

/** The KPU's pool for a node, or undefined. Rounding up differs from the KPU only when something is left over. */
function fusedPool(op: Op, height: number, width: number): FusedPool | undefined {
  if (op.kind === 'pick') return op.stride === 2 ? 'leftTop2s2' : op.stride === 4 ? 'leftTop4s4' : undefined
  if (op.kind !== 'pool2d') return undefined
  const leftOver = height % op.stride.h !== 0 || width % op.stride.w !== 0
  return op.ceil && leftOver ? undefined : POOLS.get(key(op))
}

const canHost = (op: Op): op is Conv2dOp =>
  op.kind === 'conv2d' && op.groups === 1 && op.pool === 'none' && op.stride.h === 1 && op.stride.w === 1

/** A 1x1 convolution that changes nothing, only to carry the pool: far cheaper than a pool on the CPU. */
function addHost(draft: GraphDraft, node: Node): Node | undefined {
  const x = node.inputs[0]!
  const channels = draft.shape(x)[1]!
  if (channels > KPU_LIMITS.channels.max) return undefined
  const weights = new Float32Array(channels * channels)
  for (let c = 0; c < channels; c++) weights[c * channels + c] = 1
  const constant = draft.constant(`${node.name}.identity`, weights, [channels, channels, 1, 1])
  const name = draft.fresh(`${node.name}.host`)
  return draft.producer(draft.add({ name, op: conv2dOp({ kernel: square(1) }), inputs: [x, constant] }))
}

/** Pixels missing at the end so that a pick of odd sizes keeps its last pixel: the KPU rounds down. */
function padToWhole(draft: GraphDraft, host: Node, op: Conv2dOp, stride: number): string {
  const x = host.inputs[0]!
  const [, , height, width] = draft.shape(x)
  const missing = [height!, width!].map((size) => (stride - (size % stride)) % stride)
  if (missing.every((count) => count === 0)) return x
  const pad = {
    kind: 'pad',
    before: [0, 0, 0, 0],
    after: [0, 0, missing[0]!, missing[1]!],
    value: op.padValue,
  } as const
  return draft.add({ name: draft.fresh(`${host.name}.pad`), op: pad, inputs: [x] })
}

/**
 * Merges pools and picks into the convolution before them (a new 1x1 one where that is not possible). A pick of an odd
 * map gets an explicit pad before its convolution, which only dropped pixels see.
 */
export function fusePool(graph: Graph): Graph {
  const draft = new GraphDraft(graph)
  for (const { output } of graph.nodes) {
    const node = draft.producer(output)
    if (!node || draft.shape(node.inputs[0] ?? node.output).length !== 4) continue
    const [, , height, width] = draft.shape(node.inputs[0]!)
    const pool = fusedPool(node.op, height!, width!)
    if (!pool) continue
    const producer = draft.producer(node.inputs[0]!)
    const direct = producer && canHost(producer.op) && draft.soleConsumer(producer.output) === node
    const host = direct ? producer : addHost(draft, node)
    if (host?.op.kind !== 'conv2d') continue
    const x = node.op.kind === 'pick' ? padToWhole(draft, host, host.op, node.op.stride) : host.inputs[0]!
    draft.remove(host)
    const name = direct ? host.name : node.name
    draft.replace(node, { name, op: { ...host.op, pool }, inputs: [x, ...host.inputs.slice(1)] })
  }
  return draft.finish()
}

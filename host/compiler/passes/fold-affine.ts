import { GraphDraft } from '../../ir/draft.js'
import { broadcastTo } from '../../ir/evaluate.js'
import type { Graph, Node } from '../../ir/graph.js'
import { type Conv2dOp, conv2dOp, evenPads, square } from '../../ir/op.js'

/** y = x * scale + shift, by channel. */
export interface ChannelAffine {
  readonly scale: Float64Array
  readonly shift: Float64Array
}

/** Elements of a constant by channel of a map with `channels` channels, if it has one value (or one each). */
function perChannel(draft: GraphDraft, name: string, channels: number): Float64Array | undefined {
  const data = draft.floats(name)
  if (!data) return undefined
  if (data.length === 1) return new Float64Array(channels).fill(data[0]!)
  const shape = draft.shape(name)
  // [C, 1, 1] or [1, C, 1, 1]
  const axis = shape.length - 3
  if (data.length !== channels || shape[axis] !== channels) return undefined
  return Float64Array.from(broadcastTo({ shape: [channels], data }, [channels]).data)
}

function batchNormAffine(draft: GraphDraft, node: Node, epsilon: number): ChannelAffine | undefined {
  const [scale, bias, mean, variance] = node.inputs.slice(1).map((input) => draft.floats(input))
  if (!scale || !bias || !mean || !variance) return undefined
  const factor = Float64Array.from(scale, (value, c) => value / Math.sqrt(variance[c]! + epsilon))
  return { scale: factor, shift: factor.map((value, c) => bias[c]! - value * mean[c]!) }
}

function binaryAffine(draft: GraphDraft, node: Node, x: string): ChannelAffine | undefined {
  const { op, inputs } = node
  if (op.kind !== 'binary' || inputs.length !== 2 || inputs[0] === inputs[1]) return undefined
  const first = inputs[0] === x
  const channels = draft.shape(x)[1]!
  const k = perChannel(draft, inputs[first ? 1 : 0]!, channels)
  if (!k) return undefined
  const ones = new Float64Array(channels).fill(1)
  const zeros = new Float64Array(channels)
  switch (op.fn) {
    case 'add':
      return { scale: ones, shift: k }
    case 'sub':
      return first ? { scale: ones, shift: k.map((v) => -v) } : { scale: ones.map((v) => -v), shift: k }
    case 'mul':
      return { scale: k, shift: zeros }
    case 'div':
      return first ? { scale: k.map((v) => 1 / v), shift: zeros } : undefined
    default:
      return undefined
  }
}

/** The affine that a node applies to each channel of `x`: a batch norm, or arithmetic with a constant by channel. */
export function affineOf(draft: GraphDraft, node: Node, x: string): ChannelAffine | undefined {
  if (draft.shape(x).length !== 4 || draft.shape(node.output).join() !== draft.shape(x).join()) return undefined
  if (node.op.kind === 'batchNorm') return batchNormAffine(draft, node, node.op.epsilon)
  return binaryAffine(draft, node, x)
}

const isPlainConv = (op: Node['op']): op is Conv2dOp =>
  op.kind === 'conv2d' && op.activation.fn === 'none' && op.pool === 'none'

/** Merges the affine behind a convolution into its weights and bias. */
function foldInto(draft: GraphDraft, conv: Node, node: Node, affine: ChannelAffine): boolean {
  const weights = draft.floats(conv.inputs[1])
  const bias = conv.inputs[2] === undefined ? undefined : draft.floats(conv.inputs[2])
  if (!weights || (conv.inputs[2] !== undefined && !bias)) return false
  const shape = draft.shape(conv.inputs[1]!)
  const perOutput = weights.length / shape[0]!
  const folded = weights.map((value, i) => value * affine.scale[Math.floor(i / perOutput)]!)
  const shift = Float32Array.from(affine.shift, (value, c) => value + (bias?.[c] ?? 0) * affine.scale[c]!)
  const inputs = [
    conv.inputs[0]!,
    draft.constant(`${conv.inputs[1]}.folded`, folded, shape),
    draft.constant(`${conv.name}.bias`, shift, [shift.length]),
  ]
  draft.remove(conv)
  draft.replace(node, { name: conv.name, op: conv.op, inputs })
  return true
}

/** A batch norm with no convolution before it becomes a depthwise one with a single tap. */
function asDepthwise(draft: GraphDraft, node: Node, affine: ChannelAffine): void {
  const channels = affine.scale.length
  const weights = new Float32Array(channels * 9)
  for (let c = 0; c < channels; c++) weights[c * 9 + 4] = affine.scale[c]!
  const inputs = [
    node.inputs[0]!,
    draft.constant(`${node.name}.weight`, weights, [channels, 1, 3, 3]),
    draft.constant(`${node.name}.bias`, Float32Array.from(affine.shift), [channels]),
  ]
  // 3x3: the only depthwise kernel that real kmodels have
  draft.replace(node, { op: conv2dOp({ kernel: square(3), pads: evenPads(1), groups: channels }), inputs })
}

/**
 * Folds batch norms and per-channel arithmetic into the convolution before them; a batch norm that stands alone
 * becomes a depthwise convolution.
 */
export function foldAffine(graph: Graph): Graph {
  const draft = new GraphDraft(graph)
  for (const { output } of graph.nodes) {
    const node = draft.producer(output)
    const x = node?.inputs.find((input) => !draft.tensor(input).data)
    if (!node || x === undefined) continue
    const affine = affineOf(draft, node, x)
    if (!affine) continue
    const conv = draft.producer(x)
    const alone = draft.soleConsumer(x) === node
    if (conv && alone && isPlainConv(conv.op) && foldInto(draft, conv, node, affine)) continue
    if (node.op.kind === 'batchNorm') asDepthwise(draft, node, affine)
  }
  return draft.finish()
}

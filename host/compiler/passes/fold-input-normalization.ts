import { BridgeError } from '../../foundation/errors.js'
import { GraphDraft } from '../../ir/draft.js'
import type { Graph, Node } from '../../ir/graph.js'
import type { Conv2dOp } from '../../ir/op.js'
import type { PassContext } from '../options.js'
import { affineOf, type ChannelAffine } from './fold-affine.js'

/** real = pixel * scale + shift for the wanted mean and std; one value serves all channels. */
function pixelAffine(context: PassContext, channels: number): ChannelAffine {
  const at = (values: readonly number[], c: number) => values[values.length === 1 ? 0 : c]
  for (const values of [context.mean, context.std]) {
    if (values.length === 1 || values.length === channels) continue
    throw new BridgeError('USAGE', {
      what: `mean and std have ${context.mean.length} and ${context.std.length} values, the input has ${channels} channels`,
      fix: 'Give one value, or one for each channel.',
    })
  }
  const scale = Float64Array.from({ length: channels }, (_, c) => 1 / at(context.std, c)!)
  return { scale, shift: scale.map((factor, c) => -at(context.mean, c)! * factor) }
}

/** First `inner`, then `outer`. */
function chain(inner: ChannelAffine, outer: ChannelAffine): ChannelAffine {
  return {
    scale: inner.scale.map((value, c) => value * outer.scale[c]!),
    shift: inner.shift.map((value, c) => value * outer.scale[c]! + outer.shift[c]!),
  }
}

/** Weights for pixels instead of normalized values, and the bias that goes with them. */
function foldWeights(
  weights: Float32Array,
  shape: readonly number[],
  bias: Float32Array | undefined,
  affine: ChannelAffine,
  groups: number,
): { weights: Float32Array; bias: Float32Array } {
  const [outputs, perGroup] = [shape[0]!, shape[1]!]
  const taps = shape[2]! * shape[3]!
  const folded = new Float32Array(weights.length)
  const sums = Float64Array.from({ length: outputs }, (_, o) => bias?.[o] ?? 0)
  for (let o = 0; o < outputs; o++) {
    const firstChannel = Math.floor(o / (outputs / groups)) * perGroup
    for (let i = 0; i < perGroup * taps; i++) {
      const channel = firstChannel + Math.floor(i / taps)
      const at = o * perGroup * taps + i
      folded[at] = weights[at]! * affine.scale[channel]!
      sums[o]! += weights[at]! * affine.shift[channel]!
    }
  }
  return { weights: folded, bias: Float32Array.from(sums) }
}

/** The pixel that stands for a normalized 0 outside the picture: one byte serves all channels, so the mean of them. */
function padPixel(affine: ChannelAffine): number {
  const zeros = affine.scale.map((scale, c) => -affine.shift[c]! / scale)
  const mean = zeros.reduce((sum, value) => sum + value, 0) / zeros.length
  return Math.min(255, Math.max(0, Math.round(mean)))
}

function foldIntoConv(draft: GraphDraft, node: Node, op: Conv2dOp, input: string, affine: ChannelAffine): boolean {
  const weights = draft.floats(node.inputs[1])
  if (!weights || node.inputs[0] === undefined) return false
  const shape = draft.shape(node.inputs[1]!)
  const folded = foldWeights(weights, shape, draft.floats(node.inputs[2]), affine, op.groups)
  const inputs = [
    input,
    draft.constant(`${node.inputs[1]}.pixels`, folded.weights, shape),
    draft.constant(`${node.name}.bias.pixels`, folded.bias, [folded.bias.length]),
  ]
  const padded = Object.values(op.pads).some((count) => count !== 0)
  draft.replace(node, { op: { ...op, padValue: padded ? padPixel(affine) : 0 }, inputs })
  return true
}

/** Walks from the input over per-channel arithmetic to the convolutions behind it. */
function foldFrom(draft: GraphDraft, input: string, x: string, affine: ChannelAffine, faults: string[]): void {
  if (draft.isOutput(x)) faults.push(`${x}: the input itself is an output`)
  for (const node of draft.consumers(x)) {
    const own = affineOf(draft, node, x)
    if (own) foldFrom(draft, input, node.output, chain(affine, own), faults)
    else if (node.op.kind === 'conv2d' && foldIntoConv(draft, node, node.op, input, affine)) continue
    else faults.push(`${node.name} (${node.op.kind})`)
  }
}

/**
 * Makes the network take pixels 0..255: mean, std and arithmetic with constants at the input go into the first
 * convolution, whose padding becomes the pixel of a normalized 0 (rounded; exact when all channels share one whole
 * mean).
 * @throws BridgeError `COMPILE_UNSUPPORTED` when something else than convolutions reads the input
 */
export function foldInputNormalization(graph: Graph, context: PassContext): Graph {
  const [input, ...others] = graph.inputs
  const shape = input === undefined ? [] : graph.tensors.get(input)!.shape
  if (input === undefined || others.length > 0 || shape.length !== 4 || shape[0] !== 1) {
    throw new BridgeError('COMPILE_UNSUPPORTED', {
      what: `the network takes ${graph.inputs.length} inputs, the first of shape [${shape}]`,
      where: { model: graph.name },
      fix: 'A network with one picture [1, C, H, W] as its input can be compiled.',
    })
  }
  const draft = new GraphDraft(graph)
  const faults: string[] = []
  foldFrom(draft, input, input, pixelAffine(context, shape[1]!), faults)
  if (faults.length === 0) return draft.finish()
  throw new BridgeError('COMPILE_UNSUPPORTED', {
    what: `the picture must go to convolutions only, but is read by ${faults.join(', ')}`,
    where: { model: graph.name },
    fix: 'Export the network without preprocessing and give --mean and --std.',
  })
}

import { type ChannelRange, floatsOf, type Graph, type Node, type Tensor, type TensorRange } from '../../ir/graph.js'
import type { PassContext } from '../options.js'
import { type ClipChannel, chooseClip } from './choose-clip.js'

/** The maps whose values were counted, besides outputs: what a decoder can do without, only clip-head knows. */
function countedMaps(graph: Graph): { readonly tensor: Tensor; readonly range: TensorRange }[] {
  return graph.nodes.flatMap(({ output }) => {
    const tensor = graph.tensors.get(output)!
    const { range } = tensor
    return range?.channels[0]?.seen && !graph.outputs.includes(output) ? [{ tensor, range }] : []
  })
}

function cutChannel(channel: ChannelRange): ChannelRange {
  return channel.seen ? { ...channel, ...chooseClip(channel, [{ seen: channel.seen, factor: 1, weight: 1 }]) } : channel
}

/**
 * Cuts each channel's range to the one with the least squared error when the channel has a step of its own, which
 * equalization is about to give it. The values stay as they were seen for the fidelity report: this is no clipping that
 * the reader cannot tell apart. Does nothing unless the method is `mse`.
 */
export function chooseChannelRanges(graph: Graph, { options }: PassContext): Graph {
  if (options.method !== 'mse') return graph
  const tensors = new Map(graph.tensors)
  for (const { tensor, range } of countedMaps(graph)) {
    const channels = range.channels.map(cutChannel)
    const min = Math.min(...channels.map((channel) => channel.min))
    const max = Math.max(...channels.map((channel) => channel.max))
    tensors.set(tensor.name, { ...tensor, range: { ...range, min, max, channels } })
  }
  return { ...graph, tensors }
}

/** Adds the squares of the weights that a layer reads each channel with. */
function addWeights(graph: Graph, node: Node, sums: Float64Array): void {
  if (node.op.kind !== 'kpuConv2d') return
  const weights = floatsOf(graph, node.inputs[1]!)
  const perChannel = node.op.kernel ** 2
  weights.forEach((weight, i) => {
    sums[Math.floor(i / perChannel) % sums.length]! += weight * weight
  })
}

/** How much an error of each channel moves the results of the layers behind: sum of their squared weights, through pads. */
function readerWeights(graph: Graph, name: string, sums: Float64Array): Float64Array {
  for (const node of graph.nodes) {
    if (!node.inputs.includes(name)) continue
    if (node.op.kind === 'pad') readerWeights(graph, node.output, sums)
    else addWeights(graph, node, sums)
  }
  return sums
}

function clipChannels(
  graph: Graph,
  { name, channelFactors }: Tensor,
  channels: readonly ChannelRange[],
): ClipChannel[] {
  const weights = readerWeights(graph, name, new Float64Array(channels.length))
  const isRead = weights.some((weight) => weight > 0)
  return channels.flatMap(({ seen }, c) =>
    seen ? [{ seen, factor: channelFactors?.[c] ?? 1, weight: isRead ? weights[c]! : 1 }] : [],
  )
}

/**
 * Cuts each map's range to the one with the least squared error in the layers behind it, all channels together as they
 * share one step. Does nothing unless the method is `mse`.
 */
export function chooseMapRanges(graph: Graph, { options }: PassContext): Graph {
  if (options.method !== 'mse') return graph
  const tensors = new Map(graph.tensors)
  for (const { tensor, range } of countedMaps(graph)) {
    const clip = chooseClip(range, clipChannels(graph, tensor, range.channels))
    tensors.set(tensor.name, { ...tensor, range: { ...range, ...clip } })
  }
  return { ...graph, tensors }
}

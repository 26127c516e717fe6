import type { YoloV2Decoder } from '../../card/card.js'
import type { ChannelRange, Graph, TensorRange } from '../../ir/graph.js'
import type { PassContext } from '../options.js'

/** sigmoid(6) = 0.9975: what lies beyond moves a box centre by less than 0.3 % of a cell. */
const SIGMOID_LIMIT = 6

/** exp(8) is 3000 times the anchor. */
const EXP_LIMIT = 8

/** Objectness this far below the score threshold, as logit, is as good as any lower value. */
const BELOW_THRESHOLD = 2
const HIGHEST_FLOOR = -4

const logit = (share: number): number => Math.log(share / (1 - share))

/** What the decoder can tell apart of one channel: (tx, ty, tw, th, objectness, classes...) of an anchor. */
function usefulRange(decoder: YoloV2Decoder, channel: number): readonly [number, number] {
  const field = channel % (5 + decoder.classes)
  if (field < 2) return [-SIGMOID_LIMIT, SIGMOID_LIMIT]
  if (field !== 4) return [-EXP_LIMIT, EXP_LIMIT]
  const threshold = Math.min(0.99, Math.max(1e-3, decoder.scoreThreshold))
  return [Math.min(HIGHEST_FLOOR, logit(threshold) - BELOW_THRESHOLD), SIGMOID_LIMIT]
}

function clipped(range: TensorRange, decoder: YoloV2Decoder): TensorRange {
  const cut = range.channels.map(({ min, max }: ChannelRange, channel) => {
    const [low, high] = usefulRange(decoder, channel)
    return { min: Math.min(high, Math.max(min, low)), max: Math.max(low, Math.min(max, high)) }
  })
  const min = Math.min(...cut.map((channel) => channel.min))
  const max = Math.max(...cut.map((channel) => channel.max))
  return min > range.min || max < range.max ? { ...range, min, max, isClipped: true } : range
}

/**
 * Cuts the range of a YOLOv2 map to what its decoder can tell apart; codes saturate beyond. One scale serves boxes and
 * objectness, and real heads reach -60 where there is no object, which would coarsen the steps of box sizes five times.
 */
export function clipHead(graph: Graph, context: PassContext): Graph {
  const { decoder } = context
  if (decoder?.kind !== 'yolov2') return graph
  const tensors = new Map(graph.tensors)
  for (const name of graph.outputs) {
    const tensor = tensors.get(name)!
    const isMap = tensor.range?.channels.length === decoder.anchors.length * (5 + decoder.classes)
    if (tensor.range && isMap) tensors.set(name, { ...tensor, range: clipped(tensor.range, decoder) })
  }
  return { ...graph, tensors }
}

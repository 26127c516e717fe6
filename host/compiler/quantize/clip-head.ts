import type { Graph, TensorRange } from '../../ir/graph.js'
import type { PassContext } from '../options.js'

/**
 * What a YOLO head's values are good for. All of them pass sigmoid, exp or softmax: sigmoid(-8) = 0.0003 is below any
 * threshold, exp(8) is 3000 times the anchor. Real heads reach -60 where there is no object, which would coarsen the
 * steps of box sizes five times.
 */
const USEFUL = { min: -8, max: 8 } as const

const clip = (range: TensorRange): TensorRange => ({
  ...range,
  min: Math.max(range.min, USEFUL.min),
  max: Math.min(range.max, USEFUL.max),
  isClipped: true,
})

/** Cuts the range of YOLO heads to what their decoder can tell apart; codes saturate beyond. */
export function clipHead(graph: Graph, context: PassContext): Graph {
  if (context.decoder?.kind !== 'yolov2') return graph
  const tensors = new Map(graph.tensors)
  for (const name of graph.outputs) {
    const tensor = tensors.get(name)
    const { range } = tensor ?? {}
    if (tensor && range && (range.min < USEFUL.min || range.max > USEFUL.max))
      tensors.set(name, { ...tensor, range: clip(range) })
  }
  return { ...graph, tensors }
}

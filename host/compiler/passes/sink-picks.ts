import { GraphDraft } from '../../ir/draft.js'
import type { Graph, Node } from '../../ir/graph.js'
import type { Conv2dOp } from '../../ir/op.js'

/** A 1x1 convolution over all channels: picking pixels before it or behind it is the same. */
function isPointwise(op: Node['op']): op is Conv2dOp {
  return (
    op.kind === 'conv2d' &&
    op.kernel.h === 1 &&
    op.kernel.w === 1 &&
    op.stride.h === 1 &&
    op.stride.w === 1 &&
    op.groups === 1 &&
    op.pool === 'none' &&
    Object.values(op.pads).every((count) => count === 0)
  )
}

/** A layer that can pick on its way out: a convolution that is not depthwise and that nothing else reads. */
function canHost(draft: GraphDraft, pick: Node): boolean {
  const producer = draft.producer(pick.inputs[0]!)
  return (
    producer?.op.kind === 'conv2d' &&
    producer.op.groups === 1 &&
    producer.op.pool === 'none' &&
    draft.soleConsumer(producer.output) === pick
  )
}

/**
 * Moves a pick that its producer cannot do (a depthwise layer, or one with other readers) behind the 1x1 convolutions
 * that read it. The KPU cannot pool depthwise layers. Source: kpu.md section 7.
 */
export function sinkPicks(graph: Graph): Graph {
  const draft = new GraphDraft(graph)
  for (const { output } of graph.nodes) {
    const pick = draft.producer(output)
    if (pick?.op.kind !== 'pick' || canHost(draft, pick) || draft.isOutput(pick.output)) continue
    const readers = draft.consumers(pick.output)
    if (!readers.every((reader) => isPointwise(reader.op) && reader.inputs[0] === pick.output)) continue
    draft.remove(pick)
    for (const reader of readers) {
      const full = draft.fresh(`${reader.output}.full`)
      const op = pick.op
      draft.replace(reader, { inputs: [pick.inputs[0]!, ...reader.inputs.slice(1)], output: full })
      draft.add({ name: `${reader.name}.pick`, op, inputs: [full], output: reader.output })
    }
  }
  return draft.finish()
}

import { GraphDraft } from '../../ir/draft.js'
import type { Graph } from '../../ir/graph.js'
import type { Activation } from '../../ir/op.js'

/** The same function in its simplest form: a leaky slope of 0 is ReLU, of 1 nothing. */
function simplest(activation: Activation): Activation {
  if (activation.fn === 'leakyRelu' && activation.slope === 0) return { fn: 'relu' }
  if (activation.fn === 'leakyRelu' && activation.slope === 1) return { fn: 'none' }
  if (activation.fn === 'clip' && activation.min === 0 && activation.max === Number.POSITIVE_INFINITY) {
    return { fn: 'relu' }
  }
  return activation
}

/** Merges an activation into the convolution before it, when nothing else reads the convolution. */
export function fuseActivation(graph: Graph): Graph {
  const draft = new GraphDraft(graph)
  for (const { output } of graph.nodes) {
    const node = draft.producer(output)
    if (node?.op.kind !== 'activation') continue
    const conv = draft.producer(node.inputs[0]!)
    if (conv?.op.kind !== 'conv2d' || conv.op.activation.fn !== 'none' || conv.op.pool !== 'none') continue
    if (draft.soleConsumer(conv.output) !== node) continue
    draft.remove(conv)
    draft.replace(node, {
      name: conv.name,
      op: { ...conv.op, activation: simplest(node.op.activation) },
      inputs: conv.inputs,
    })
  }
  return draft.finish()
}

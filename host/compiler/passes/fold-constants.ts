import { GraphDraft } from '../../ir/draft.js'
import { evaluate } from '../../ir/evaluate.js'
import type { Graph, Node } from '../../ir/graph.js'

/** Evaluates a node whose inputs are all constants. */
function fold(draft: GraphDraft, node: Node): boolean {
  const values = node.inputs.flatMap((input) => {
    const { shape, data } = draft.tensor(input)
    return data ? [{ shape, data }] : []
  })
  if (values.length !== node.inputs.length) return false
  const folded = evaluate(node.op, values)
  if (!folded) return false
  draft.remove(node)
  draft.setTensor({ ...draft.tensor(node.output), shape: folded.shape, data: folded.data })
  return true
}

/** True for a node that hands its first input on unchanged. */
function isIdentity(draft: GraphDraft, { op, inputs, output }: Node): boolean {
  const shape = draft.shape(inputs[0]!)
  switch (op.kind) {
    case 'reshape':
      return shape.join() === draft.shape(output).join()
    case 'transpose':
      return op.perm.every((axis, i) => axis === i)
    case 'slice':
      return op.begin.every((begin, i) => begin === 0 && op.end[i] === shape[i] && op.step[i] === 1)
    case 'pad':
      return [...op.before, ...op.after].every((count) => count === 0)
    case 'activation':
      return op.activation.fn === 'none'
    case 'concat':
      return inputs.length === 1
    default:
      return false
  }
}

/** Replaces nodes over constants by their value and takes out nodes that do nothing. */
export function foldConstants(graph: Graph): Graph {
  const draft = new GraphDraft(graph)
  for (const node of graph.nodes) {
    if (fold(draft, node)) continue
    // redirects change nodes: look the current one up by its output
    const current = draft.producer(node.output)
    if (!current || !isIdentity(draft, current)) continue
    draft.remove(current)
    draft.redirect(current.output, current.inputs[0]!)
  }
  return draft.finish()
}

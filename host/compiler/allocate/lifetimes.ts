import type { Graph } from '../../ir/graph.js'

/** Steps of a tensor: from its producer's to its last reader's; -1 for what exists before the first node. */
export interface Lifetime {
  readonly birth: number
  readonly death: number
}

/**
 * Lifetimes of all computed tensors. An input and an output of one node meet in its step, so they never share memory.
 * Outputs of the graph live to the end.
 */
export function lifetimes(graph: Graph): ReadonlyMap<string, Lifetime> {
  const born = new Map<string, number>(graph.inputs.map((name) => [name, -1]))
  const last = new Map<string, number>()
  for (const [step, node] of graph.nodes.entries()) {
    born.set(node.output, step)
    for (const input of node.inputs) last.set(input, step)
  }
  for (const output of graph.outputs) last.set(output, graph.nodes.length)
  return new Map([...born].map(([name, birth]) => [name, { birth, death: Math.max(birth, last.get(name) ?? birth) }]))
}

import { BridgeError, isBridgeError } from '../foundation/errors.js'
import { elementCount } from '../tensor/tensor.js'
import type { Graph, Node } from './graph.js'
import { inferShape } from './shape.js'

function checkNode(graph: Graph, node: Node, known: ReadonlySet<string>): string[] {
  const missing = node.inputs.filter((input) => !known.has(input))
  if (missing.length > 0) return [`${node.name}: reads ${missing.join(', ')} before it is made, or it does not exist`]
  const output = graph.tensors.get(node.output)
  if (!output) return [`${node.name}: its output ${node.output} is no tensor`]
  if (output.data) return [`${node.name}: its output ${node.output} is a constant`]
  if (known.has(node.output)) return [`${node.name}: ${node.output} is made twice`]
  try {
    const shapes = node.inputs.map((input) => graph.tensors.get(input)?.shape ?? [])
    const shape = inferShape(node.op, shapes)
    if (shape.join() === output.shape.join()) return []
    return [`${node.name}: makes [${shape}] but ${node.output} is [${output.shape}]`]
  } catch (error) {
    if (isBridgeError(error)) return [`${node.name}: ${error.what}`]
    throw error
  }
}

/** Every fault of a graph as one line of text; empty when it is sound. */
export function graphFaults(graph: Graph): string[] {
  const faults: string[] = []
  const known = new Set<string>()
  for (const [name, tensor] of graph.tensors) {
    if (tensor.name !== name) faults.push(`tensor ${tensor.name} is filed under ${name}`)
    if (!tensor.data) continue
    known.add(name)
    if (tensor.data.length !== elementCount(tensor.shape)) faults.push(`${name}: data do not fill [${tensor.shape}]`)
  }
  for (const input of graph.inputs) {
    if (graph.tensors.has(input)) known.add(input)
    else faults.push(`input ${input} is no tensor`)
  }
  for (const node of graph.nodes) {
    faults.push(...checkNode(graph, node, known))
    known.add(node.output)
  }
  for (const output of graph.outputs) if (!known.has(output)) faults.push(`output ${output} is never made`)
  return faults
}

/**
 * Checks that nodes stand in a runnable order (so there is no cycle), nothing dangles and all shapes agree.
 * @throws BridgeError `IR_INVALID` naming every fault
 */
export function checkGraph(graph: Graph, after = 'import'): void {
  const faults = graphFaults(graph)
  if (faults.length === 0) return
  throw new BridgeError('IR_INVALID', {
    what: faults.join('; '),
    where: { graph: graph.name, after },
    fix: 'This is a defect of the compiler: please report it with the model.',
  })
}

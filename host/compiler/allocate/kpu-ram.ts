import { BridgeError } from '../../foundation/errors.js'
import { consumers, type Graph } from '../../ir/graph.js'
import { KPU_LIMITS } from '../../kpu/limits.js'
import { rowLayout } from '../../kpu/row-layout.js'
import { mapShape } from '../maps.js'
import { type Block, placeBlocks } from './blocks.js'
import { lifetimes } from './lifetimes.js'

/** Names of the tensors that lie in KPU RAM: what KPU layers and uploads make, and an input that only they read. */
export function kpuTensors(graph: Graph): string[] {
  const readers = consumers(graph)
  const inputs = graph.inputs.filter((name) => readers.get(name)?.every((node) => node.op.kind === 'kpuConv2d'))
  const made = graph.nodes.filter(({ op }) => op.kind === 'kpuConv2d' || op.kind === 'kpuUpload')
  return [...inputs, ...made.map((node) => node.output)]
}

function noRoom(graph: Graph, blocks: readonly Block[], rows: number): BridgeError {
  const largest = blocks.reduce((a, b) => (b.size > a.size ? b : a))
  return new BridgeError('COMPILE_MEMORY', {
    what: `the maps need ${rows} rows of KPU RAM, the chip has ${KPU_LIMITS.ramRows}; the largest is ${largest.id} with ${largest.size}`,
    where: { model: graph.name, tensor: largest.id, rows },
    fix: 'Use a smaller input, fewer channels at full size, or a width of 64, 32 or 16 pixels (rows are 64 bytes).',
  })
}

/**
 * Gives every map in KPU RAM its rows.
 * @throws BridgeError `COMPILE_MEMORY` when they do not fit the 2 MiB
 */
export function allocateKpuRam(graph: Graph): Graph {
  const lives = lifetimes(graph)
  const blocks = kpuTensors(graph).map((id) => ({ id, size: rowLayout(mapShape(graph, id)).rows, ...lives.get(id)! }))
  const { offsets, peak } = placeBlocks(blocks)
  if (peak > KPU_LIMITS.ramRows) throw noRoom(graph, blocks, peak)
  const tensors = new Map(graph.tensors)
  for (const { id, size } of blocks) {
    tensors.set(id, { ...tensors.get(id)!, place: { area: 'kpu', row: offsets.get(id)!, rows: size } })
  }
  return { ...graph, tensors }
}

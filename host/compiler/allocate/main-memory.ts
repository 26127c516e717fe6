import type { Graph } from '../../ir/graph.js'
import { elementCount } from '../../tensor/tensor.js'
import { placeBlocks } from './blocks.js'
import { lifetimes } from './lifetimes.js'

/** Alignment of tensors in main memory, bytes. Source: kmodel-v4.md section 6. */
export const MAIN_ALIGNMENT = 8

/** Gives every computed tensor that is not in KPU RAM its bytes of main memory (uint8). */
export function allocateMainMemory(graph: Graph): Graph {
  const tensors = new Map(graph.tensors)
  const blocks = [...lifetimes(graph)]
    .filter(([name]) => tensors.get(name)!.place === undefined)
    .map(([id, life]) => ({ id, size: elementCount(tensors.get(id)!.shape), ...life }))
  const { offsets } = placeBlocks(blocks, MAIN_ALIGNMENT)
  for (const { id, size } of blocks) {
    tensors.set(id, { ...tensors.get(id)!, place: { area: 'main', offset: offsets.get(id)!, bytes: size } })
  }
  return { ...graph, tensors }
}

/** A piece of memory that is needed from step `birth` to step `death`, both included. */
export interface Block {
  readonly id: string
  readonly size: number
  readonly birth: number
  readonly death: number
}

/** Where blocks lie, and how much memory they need together. */
export interface Placement {
  readonly offsets: ReadonlyMap<string, number>
  readonly peak: number
  /** Largest sum of blocks alive at one step: no placement can be smaller. */
  readonly lowerBound: number
}

const meet = (a: Block, b: Block): boolean => a.birth <= b.death && b.birth <= a.death

const alignUp = (value: number, alignment: number): number => Math.ceil(value / alignment) * alignment

interface Placed {
  readonly block: Block
  readonly offset: number
}

/** Lowest aligned offset at which `block` meets nothing that is already placed. */
function lowestFit(placed: readonly Placed[], block: Block, alignment: number): number {
  const rivals = placed.filter((other) => meet(other.block, block)).sort((a, b) => a.offset - b.offset)
  let offset = 0
  for (const rival of rivals) {
    if (offset + block.size <= rival.offset) break
    offset = Math.max(offset, alignUp(rival.offset + rival.block.size, alignment))
  }
  return offset
}

/** Orders that are tried; each is best for some networks. */
const ORDERS: readonly ((a: Block, b: Block) => number)[] = [
  (a, b) => b.size - a.size || a.birth - b.birth,
  (a, b) => a.birth - b.birth || b.size - a.size,
  (a, b) => b.death - b.birth - (a.death - a.birth) || b.size - a.size,
  (a, b) => b.size * (b.death - b.birth + 1) - a.size * (a.death - a.birth + 1),
]

function lowerBound(blocks: readonly Block[]): number {
  const sums = blocks.map(({ birth }) =>
    blocks.reduce((sum, block) => (block.birth <= birth && birth <= block.death ? sum + block.size : sum), 0),
  )
  return Math.max(0, ...sums)
}

/**
 * Places blocks so that those alive at the same step do not overlap: first fit in several orders, the smallest wins.
 * @param alignment - of every offset, in units of the sizes
 */
export function placeBlocks(blocks: readonly Block[], alignment = 1): Placement {
  const bound = lowerBound(blocks)
  let best: { placed: Placed[]; peak: number } | undefined
  for (const order of ORDERS) {
    const placed: Placed[] = []
    let peak = 0
    for (const block of [...blocks].sort(order)) {
      const offset = lowestFit(placed, block, alignment)
      placed.push({ block, offset })
      peak = Math.max(peak, offset + block.size)
    }
    if (!best || peak < best.peak) best = { placed, peak }
    if (peak === bound) break
  }
  const offsets = new Map(best?.placed.map(({ block, offset }) => [block.id, offset]) ?? [])
  return { offsets, peak: best?.peak ?? 0, lowerBound: bound }
}

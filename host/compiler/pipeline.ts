import { asBridgeError, BridgeError, isBridgeError } from '../foundation/errors.js'
import { checkGraph } from '../ir/check.js'
import type { Graph } from '../ir/graph.js'
import { printGraph } from '../ir/printer.js'
import { allocateKpuRam } from './allocate/kpu-ram.js'
import { allocateMainMemory } from './allocate/main-memory.js'
import type { PassContext } from './options.js'
import { assignKpu } from './passes/assign-kpu.js'
import { cutHeads } from './passes/cut-heads.js'
import { foldAffine } from './passes/fold-affine.js'
import { foldConstants } from './passes/fold-constants.js'
import { foldInputNormalization } from './passes/fold-input-normalization.js'
import { fuseActivation } from './passes/fuse-activation.js'
import { fusePool } from './passes/fuse-pool.js'
import { placePads } from './passes/place-pads.js'
import { placeTransfers } from './passes/place-transfers.js'
import { sinkPicks } from './passes/sink-picks.js'
import { calibrate } from './quantize/calibrate.js'
import { chooseChannelRanges, chooseMapRanges } from './quantize/choose-ranges.js'
import { clipHead } from './quantize/clip-head.js'
import { equalizeChannels } from './quantize/equalize-channels.js'
import { quantize } from './quantize/quantize.js'

/** One step of the compiler: a new graph, or the same one when nothing matched; it changes nothing else. */
export interface Pass {
  readonly name: string
  readonly run: (graph: Graph, context: PassContext) => Graph | Promise<Graph>
}

/** The compiler, in order. */
export const pipeline: readonly Pass[] = [
  { name: 'fold-constants', run: foldConstants },
  { name: 'cut-heads', run: cutHeads }, // before anything renames or merges the tensors it looks for
  { name: 'fold-affine', run: foldAffine }, // before quantization: it moves weight ranges
  { name: 'fold-input-normalization', run: foldInputNormalization }, // before pads: it decides their value
  { name: 'fuse-activation', run: fuseActivation }, // before picks move, which pass a fused activation freely
  { name: 'place-pads', run: placePads }, // the KPU has stride 1 and one pixel of padding only
  { name: 'sink-picks', run: sinkPicks }, // depthwise layers cannot pool
  { name: 'fuse-pool', run: fusePool },
  { name: 'assign-kpu', run: assignKpu },
  { name: 'calibrate', run: calibrate }, // on the graph that is quantized, so that every tensor has its range
  { name: 'clip-head', run: clipHead },
  { name: 'choose-channel-ranges', run: chooseChannelRanges }, // equalization scales by them
  { name: 'equalize-channels', run: equalizeChannels }, // with ranges known, before they become codes
  { name: 'choose-map-ranges', run: chooseMapRanges }, // the step that equalized channels share
  { name: 'quantize', run: quantize },
  { name: 'place-transfers', run: placeTransfers },
  { name: 'allocate-kpu-ram', run: allocateKpuRam },
  { name: 'allocate-main-memory', run: allocateMainMemory },
]

const cancelled = (): BridgeError => new BridgeError('CANCELLED', { what: 'the compilation was cancelled' })

function named(error: unknown, pass: string): BridgeError {
  if (!isBridgeError(error)) return asBridgeError(error, 'INTERNAL', { where: { pass } })
  const where = { ...error.where, pass }
  return new BridgeError(error.code, { what: error.what, where, fix: error.fix, cause: error.cause })
}

/**
 * Runs passes one after another, checks the graph after each and names the pass in any error.
 * @returns the graph after every pass, by the pass's name
 */
export async function runPasses(
  passes: readonly Pass[],
  graph: Graph,
  context: PassContext,
): Promise<ReadonlyMap<string, Graph>> {
  const stages = new Map<string, Graph>()
  let current = graph
  for (const [index, pass] of passes.entries()) {
    if (context.signal?.aborted) throw cancelled()
    context.onProgress?.({ stage: pass.name, done: index, total: passes.length, unit: 'steps' })
    try {
      current = await pass.run(current, context)
      checkGraph(current, pass.name)
    } catch (error) {
      if (context.signal?.aborted) throw cancelled()
      throw named(error, pass.name)
    }
    stages.set(pass.name, current)
    context.options.dumpIr?.(pass.name, printGraph(current))
  }
  return stages
}

import { BridgeError } from '../../foundation/errors.js'
import { GraphDraft } from '../../ir/draft.js'
import type { DetectionHeads, Graph, SsdHeadMaps } from '../../ir/graph.js'
import type { PassContext } from '../options.js'

/** What one output of an SSD is made of. */
interface HeadOutput {
  readonly softmax: boolean
  /** Size of its last axis: classes, or 4 coordinates. */
  readonly columns: number
  /** The convolution maps before their transposes, in the order of the joined rows. */
  readonly maps: readonly string[]
}

const TAIL_KINDS: ReadonlySet<string> = new Set(['softmax', 'concat', 'reshape', 'binary', 'unary', 'slice'])

/** Walks from an output over decoding arithmetic back to maps that are transposed to NHWC; undefined if anything else stands there. */
function headOutput(graph: Graph, draft: GraphDraft, output: string): HeadOutput | undefined {
  const maps: string[] = []
  let softmax = false
  const pending = [output]
  const seen = new Set<string>()
  while (pending.length > 0) {
    const name = pending.shift()!
    if (seen.has(name) || draft.tensor(name).data) continue
    seen.add(name)
    const node = draft.producer(name)
    if (!node) return undefined
    if (node.op.kind === 'transpose' && node.op.perm.join() === '0,2,3,1') maps.push(node.inputs[0]!)
    else if (TAIL_KINDS.has(node.op.kind)) pending.push(...node.inputs)
    else return undefined
    softmax ||= node.op.kind === 'softmax'
  }
  const shape = graph.tensors.get(output)!.shape
  return maps.length > 0 ? { softmax, columns: shape[shape.length - 1]!, maps } : undefined
}

/** Pairs the maps of scores and boxes by their place; undefined when sizes or channels do not fit an SSD. */
function pairMaps(draft: GraphDraft, scores: HeadOutput, boxes: HeadOutput): SsdHeadMaps[] | undefined {
  if (scores.maps.length !== boxes.maps.length || boxes.columns !== 4) return undefined
  const pairs = scores.maps.map((name, i) => {
    const [, scoreChannels, height, width] = draft.shape(name)
    const [, boxChannels, boxHeight, boxWidth] = draft.shape(boxes.maps[i]!)
    const priors = boxChannels! / 4
    const fits = scoreChannels === priors * scores.columns && height === boxHeight && width === boxWidth
    return fits ? { scores: name, boxes: boxes.maps[i]!, priors } : undefined
  })
  return pairs.every((pair) => pair !== undefined) ? pairs : undefined
}

/** SSD heads of a graph with one softmax output and one of boxes, or undefined. */
export function findSsdHeads(graph: Graph): DetectionHeads | undefined {
  const draft = new GraphDraft(graph)
  if (graph.outputs.length !== 2) return undefined
  const outputs = graph.outputs.map((output) => headOutput(graph, draft, output))
  const scores = outputs.find((output) => output?.softmax)
  const boxes = outputs.find((output) => output && !output.softmax)
  if (!scores || !boxes) return undefined
  const heads = pairMaps(draft, scores, boxes)
  return heads && { kind: 'ssd', classes: scores.columns, heads }
}

/** Smallest sides of the priors (input pixels) of the Ultra-Light face detectors. Source: data/models/MANIFEST.md. */
const ULTRA_LIGHT_SIZES: readonly (readonly number[])[] = [
  [10, 16, 24],
  [32, 48],
  [64, 96],
  [128, 192, 256],
]

/**
 * Prior sizes of recognized heads: the card's when it has an SSD decoder with as many heads, else those of the
 * Ultra-Light detectors when layout and number of priors are theirs.
 */
export function priorSizes(
  found: DetectionHeads,
  decoder: PassContext['decoder'],
): readonly (readonly number[])[] | undefined {
  const fits = (sizes: readonly (readonly number[])[]) =>
    sizes.length === found.heads.length && sizes.every((list, i) => list.length === found.heads[i]!.priors)
  if (decoder?.kind === 'ssd') {
    const sizes = decoder.heads.map((head) => head.minSizes)
    if (fits(sizes)) return sizes
  }
  return found.classes === 2 && fits(ULTRA_LIGHT_SIZES) ? ULTRA_LIGHT_SIZES : undefined
}

/**
 * Ends an SSD detector at the convolutions of its heads: transposes, joins, softmax and prior arithmetic cost the
 * chip's CPU more than all layers cost the KPU (timing.md section 2), so the card's decoder does that work.
 * @throws BridgeError `COMPILE_UNSUPPORTED` when the sizes of the priors are not known
 */
export function cutHeads(graph: Graph, context: PassContext): Graph {
  if (context.options.keepHead) return graph
  const found = findSsdHeads(graph)
  if (!found) return graph
  if (!priorSizes(found, context.decoder)) {
    throw new BridgeError('COMPILE_UNSUPPORTED', {
      what: `the sizes of the priors of ${found.heads.length} SSD heads are not known`,
      where: { model: graph.name },
      fix: 'Give a card whose decoder lists minSizes for every head, or end at the head maps with --outputs.',
    })
  }
  const draft = new GraphDraft(graph)
  draft.setOutputs(
    found.heads.flatMap((head) => [head.scores, head.boxes]),
    found,
  )
  return draft.finish()
}

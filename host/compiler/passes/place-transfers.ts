import { GraphDraft } from '../../ir/draft.js'
import type { Graph, Node } from '../../ir/graph.js'

/** Endings of the tensors that this pass adds: the KPU's copy, a second run for main memory, an uploaded copy. */
const SUFFIX = { ram: '@ram', copy: '@copy', upload: '@up' } as const

/** Name that a tensor had before transfers were placed: its float counterpart. */
export const floatNameOf = (name: string): string => name.replace(/@(ram|copy|up)$/, '')

const needsMain = (draft: GraphDraft, name: string): boolean =>
  draft.isOutput(name) || draft.consumers(name).some((node) => node.op.kind === 'pad')

const kpuReaders = (draft: GraphDraft, name: string): readonly Node[] =>
  draft.consumers(name).filter((node) => node.op.kind === 'kpuConv2d')

function readInstead(draft: GraphDraft, readers: readonly Node[], from: string, to: string): void {
  for (const reader of readers) draft.replace(reader, { inputs: reader.inputs.map((x) => (x === from ? to : x)) })
}

/** A map in main memory that KPU layers read is uploaded once. */
function upload(draft: GraphDraft, name: string): void {
  const readers = kpuReaders(draft, name)
  if (readers.length === 0) return
  const output = draft.fresh(name + SUFFIX.upload)
  addQuantized(draft, { name: `${name}.upload`, op: { kind: 'kpuUpload' }, inputs: [name], output }, name)
  readInstead(draft, readers, name, output)
}

function addQuantized(draft: GraphDraft, node: Parameters<GraphDraft['add']>[0], like: string): void {
  const { quant, range, channelFactors } = draft.tensor(like)
  const output = draft.add(node)
  draft.setTensor({ ...draft.tensor(output), quant, range, type: 'uint8', ...(channelFactors && { channelFactors }) })
}

/**
 * A result that main memory needs is copied out. When the KPU reads it too, the layer is run a second time for the
 * copy: whether KPU RAM is written while a result is streamed out is not known (kpu.md section 12).
 */
function download(draft: GraphDraft, node: Node): void {
  const name = node.output
  if (!needsMain(draft, name)) return
  const readers = kpuReaders(draft, name)
  const own = draft.fresh(name + (readers.length > 0 ? SUFFIX.copy : SUFFIX.ram))
  if (readers.length > 0) {
    const kept = draft.fresh(name + SUFFIX.ram)
    addQuantized(draft, { name: node.name, op: node.op, inputs: node.inputs, output: kept }, name)
    readInstead(draft, readers, name, kept)
  }
  draft.remove(node)
  addQuantized(draft, { name: node.name, op: node.op, inputs: node.inputs, output: own }, name)
  addQuantized(draft, { name: `${node.name}.download`, op: { kind: 'kpuDownload' }, inputs: [own], output: name }, name)
}

/** Puts a copy between KPU RAM and main memory wherever a tensor is made in one and read in the other. */
export function placeTransfers(graph: Graph): Graph {
  const draft = new GraphDraft(graph)
  for (const input of graph.inputs) if (needsMain(draft, input)) upload(draft, input)
  for (const { output } of graph.nodes) {
    const node = draft.producer(output)
    if (node?.op.kind === 'kpuConv2d') download(draft, node)
    else if (node?.op.kind === 'pad') upload(draft, output)
  }
  return draft.finish()
}

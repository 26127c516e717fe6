import type { CardMemory, CardOutput } from '../card/card.js'
import type { Graph, Tensor } from '../ir/graph.js'
import { inputUploadMs, layerMs, layerWork, RUNTIME_COSTS } from '../kpu/clocks.js'
import { elementCount, type MapShape } from '../tensor/tensor.js'
import type { EmittedModel, EmittedNode } from './emit/emit.js'
import type { Fidelity } from './fidelity.js'
import { mapShape } from './maps.js'
import { floatNameOf } from './passes/place-transfers.js'

/** One layer of the report. */
export interface LayerReport {
  readonly name: string
  /** Kind of the kmodel node. */
  readonly op: string
  readonly where: 'kpu' | 'cpu'
  readonly shape: readonly number[]
  readonly macs: number
  /** Why it is where it is, or why it is less exact than 0.99; empty when there is nothing to say. */
  readonly reason: string
  readonly predictedMs: number
  /** Against float on some calibration pictures; null when nothing was simulated or for copies. */
  readonly snrDb: number | null
  readonly cosine: number | null
}

/** What a compile tells; keys are those of the command line's `compile --json`. */
export interface CompileReport {
  readonly kmodel: string
  readonly bytes: number
  readonly sha256: string
  readonly target: 'v4'
  readonly input: { readonly shape: readonly number[]; readonly scale: number; readonly zeroPoint: number }
  readonly outputs: readonly CardOutput[]
  readonly layers: readonly LayerReport[]
  readonly memory: CardMemory
  readonly predictedMs: number
  readonly calibrationPictures: number
}

/** Cosine against float below which a layer's report says why. */
export const GOOD_COSINE = 0.99

/** RAM of the chip, and what firmware, two camera frames of 320x240 RGB, buffers and stacks take of it. */
const SRAM_BYTES = 6 * 1024 * 1024
const FIRMWARE_BYTES = 1_068_032

/** Bytes that a model and its working memory may take together: what our shim says in HELLO (limitBytes). */
export const MODEL_LIMIT_BYTES = SRAM_BYTES - FIRMWARE_BYTES

/** Memory figures of a kmodel. */
export function memoryReport(graph: Graph, model: EmittedModel['model'], modelBytes: number): CardMemory {
  const ends = [...graph.tensors.values()].map(({ place }) => (place?.area === 'kpu' ? place.row + place.rows : 0))
  const peakBytes = modelBytes + model.mainBytes
  return {
    modelBytes,
    mainBytes: model.mainBytes,
    kpuRows: Math.max(0, ...ends),
    peakBytes,
    limitBytes: MODEL_LIMIT_BYTES,
    fits: peakBytes <= MODEL_LIMIT_BYTES,
  }
}

function macsOf(graph: Graph, { node }: EmittedNode): number {
  if (node.op.kind !== 'kpuConv2d') return 0
  const { height, width } = mapShape(graph, node.inputs[0]!)
  return elementCount(graph.tensors.get(node.inputs[1]!)!.shape) * height * width
}

/** Forecast of one kmodel node under our firmware, milliseconds. Source: timing.md section 4. */
function nodeMs({ layer }: EmittedNode): number {
  const costs = RUNTIME_COSTS.ours
  switch (layer.op) {
    case 'kpuConv2d': {
      const copied = layer.mainMemOutput?.bytes ?? 0
      return layerMs(layerWork(layer.kpu.layer)) + (copied * costs.downloadNsPerByte) / 1e6
    }
    case 'kpuUpload':
      return (layer.in.bytes * costs.uploadNsPerByte) / 1e6
    case 'pad':
      return (layer.out.bytes * costs.moveNsPerByte) / 1e6
    default:
      return 0
  }
}

const describe = (tensor: Tensor): string =>
  tensor.range
    ? `its values span ${tensor.range.min.toFixed(3)} to ${tensor.range.max.toFixed(3)}`
    : 'its range is wide'

/** Why a layer is where it is, or what makes it inexact. */
function reasonOf(graph: Graph, entry: EmittedNode, fidelity: Fidelity | undefined, poorInput: string | undefined) {
  const { node } = entry
  const output = graph.tensors.get(node.output)!
  if (node.op.kind === 'pad') return 'the KPU pads one pixel on every side only'
  if (node.op.kind === 'kpuUpload') return 'brings the padded map back to the KPU'
  const { range } = output
  if (range?.isClipped)
    return `range cut to ${range.min.toPrecision(3)}..${range.max.toPrecision(3)}: beyond, the decoder cannot tell values apart`
  if (!fidelity || fidelity.cosine >= GOOD_COSINE) return node.output.endsWith('@copy') ? 'copy for main memory' : ''
  const cosine = `cosine ${fidelity.cosine.toFixed(4)}`
  if (poorInput !== undefined) return `${cosine}: inherits the error of ${poorInput}`
  return `${cosine}: 8 bits are coarse here, ${describe(output)} in steps of ${output.quant?.scale.toPrecision(3)}`
}

/** One line for every kmodel node. */
export function layerReports(
  graph: Graph,
  nodes: readonly EmittedNode[],
  fidelity: ReadonlyMap<number, Fidelity>,
): LayerReport[] {
  const poor = new Map<string, string>()
  return nodes.map((entry, i) => {
    const { node, layer } = entry
    const found = fidelity.get(i)
    const poorInput = poor.get(floatNameOf(node.inputs[0]!))
    if ((found && found.cosine < GOOD_COSINE) || (!found && poorInput)) poor.set(floatNameOf(node.output), node.name)
    return {
      name: node.name,
      op: layer.op,
      where: layer.op === 'kpuConv2d' ? 'kpu' : 'cpu',
      shape: graph.tensors.get(node.output)!.shape,
      macs: macsOf(graph, entry),
      reason: reasonOf(graph, entry, found, poorInput),
      predictedMs: nodeMs(entry),
      snrDb: found && Number.isFinite(found.snrDb) ? found.snrDb : null,
      cosine: found?.cosine ?? null,
    }
  })
}

/** Forecast from picture to decoded result, milliseconds: input copy, layers, decoder. */
export function totalMs(layers: readonly LayerReport[], input: MapShape, outputs: readonly CardOutput[]): number {
  const bytes = outputs.reduce((sum, output) => sum + elementCount(output.shape), 0)
  const decode = (bytes * RUNTIME_COSTS.ours.decodeNsPerMapByte) / 1e6
  return layers.reduce((sum, layer) => sum + layer.predictedMs, inputUploadMs(input, 'ours')) + decode
}

/** Outputs of the kmodel as the card lists them. */
export function cardOutputs(graph: Graph): CardOutput[] {
  return graph.outputs.map((name) => {
    const { shape, quant } = graph.tensors.get(name)!
    return { name, shape: shape.slice(1), type: 'uint8', scale: quant!.scale, zeroPoint: quant!.zeroPoint }
  })
}

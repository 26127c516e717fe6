import type { ModelCard } from '../card/card.js'
import { sha256Hex } from '../foundation/sha256.js'
import type { Graph } from '../ir/graph.js'
import { writeKmodelV4 } from '../kmodel/v4/writer.js'
import type { PlanarPicture } from '../tensor/tensor.js'
import { buildCard } from './card.js'
import { type EmittedModel, emitV4 } from './emit/emit.js'
import { type Fidelity, measureFidelity } from './fidelity.js'
import { readModel } from './front-end.js'
import { mapShape } from './maps.js'
import type { CompileRequest, PassContext } from './options.js'
import { pipeline, runPasses } from './pipeline.js'
import { type CompileReport, cardOutputs, layerReports, memoryReport, totalMs } from './report.js'

/** What {@link compile} makes. */
export interface CompileResult {
  readonly kmodel: Uint8Array
  readonly card: ModelCard
  readonly report: CompileReport
}

/** Calibration pictures that are run through the simulator for the report's error figures. */
const FIDELITY_PICTURES = 3

/** Passes pictures on, counts them and keeps the first ones. */
class PictureTap {
  readonly kept: PlanarPicture[] = []
  count = 0
  readonly #source: CompileRequest['calibration']

  constructor(source: CompileRequest['calibration']) {
    this.#source = source
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<PlanarPicture> {
    for await (const picture of this.#source) {
      this.count++
      if (this.kept.length < FIDELITY_PICTURES) this.kept.push(picture)
      yield picture
    }
  }
}

function contextOf(request: CompileRequest, pictures: PictureTap): PassContext {
  const { options, card, onProgress, signal } = request
  return {
    options,
    mean: options.mean ?? card?.input?.mean ?? [0],
    std: options.std ?? card?.input?.std ?? [1],
    calibration: pictures,
    decoder: card?.decoder,
    onProgress,
    signal,
  }
}

async function fidelityOf(
  request: CompileRequest,
  pictures: readonly PlanarPicture[],
  graphs: { readonly floatGraph: Graph; readonly quantized: Graph },
  emitted: EmittedModel,
  kmodel: Uint8Array,
): Promise<ReadonlyMap<number, Fidelity>> {
  const { simulateLayers } = request
  if (!simulateLayers) return new Map()
  request.onProgress?.({ stage: 'compare with float', done: 0, total: pictures.length, unit: 'pictures' })
  return measureFidelity({ ...graphs, nodes: emitted.nodes, kmodel, pictures, simulateLayers })
}

/**
 * Compiles a model file to a kmodel v4 and its card.
 * @throws BridgeError `ONNX_*`, `MODEL_FORMAT`, `COMPILE_*`, `KPU_LIMIT` with the pass and the nodes concerned
 */
export async function compile(request: CompileRequest): Promise<CompileResult> {
  const pictures = new PictureTap(request.calibration)
  const context = contextOf(request, pictures)
  const imported = readModel(request.model, request.name, request.options)
  const stages = await runPasses(pipeline, imported, context)
  const graph = stages.get(pipeline[pipeline.length - 1]!.name)!
  const emitted = emitV4(graph)
  const kmodel = writeKmodelV4(emitted.model)
  const graphs = { floatGraph: stages.get('assign-kpu')!, quantized: graph }
  const fidelity = await fidelityOf(request, pictures.kept, graphs, emitted, kmodel)
  const report = reportOf(request, graph, emitted, kmodel, fidelity, pictures.count)
  const { model, name, options } = request
  const { mean, std } = context
  const card = buildCard({ name, graph, model, given: request.card ?? {}, mean, std, options, report })
  return { kmodel, card, report }
}

function reportOf(
  request: CompileRequest,
  graph: Graph,
  emitted: EmittedModel,
  kmodel: Uint8Array,
  fidelity: ReadonlyMap<number, Fidelity>,
  calibrationPictures: number,
): CompileReport {
  const input = graph.tensors.get(graph.inputs[0]!)!
  const outputs = cardOutputs(graph)
  const layers = layerReports(graph, emitted.nodes, fidelity)
  return {
    kmodel: request.name,
    bytes: kmodel.length,
    sha256: sha256Hex(kmodel),
    target: 'v4',
    input: { shape: input.shape, ...input.quant! },
    outputs,
    layers,
    memory: memoryReport(graph, emitted.model, kmodel.length),
    predictedMs: totalMs(layers, mapShape(graph, input.name), outputs),
    calibrationPictures,
  }
}

import {
  CARD_SCHEMA,
  type CardDecoder,
  type CardOutput,
  type DetectorThresholds,
  type ModelCard,
} from '../card/card.js'
import { BridgeError } from '../foundation/errors.js'
import { sha256Hex } from '../foundation/sha256.js'
import type { Graph } from '../ir/graph.js'
import { mapShape } from './maps.js'
import type { CompileOptions } from './options.js'
import { priorSizes } from './passes/cut-heads.js'
import type { CompileReport } from './report.js'

/** Version of the compiler, as cards name it. */
export const COMPILER_VERSION = '0.1.0'

/** Thresholds of a decoder that nobody gave any. */
const THRESHOLDS: DetectorThresholds = { scoreThreshold: 0.5, iouThreshold: 0.4, maxBoxes: 32 }
const ULTRA_LIGHT_VARIANCES = { centreVariance: 0.1, sizeVariance: 0.2 }

/** Everything that goes into a card. */
export interface CardRequest {
  readonly name: string
  readonly graph: Graph
  readonly model: Uint8Array
  readonly given: Partial<ModelCard>
  readonly mean: readonly number[]
  readonly std: readonly number[]
  readonly options: CompileOptions
  readonly report: CompileReport
}

function ssdDecoder(graph: Graph, given: CardDecoder | undefined, outputs: readonly CardOutput[]): CardDecoder {
  const found = graph.heads!
  const sizes = priorSizes(found, given)
  if (!sizes) throw new BridgeError('INTERNAL', { what: 'SSD heads without prior sizes were cut' })
  const input = mapShape(graph, graph.inputs[0]!)
  const index = (name: string) => outputs.findIndex((output) => output.name === name)
  const heads = found.heads.map(({ scores, boxes }, i) => ({
    scores: index(scores),
    boxes: index(boxes),
    stride: 2 ** Math.round(Math.log2(input.width / mapShape(graph, scores).width)),
    minSizes: sizes[i]!,
  }))
  const own = given?.kind === 'ssd' ? given : undefined
  const { scoreThreshold, iouThreshold, maxBoxes, centreVariance, sizeVariance } = {
    ...THRESHOLDS,
    ...ULTRA_LIGHT_VARIANCES,
    ...own,
  }
  return {
    kind: 'ssd',
    scoreThreshold,
    iouThreshold,
    maxBoxes,
    classes: found.classes,
    centreVariance,
    sizeVariance,
    heads,
  }
}

function yoloFits({ stride, anchors, classes }: Extract<CardDecoder, { kind: 'yolov2' }>, graph: Graph): boolean {
  const input = mapShape(graph, graph.inputs[0]!)
  const map = mapShape(graph, graph.outputs[0]!)
  return (
    map.channels === anchors.length * (5 + classes) &&
    Math.ceil(input.width / stride) === map.width &&
    Math.ceil(input.height / stride) === map.height
  )
}

function decoderOf({ graph, given }: CardRequest, outputs: readonly CardOutput[]): CardDecoder {
  if (graph.heads) return ssdDecoder(graph, given.decoder, outputs)
  const { decoder } = given
  if (decoder?.kind !== 'yolov2' || yoloFits(decoder, graph)) return decoder ?? { kind: 'none' }
  throw new BridgeError('CARD_INVALID', {
    what: `the card's YOLOv2 decoder does not fit the output [${graph.tensors.get(graph.outputs[0]!)!.shape}]`,
    where: { anchors: decoder.anchors.length, classes: decoder.classes, stride: decoder.stride },
    fix: 'channels must be anchors * (5 + classes), and the map the input size divided by the stride.',
  })
}

/** Makes the card of a compiled model: what was given, completed by what the compiler knows. */
export function buildCard(request: CardRequest): ModelCard {
  const { given, graph, report, model } = request
  const input = mapShape(graph, graph.inputs[0]!)
  const sha256 = sha256Hex(model)
  const decoder = decoderOf(request, report.outputs)
  const { method, target, keepHead, outputs } = request.options
  return {
    schema: CARD_SCHEMA,
    name: given.name ?? request.name,
    task: given.task ?? (decoder.kind === 'none' ? 'other' : 'face-detect'),
    input: {
      colour: given.input?.colour ?? (input.channels === 1 ? 'grey' : 'rgb'),
      resize: given.input?.resize ?? 'stretch',
      fill: given.input?.fill ?? 0,
      width: input.width,
      height: input.height,
      mean: request.mean,
      std: request.std,
      scale: 1,
      zeroPoint: 0,
    },
    decoder,
    labels: given.labels ?? [],
    outputs: report.outputs,
    source: { file: request.name, licence: 'unknown', ...given.source, sha256 },
    compile: {
      version: COMPILER_VERSION,
      options: { method, target, ...(keepHead && { keepHead }), ...(outputs && { outputs }) },
    },
    ...(given.accuracy && { accuracy: given.accuracy }),
    forecast: { memory: report.memory, ms: report.predictedMs },
  }
}

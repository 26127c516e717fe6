import type { CardOutput, ModelCard } from '../card/card.js'
import { BridgeError } from '../foundation/errors.js'
import { createReference, type Reference } from '../reference/reference.js'
import { prepareModel } from '../simulator/model.js'
import type { PlanarPicture } from '../tensor/tensor.js'
import { decodeDetections } from '../vision/decode.js'
import type { Detection } from '../vision/detection.js'
import { detectionsToPicture, placePicture } from '../vision/letterbox.js'
import { normalise } from '../vision/normalise.js'
import type { OutputData } from '../vision/output-map.js'
import { ssdMapsFromFlat } from '../vision/ssd-flat.js'

/** In place of the card's thresholds. */
export interface DetectOptions {
  readonly scoreThreshold?: number
  readonly maxBoxes?: number
}

/** A detector whatever it runs on: float network, kmodel in the simulator, later a board. */
export interface Detector {
  readonly name: string
  readonly card: ModelCard
  /** One run on a picture already at network size (card's colour order): outputs in the card's order. */
  run(input: PlanarPicture): Promise<OutputData[]>
  /** Frees what the detector holds. */
  dispose(): Promise<void>
}

/** Runs a detector on a picture of any size. @returns boxes in pixels of that picture, best first */
export async function detect(
  detector: Detector,
  picture: PlanarPicture,
  options: DetectOptions = {},
): Promise<Detection[]> {
  const { picture: input, placement } = placePicture(picture, detector.card.input)
  const outputs = await detector.run(input)
  return detectionsToPicture(decodeDetections(detector.card, outputs, options), placement)
}

/** Outputs of the float network in the card's order; a flat SSD head becomes maps. */
function orderOutputs(card: ModelCard, reference: Reference, results: Record<string, Float32Array>): Float32Array[] {
  const byName = card.outputs.map((output) => results[output.name])
  if (byName.every((data) => data !== undefined)) return byName
  const inOrder = reference.outputs.map((name) => results[name]!)
  if (inOrder.length === card.outputs.length) return inOrder
  if (card.decoder.kind === 'ssd' && inOrder.length === 2) return ssdMapsFromFlat(card, inOrder[0]!, inOrder[1]!)
  throw new BridgeError('CARD_INVALID', {
    what: `the network has the outputs ${reference.outputs.join(', ')}, its card describes ${card.outputs.length}`,
    where: { path: 'outputs' },
  })
}

/**
 * A float ONNX network as detector, by onnxruntime. Its outputs are the card's by name, by order, or the flat pair
 * scores and boxes of an SSD network that was not cut at its heads.
 * @throws BridgeError `REFERENCE_RUN` when onnxruntime refuses the network
 */
export async function floatDetector(onnx: Uint8Array, card: ModelCard): Promise<Detector> {
  const reference = await createReference(onnx)
  const input = reference.inputs[0]
  if (!input) throw new BridgeError('REFERENCE_RUN', { what: 'the network has no input' })
  return {
    name: `${card.name} float`,
    card,
    async run(picture) {
      const results = await reference.run({ [input.name]: normalise(picture, card.input) })
      return orderOutputs(card, reference, results)
    },
    dispose: () => reference.dispose(),
  }
}

/** Output bytes as codes or floats, as the card says. */
function typedOutput(output: CardOutput, bytes: Uint8Array): OutputData {
  // A copy of its own: the simulator's bytes may stand at any offset and are overwritten by the next run.
  return output.type === 'float32' ? new Float32Array(bytes.slice().buffer) : bytes.slice()
}

/**
 * A kmodel as detector, bit for bit in the simulator.
 * @throws BridgeError `KMODEL_*`, `KPU_LIMIT`, `SIM_*`; `CARD_INVALID` when card and file have other outputs
 */
export async function kmodelDetector(kmodel: Uint8Array, card: ModelCard): Promise<Detector> {
  const simulation = await prepareModel(kmodel)
  if (simulation.outputs.length !== card.outputs.length) {
    throw new BridgeError('CARD_INVALID', {
      what: `the kmodel has ${simulation.outputs.length} outputs, its card describes ${card.outputs.length}`,
      where: { path: 'outputs' },
      fix: 'Use the card that was written together with this model.',
    })
  }
  return {
    name: `${card.name} kmodel`,
    card,
    async run(picture) {
      const { outputs } = simulation.run(picture.data)
      return outputs.map((bytes, i) => typedOutput(card.outputs[i]!, bytes))
    },
    async dispose() {},
  }
}

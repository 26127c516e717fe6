import type { CardOutput, ModelCard } from '../card/card.js'
import { BridgeError } from '../foundation/errors.js'
import { elementCount, type MapShape } from '../tensor/tensor.js'

/** Values of one output: codes of a uint8 map or real values, dense NCHW. */
export type OutputData = Uint8Array | Float32Array

/** One output of a network as decoders read it. */
export interface OutputMap extends MapShape {
  readonly data: OutputData
  /** real = (value - zeroPoint) * scale; 1 and 0 for float data. */
  readonly scale: number
  readonly zeroPoint: number
}

/** Real value of element `index` of a map. */
export function realValue(map: OutputMap, index: number): number {
  return (map.data[index]! - map.zeroPoint) * map.scale
}

/**
 * Output bytes with the card's description of them.
 * @param data - uint8 codes as the card says, or float values of the same shape (then scale and zero point do not apply)
 * @throws BridgeError `CARD_INVALID` when the card names no [channels, height, width] map or another element count
 */
export function outputMap(output: CardOutput, data: OutputData): OutputMap {
  const shape = output.shape.length === 4 && output.shape[0] === 1 ? output.shape.slice(1) : output.shape
  if (shape.length !== 3 || elementCount(shape) !== data.length) {
    throw new BridgeError('CARD_INVALID', {
      what: `output ${output.name} of shape ${output.shape.join('x')} does not fit a map of ${data.length} elements`,
      where: { path: 'outputs', output: output.name },
      fix: 'Use the card that was written together with this model.',
    })
  }
  const [channels, height, width] = shape as [number, number, number]
  const coded = data instanceof Uint8Array
  return { channels, height, width, data, scale: coded ? output.scale : 1, zeroPoint: coded ? output.zeroPoint : 0 }
}

/** All outputs of a run as maps, in the card's order. @throws BridgeError `CARD_INVALID` */
export function outputMaps(card: Pick<ModelCard, 'outputs'>, outputs: readonly OutputData[]): OutputMap[] {
  if (outputs.length !== card.outputs.length) {
    throw new BridgeError('CARD_INVALID', {
      what: `the model has ${outputs.length} outputs, its card describes ${card.outputs.length}`,
      where: { path: 'outputs' },
      fix: 'Use the card that was written together with this model.',
    })
  }
  return outputs.map((data, i) => outputMap(card.outputs[i]!, data))
}

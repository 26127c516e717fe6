import type { ModelCard } from '../card/card.js'
import { BridgeError } from '../foundation/errors.js'
import { decodeSsd } from './decode-ssd.js'
import { decodeYoloV2 } from './decode-yolov2.js'
import type { Detection } from './detection.js'
import { nonMaximumSuppression } from './nms.js'
import { type OutputData, outputMaps } from './output-map.js'

/** What of a card decoding needs. */
export type DecodeCard = Pick<ModelCard, 'input' | 'decoder' | 'outputs'>

/**
 * Outputs of one run to detections after suppression, best first; the board's C decoders give the same.
 * @param outputs - in the card's order, each uint8 codes or float values, dense NCHW
 * @param options - `scoreThreshold` in place of the card's; `maxBoxes` likewise
 * @returns boxes in pixels of the network's input (host/vision/letterbox.ts maps them back)
 * @throws BridgeError `CARD_INVALID` when outputs and card do not fit or the card has no detector
 */
export function decodeDetections(
  card: DecodeCard,
  outputs: readonly OutputData[],
  options: { readonly scoreThreshold?: number; readonly maxBoxes?: number } = {},
): Detection[] {
  if (card.decoder.kind === 'none') {
    throw new BridgeError('CARD_INVALID', {
      what: 'the card has no detection decoder',
      where: { path: 'decoder.kind' },
      fix: 'Use a card whose decoder is ssd or yolov2.',
    })
  }
  const decoder = {
    ...card.decoder,
    scoreThreshold: options.scoreThreshold ?? card.decoder.scoreThreshold,
    maxBoxes: options.maxBoxes ?? card.decoder.maxBoxes,
  }
  const maps = outputMaps(card, outputs)
  const found = decoder.kind === 'ssd' ? decodeSsd(decoder, card.input, maps) : decodeYoloV2(decoder, maps[0]!)
  return nonMaximumSuppression(found, decoder.iouThreshold, decoder.maxBoxes)
}

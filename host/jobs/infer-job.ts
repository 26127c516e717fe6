import type { ModelCard } from '../card/card.js'
import type { Device } from '../device/device.js'
import type { WorkOptions } from '../device/device-types.js'
import type { DetectionEvent } from '../device/events.js'
import { BridgeError } from '../foundation/errors.js'
import { artifactKind } from '../store/artifacts.js'
import { boxToPicture, placePicture } from '../vision/letterbox.js'
import { decodePicture } from '../vision/pictures.js'

/** Boxes found on the board in one picture of ours, in pixels of that picture. */
export interface PictureInference {
  /** Of the picture; of the network's input where a raw one was sent, 0 where its card is unknown. */
  readonly width: number
  readonly height: number
  readonly frameId: number
  readonly deviceTimeUs: number
  readonly stagesUs: Readonly<Record<string, number>>
  readonly detections: DetectionEvent[]
}

/** What {@link inferPicture} is told beside the bytes. */
export interface InferOptions extends WorkOptions {
  readonly slot: number
  /** The bytes may be the network's input itself, dense NCHW, and are unless they look like a picture file. */
  readonly mayBeTensor?: boolean
}

/**
 * Runs a slot's model on the board, on a picture file, by the input rule of the slot's card, or on a raw input.
 * @throws BridgeError `CONFLICT` when the card of the slot is unknown here, `PICTURE_FORMAT`, `SIM_INPUT` for an input of
 *   another size
 */
export async function inferPicture(
  device: Device,
  bytes: Uint8Array,
  options: InferOptions,
): Promise<PictureInference> {
  const card = device.cardOf(options.slot)
  const isPicture = artifactKind(bytes, '') === 'picture' && (!card || bytes.length !== inputBytes(card))
  if (options.mayBeTensor && !isPicture) return inferTensor(device, bytes, card, options)
  if (!card) {
    throw new BridgeError('CONFLICT', {
      what: `the card of slot ${options.slot} is unknown here, so a picture cannot be made its input`,
      where: { board: device.id, slot: options.slot },
      fix: 'Deploy the model once through this daemon, with its card.',
    })
  }
  const picture = await decodePicture(bytes)
  const { picture: input, placement } = placePicture(picture, card.input)
  const result = await device.infer(input, options.slot, options)
  const detections = result.detections.map((detection) => ({
    ...detection,
    box: boxToPicture(detection.box, placement),
  }))
  return { ...result, width: picture.width, height: picture.height, detections }
}

/** Dense bytes of a network's input. */
const inputBytes = ({ input }: ModelCard): number => input.width * input.height * (input.colour === 'grey' ? 1 : 3)

/** Without a card the board alone knows the size; it refuses any other. */
async function inferTensor(
  device: Device,
  bytes: Uint8Array,
  card: ModelCard | undefined,
  options: InferOptions,
): Promise<PictureInference> {
  if (card && bytes.length !== inputBytes(card)) {
    const { width, height, colour } = card.input
    throw new BridgeError('SIM_INPUT', {
      what: `the input has ${bytes.length} bytes, the model of slot ${options.slot} takes ${inputBytes(card)}`,
      where: { board: device.id, slot: options.slot, bytes: bytes.length, wanted: inputBytes(card) },
      fix: `Send ${colour} planes of ${width} x ${height}, or a picture as image/jpeg or image/png.`,
    })
  }
  const result = await device.infer({ data: bytes }, options.slot, options)
  const { width, height } = card?.input ?? { width: 0, height: 0 }
  return { ...result, width, height, detections: [...result.detections] }
}

import type { Device } from '../device/device.js'
import type { WorkOptions } from '../device/device-types.js'
import type { DetectionEvent } from '../device/events.js'
import { BridgeError } from '../foundation/errors.js'
import { boxToPicture, placePicture } from '../vision/letterbox.js'
import { decodePicture } from '../vision/pictures.js'

/** Boxes found on the board in one picture of ours, in pixels of that picture. */
export interface PictureInference {
  readonly width: number
  readonly height: number
  readonly frameId: number
  readonly deviceTimeUs: number
  readonly stagesUs: Readonly<Record<string, number>>
  readonly detections: DetectionEvent[]
}

/**
 * Sends a picture to the board, by the input rule of the slot's card, and runs the slot's model on it there.
 * @throws BridgeError `CONFLICT` when the card of the slot is unknown here, `PICTURE_FORMAT`
 */
export async function inferPicture(
  device: Device,
  bytes: Uint8Array,
  options: WorkOptions & { slot: number },
): Promise<PictureInference> {
  const card = device.cardOf(options.slot)
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

import type { CardInput } from '../card/card.js'
import { BridgeError } from '../foundation/errors.js'
import type { PlanarPicture } from '../tensor/tensor.js'
import type { Box, Detection } from './detection.js'
import { resizeBilinear } from './resize.js'

/** Where a picture lies in the network's input: input = picture * scale + offset, per axis, in pixels. */
export interface Placement {
  readonly scaleX: number
  readonly scaleY: number
  readonly offsetX: number
  readonly offsetY: number
}

/** What of a card says how a picture becomes an input. */
export type InputRule = Pick<CardInput, 'width' | 'height' | 'colour' | 'resize' | 'fill'>

/** A picture at network size, in the network's channel order, and how it got there. */
export interface PlacedPicture {
  readonly picture: PlanarPicture
  readonly placement: Placement
}

/** Scaled width and height of a letterboxed picture: the larger side fits exactly, the other is rounded. */
function letterboxSize(picture: PlanarPicture, rule: InputRule): { width: number; height: number } {
  const ratio = Math.min(rule.width / picture.width, rule.height / picture.height)
  return {
    width: Math.max(1, Math.min(rule.width, Math.round(picture.width * ratio))),
    height: Math.max(1, Math.min(rule.height, Math.round(picture.height * ratio))),
  }
}

function letterbox(picture: PlanarPicture, rule: InputRule): PlacedPicture {
  const { width, height } = letterboxSize(picture, rule)
  const scaled = resizeBilinear(picture, width, height)
  const data = new Uint8Array(picture.channels * rule.width * rule.height).fill(rule.fill)
  for (let channel = 0; channel < picture.channels; channel++) {
    for (let y = 0; y < height; y++) {
      const from = (channel * height + y) * width
      data.set(scaled.data.subarray(from, from + width), (channel * rule.height + y) * rule.width)
    }
  }
  return {
    picture: { width: rule.width, height: rule.height, channels: picture.channels, data },
    placement: { scaleX: width / picture.width, scaleY: height / picture.height, offsetX: 0, offsetY: 0 },
  }
}

function stretch(picture: PlanarPicture, rule: InputRule): PlacedPicture {
  const { width, height } = rule
  return {
    picture: resizeBilinear(picture, width, height),
    placement: { scaleX: width / picture.width, scaleY: height / picture.height, offsetX: 0, offsetY: 0 },
  }
}

function centreCrop(picture: PlanarPicture, rule: InputRule): PlacedPicture {
  const ratio = Math.max(rule.width / picture.width, rule.height / picture.height)
  const width = Math.min(picture.width, Math.round(rule.width / ratio))
  const height = Math.min(picture.height, Math.round(rule.height / ratio))
  const left = (picture.width - width) >> 1
  const top = (picture.height - height) >> 1
  const placed = stretch(cut(picture, left, top, width, height), rule)
  const { scaleX, scaleY } = placed.placement
  return { picture: placed.picture, placement: { scaleX, scaleY, offsetX: -left * scaleX, offsetY: -top * scaleY } }
}

function cut(picture: PlanarPicture, left: number, top: number, width: number, height: number): PlanarPicture {
  const data = new Uint8Array(picture.channels * width * height)
  for (let channel = 0; channel < picture.channels; channel++) {
    for (let y = 0; y < height; y++) {
      const from = (channel * picture.height + top + y) * picture.width + left
      data.set(picture.data.subarray(from, from + width), (channel * height + y) * width)
    }
  }
  return { width, height, channels: picture.channels, data }
}

/** RGB (or grey) to the channel order that a card asks for; grey = BT.601 luma, rounded. */
export function toColour(picture: PlanarPicture, colour: CardInput['colour']): PlanarPicture {
  const { width, height, data } = picture
  const plane = width * height
  if (colour === 'grey') {
    if (picture.channels === 1) return picture
    const grey = new Uint8Array(plane)
    for (let i = 0; i < plane; i++) {
      // 14-bit weights of 0.299, 0.587 and 0.114, as OpenCV's RGB2GRAY.
      grey[i] = (data[i]! * 4899 + data[plane + i]! * 9617 + data[2 * plane + i]! * 1868 + 8192) >> 14
    }
    return { width, height, channels: 1, data: grey }
  }
  const order = picture.channels === 1 ? [0, 0, 0] : colour === 'bgr' ? [2, 1, 0] : [0, 1, 2]
  if (picture.channels === 3 && colour === 'rgb') return picture
  const out = new Uint8Array(3 * plane)
  order.forEach((from, to) => {
    out.set(data.subarray(from * plane, (from + 1) * plane), to * plane)
  })
  return { width, height, channels: 3, data: out }
}

/**
 * Applies a card's input rule to an RGB (or grey) picture.
 * @returns the network's input bytes and where the picture lies in them
 * @throws BridgeError `PICTURE_FORMAT` for a picture without pixels
 */
export function placePicture(picture: PlanarPicture, rule: InputRule): PlacedPicture {
  if (picture.width < 1 || picture.height < 1) {
    throw new BridgeError('PICTURE_FORMAT', { what: 'the picture has no pixels' })
  }
  const coloured = toColour(picture, rule.colour)
  switch (rule.resize) {
    case 'letterbox':
      return letterbox(coloured, rule)
    case 'stretch':
      return stretch(coloured, rule)
    case 'crop':
      return centreCrop(coloured, rule)
  }
}

/** A box of the network's input, in pixels of the picture. */
export function boxToPicture(box: Box, placement: Placement): Box {
  return [
    (box[0] - placement.offsetX) / placement.scaleX,
    (box[1] - placement.offsetY) / placement.scaleY,
    box[2] / placement.scaleX,
    box[3] / placement.scaleY,
  ]
}

/** Detections of the network's input, in pixels of the picture. */
export function detectionsToPicture(detections: readonly Detection[], placement: Placement): Detection[] {
  return detections.map((one) => ({ ...one, box: boxToPicture(one.box, placement) }))
}

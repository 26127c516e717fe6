import { f32, i32, list, record, row, u8, u16 } from '../schema.js'

/** Codes of the binary card's enumerations. */
export const CARD_CODES = {
  colour: { rgb: 0, bgr: 1, grey: 2 },
  resize: { letterbox: 0, stretch: 1, crop: 2 },
  decoder: { none: 0, ssd: 1, yolov2: 2 },
  type: { uint8: 0, int8: 1, int16: 2, int32: 3, float32: 4 },
} as const

/** One output of the kmodel. */
export const cardOutput = record('cardOutput', {
  channels: u16('Channels.'),
  height: u16('Rows; 1 where there is no map.'),
  width: u16('Columns; 1 where there is no map.'),
  type: u8('0 uint8, 1 int8, 2 int16, 3 int32, 4 float32.'),
  scale: f32('real = (code - zeroPoint) * scale.'),
  zeroPoint: i32('See scale.'),
})

/** Anchor of a yolov2 region, in cells. */
export const cardAnchor = record('cardAnchor', { w: f32('Width in cells.'), h: f32('Height in cells.') })

/** One scale of an SSD head. */
export const cardHead = record('cardHead', {
  scores: u8('Output index of the scores.'),
  boxes: u8('Output index of the boxes.'),
  stride: u16('Pixels per cell.'),
  minSizes: list('Prior sizes in pixels.', 'f32', { maxLength: 8 }),
})

/**
 * The part of the model card that the board needs. All decoder fields are always there; those of another decoder are
 * zero or empty.
 */
export const card = row({
  name: 'card',
  doc: 'Binary model card, at most 880 bytes.',
  fields: {
    version: u8('1.'),
    width: u16('Input width.'),
    height: u16('Input height.'),
    colour: u8('0 rgb, 1 bgr, 2 grey.'),
    resize: u8('0 letterbox at the top left, 1 stretch, 2 crop.'),
    fill: u8('Pixel value of the letterbox border.'),
    outputs: list('In kmodel order.', cardOutput, { maxLength: 12 }),
    decoder: u8('0 none, 1 ssd, 2 yolov2.'),
    scoreThreshold: f32('Boxes below are dropped.'),
    iouThreshold: f32('A box that overlaps a better one by more is dropped.'),
    maxBoxes: u16('Most boxes in a result.'),
    classes: u8('Classes; for yolov2 0 = objectness only.'),
    stride: u16('yolov2: pixels per cell.'),
    anchors: list('yolov2: anchors.', cardAnchor, { maxLength: 16 }),
    centreVariance: f32('ssd: variance of the centre.'),
    sizeVariance: f32('ssd: variance of the size.'),
    heads: list('ssd: scales, finest first.', cardHead, { maxLength: 6 }),
  },
})

import { bytes, f32, fixedBytes, i16, list, oneWay, record, request, u8, u16, u32, u64 } from '../schema.js'

/** Picture encodings, field `format` of picture. */
export const PICTURE_FORMAT = { jpeg: 1 } as const

/** Where infer takes its picture from. */
export const INFER_SOURCE = { camera: 0, input: 1 } as const

/** One found object, in 1/8 pixels of the camera picture (of the transferred input for infer with source 1). */
export const box = record('box', {
  x: i16('Left edge, 1/8 pixel.'),
  y: i16('Top edge, 1/8 pixel.'),
  w: i16('Width, 1/8 pixel.'),
  h: i16('Height, 1/8 pixel.'),
  score: u16('Score * 65535.'),
  label: u8('Class index.'),
})

const resultFields = {
  frameId: u32('Camera frame, rising.'),
  captureUs: u64('Device time when the picture was complete.'),
  doneUs: u64('Device time when the boxes were complete.'),
  slot: u8('Model slot.'),
  modelHash: fixedBytes('First 8 bytes of the SHA-256 of the kmodel.', 8),
  stageUs: list('Microseconds of: capture wait, preprocessing, layers, decoding.', 'u32', { maxLength: 8 }),
  boxes: list('By falling score.', box, { maxLength: 64 }),
  dropped: u16('Camera frames skipped since the previous result.'),
} as const

/** Switches results and pictures. */
export const streamConfig = request({
  name: 'streamConfig',
  id: 0x30,
  doc: 'Starts or stops the pipeline capture, infer, result, picture.',
  fields: {
    slot: u8('Loaded model.'),
    results: u8('1 = send results.'),
    pictureEvery: u8('Send the picture of every n-th result; 0 = none.'),
    quality: u8('JPEG quality 1..100.'),
    scoreThreshold: f32('Replaces the threshold of the card; 0 = as in the card.'),
  },
  answer: {},
})

/** Boxes of one camera frame. */
export const result = oneWay('datagram', {
  name: 'result',
  id: 0x31,
  doc: 'Boxes of one camera frame.',
  fields: resultFields,
})

/** One camera picture; travels in fragments. */
export const picture = oneWay('datagram', {
  name: 'picture',
  id: 0x32,
  doc: 'One camera picture, in as many fragments as it takes.',
  fields: {
    frameId: u32('The result with this frame id belongs to it.'),
    captureUs: u64('Device time when the picture was complete.'),
    width: u16('Pixels.'),
    height: u16('Pixels.'),
    format: u8('1 = JPEG.'),
    data: bytes('The encoded picture.', { maxLength: 65_000 }),
  },
})

/** One run on request. */
export const infer = request({
  name: 'infer',
  id: 0x33,
  doc: 'One run; the same token gets the same answer again without a second run.',
  fields: {
    slot: u8('Loaded model.'),
    source: u8('0 camera, 1 the transferred input.'),
    token: u32('Makes the request repeatable.'),
  },
  answer: resultFields,
})

/** Reads raw output bytes of the last run. */
export const readOutput = request({
  name: 'readOutput',
  id: 0x34,
  doc: 'Bytes of one output of the last infer, dense NCHW of the output type.',
  fields: {
    slot: u8('Loaded model.'),
    output: u8('Output index.'),
    offset: u32('First byte.'),
    length: u16('Bytes wanted; the answer holds fewer when the payload or the output ends.'),
  },
  answer: { total: u32('Bytes of the whole output.'), data: bytes('From offset on.', { maxLength: 4080 }) },
})

import type { YoloV2Decoder } from '../card/card.js'
import { BridgeError } from '../foundation/errors.js'
import type { Detection } from './detection.js'
import { logit, sigmoid, softmax } from './functions.js'
import { type OutputMap, realValue } from './output-map.js'

/** tx, ty, tw, th, objectness. */
const BOX_CHANNELS = 5

/**
 * YOLOv2 region map to boxes above the score threshold, before suppression, in the order anchor, row, column.
 * @param map - [anchors * (5 + classes), height, width]
 * @returns boxes in pixels of the network's input
 * @throws BridgeError `CARD_INVALID` when the channels do not fit anchors and classes
 * @see host/card/card.ts, YoloV2Decoder
 */
export function decodeYoloV2(decoder: YoloV2Decoder, map: OutputMap): Detection[] {
  const stepChannels = BOX_CHANNELS + decoder.classes
  if (map.channels !== decoder.anchors.length * stepChannels) {
    throw new BridgeError('CARD_INVALID', {
      what: `a yolov2 head with ${decoder.anchors.length} anchors and ${decoder.classes} classes has ${
        decoder.anchors.length * stepChannels
      } channels, the output has ${map.channels}`,
      where: { path: 'decoder.anchors' },
    })
  }
  const plane = map.height * map.width
  const threshold = logit(decoder.scoreThreshold)
  const found: Detection[] = []
  for (let anchor = 0; anchor < decoder.anchors.length; anchor++) {
    const first = anchor * stepChannels * plane
    for (let cell = 0; cell < plane; cell++) {
      // sigmoid is monotonous: comparing before it saves an exp for each cell without a face.
      if (realValue(map, first + 4 * plane + cell) < threshold) continue
      const detection = decodeCell(decoder, map, anchor, cell)
      if (detection.score >= decoder.scoreThreshold) found.push(detection)
    }
  }
  return found
}

function decodeCell(decoder: YoloV2Decoder, map: OutputMap, anchor: number, cell: number): Detection {
  const plane = map.height * map.width
  const first = anchor * (BOX_CHANNELS + decoder.classes) * plane + cell
  const value = (channel: number): number => realValue(map, first + channel * plane)
  const [anchorWidth, anchorHeight] = decoder.anchors[anchor]!
  const column = cell % map.width
  const row = (cell - column) / map.width
  const width = Math.exp(value(2)) * anchorWidth * decoder.stride
  const height = Math.exp(value(3)) * anchorHeight * decoder.stride
  const x = (column + sigmoid(value(0))) * decoder.stride - width / 2
  const y = (row + sigmoid(value(1))) * decoder.stride - height / 2
  const objectness = sigmoid(value(4))
  if (decoder.classes < 2) return { box: [x, y, width, height], score: objectness, label: 0 }
  const shares = softmax(Array.from({ length: decoder.classes }, (_, i) => value(BOX_CHANNELS + i)))
  const label = shares.indexOf(Math.max(...shares))
  return { box: [x, y, width, height], score: objectness * shares[label]!, label }
}

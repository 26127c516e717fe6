import type { CardInput, SsdDecoder, SsdHead } from '../card/card.js'
import { BridgeError } from '../foundation/errors.js'
import type { Detection } from './detection.js'
import { softmax } from './functions.js'
import { type OutputMap, realValue } from './output-map.js'

/** Centre and size of a prior as shares of the network's input. */
interface Prior {
  readonly cx: number
  readonly cy: number
  readonly width: number
  readonly height: number
}

const clipShare = (value: number): number => Math.min(1, Math.max(0, value))

/**
 * Prior of a cell: the cells divide the input evenly (also where the stride does not divide it: a map of 4 rows at
 * stride 64 over 240 pixels has cells of 60), sizes are shares of the input; all clipped to 0..1.
 */
function prior(size: number, input: SsdInput, map: OutputMap, x: number, y: number): Prior {
  return {
    cx: clipShare((x + 0.5) / map.width),
    cy: clipShare((y + 0.5) / map.height),
    width: clipShare(size / input.width),
    height: clipShare(size / input.height),
  }
}

function checkHead(decoder: SsdDecoder, head: SsdHead, scores: OutputMap, boxes: OutputMap): void {
  const priors = head.minSizes.length
  const fits =
    scores.channels === priors * decoder.classes &&
    boxes.channels === priors * 4 &&
    scores.width === boxes.width &&
    scores.height === boxes.height
  if (fits) return
  throw new BridgeError('CARD_INVALID', {
    what: `an ssd head of ${priors} priors and ${decoder.classes} classes does not fit maps of ${scores.channels} and ${
      boxes.channels
    } channels`,
    where: { path: 'decoder.heads', scores: head.scores, boxes: head.boxes },
  })
}

/** Class with the highest share besides the background (class 0), by softmax. */
function bestClass(decoder: SsdDecoder, scores: OutputMap, priorIndex: number, cell: number) {
  const plane = scores.width * scores.height
  const first = priorIndex * decoder.classes * plane + cell
  const values = Array.from({ length: decoder.classes }, (_, i) => realValue(scores, first + i * plane))
  const shares = softmax(values)
  let best = 1
  for (let i = 2; i < decoder.classes; i++) if (shares[i]! > shares[best]!) best = i
  return { label: best - 1, score: shares[best]! }
}

function decodeHead(decoder: SsdDecoder, head: SsdHead, input: SsdInput, scores: OutputMap, boxes: OutputMap) {
  const plane = scores.width * scores.height
  const found: Detection[] = []
  for (let priorIndex = 0; priorIndex < head.minSizes.length; priorIndex++) {
    for (let cell = 0; cell < plane; cell++) {
      const { label, score } = bestClass(decoder, scores, priorIndex, cell)
      if (score < decoder.scoreThreshold) continue
      const x = cell % scores.width
      const anchor = prior(head.minSizes[priorIndex]!, input, scores, x, (cell - x) / scores.width)
      const value = (i: number): number => realValue(boxes, (priorIndex * 4 + i) * plane + cell)
      const width = Math.exp(value(2) * decoder.sizeVariance) * anchor.width * input.width
      const height = Math.exp(value(3) * decoder.sizeVariance) * anchor.height * input.height
      const cx = (value(0) * decoder.centreVariance * anchor.width + anchor.cx) * input.width
      const cy = (value(1) * decoder.centreVariance * anchor.height + anchor.cy) * input.height
      found.push({ box: [cx - width / 2, cy - height / 2, width, height], score, label })
    }
  }
  return found
}

type SsdInput = Pick<CardInput, 'width' | 'height'>

/**
 * SSD heads to boxes above the score threshold, before suppression, in the order head, prior, row, column.
 * Label = class - 1 (class 0 is the background).
 * @param input - size of the network's input in pixels
 * @param maps - all outputs in the card's order
 * @returns boxes in pixels of the network's input, not clipped
 * @throws BridgeError `CARD_INVALID` when a head does not fit its maps
 * @see host/card/card.ts, SsdDecoder
 */
export function decodeSsd(decoder: SsdDecoder, input: SsdInput, maps: readonly OutputMap[]): Detection[] {
  return decoder.heads.flatMap((head) => {
    const scores = maps[head.scores]
    const boxes = maps[head.boxes]
    if (!scores || !boxes) {
      throw new BridgeError('CARD_INVALID', {
        what: `an ssd head names outputs ${head.scores} and ${head.boxes}, the model has ${maps.length}`,
        where: { path: 'decoder.heads' },
      })
    }
    checkHead(decoder, head, scores, boxes)
    return decodeHead(decoder, head, input, scores, boxes)
  })
}

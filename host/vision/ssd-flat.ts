import type { ModelCard, SsdHead } from '../card/card.js'
import { BridgeError } from '../foundation/errors.js'
import { elementCount } from '../tensor/tensor.js'

/** Keeps log(p) finite where a share has underflowed. */
const SMALLEST_SHARE = 1e-12

/** Elements of one prior from [priors in all, size] to maps [priors * size, h, w] of one head. */
function headMap(flat: Float32Array, firstPrior: number, size: number, priors: number, cells: number): Float32Array {
  const map = new Float32Array(priors * size * cells)
  for (let cell = 0; cell < cells; cell++) {
    for (let prior = 0; prior < priors; prior++) {
      const from = (firstPrior + cell * priors + prior) * size
      for (let i = 0; i < size; i++) map[(prior * size + i) * cells + cell] = flat[from + i]!
    }
  }
  return map
}

const cellsOf = (card: Pick<ModelCard, 'outputs'>, head: SsdHead): number =>
  elementCount(card.outputs[head.scores]!.shape.slice(-2))

/**
 * Outputs of an SSD network that ends with softmax and concatenation, as the maps of its heads that a card describes.
 * The softmax is undone up to a constant (log), which decoding's own softmax does not see.
 * @param scores - class shares [priors in all, classes]; priors in the order head, row, column, prior of the cell
 * @param boxes - [priors in all, 4]
 * @returns one map for each of the card's outputs
 * @throws BridgeError `CARD_INVALID` when the number of priors differs or the card is no ssd card
 */
export function ssdMapsFromFlat(
  card: Pick<ModelCard, 'decoder' | 'outputs'>,
  scores: Float32Array,
  boxes: Float32Array,
): Float32Array[] {
  const { decoder } = card
  if (decoder.kind !== 'ssd') {
    throw new BridgeError('CARD_INVALID', { what: 'the card is no ssd card', where: { path: 'decoder.kind' } })
  }
  const total = decoder.heads.reduce((sum, head) => sum + head.minSizes.length * cellsOf(card, head), 0)
  if (scores.length !== total * decoder.classes || boxes.length !== total * 4) {
    throw new BridgeError('CARD_INVALID', {
      what: `the card has ${total} priors, the network ${boxes.length / 4}`,
      where: { path: 'decoder.heads' },
    })
  }
  const logs = scores.map((share) => Math.log(Math.max(share, SMALLEST_SHARE)))
  const maps: Float32Array[] = card.outputs.map(() => new Float32Array())
  let firstPrior = 0
  for (const head of decoder.heads) {
    const priors = head.minSizes.length
    const cells = cellsOf(card, head)
    maps[head.scores] = headMap(logs, firstPrior, decoder.classes, priors, cells)
    maps[head.boxes] = headMap(boxes, firstPrior, 4, priors, cells)
    firstPrior += priors * cells
  }
  return maps
}

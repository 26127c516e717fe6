import { CARD_SCHEMA, type CardInput, type ModelCard } from '../card/card.js'
import { sha256Hex } from '../foundation/sha256.js'
import type { Simulation } from '../simulator/model.js'

const BYTES = { uint8: 1, float32: 4 } as const

/**
 * Card of a kmodel of which nothing else is known: pixel bytes go in as they are, outputs come out undecoded.
 * @param simulation - the prepared kmodel; it knows the shapes that the file leaves out
 */
export function plainCard(name: string, kmodel: Uint8Array, { inputs, outputs }: Simulation): ModelCard {
  const [channels = 1, height = 1, width = 1] = inputs[0]!.shape?.slice(-3) ?? []
  const planes = channels === 3 ? 3 : 1
  const input: CardInput = {
    width,
    height,
    colour: channels === 3 ? 'rgb' : 'grey',
    resize: 'stretch',
    fill: 0,
    mean: Array.from({ length: planes }, () => 0),
    std: Array.from({ length: planes }, () => 1),
    scale: 1,
    zeroPoint: 0,
  }
  return {
    schema: CARD_SCHEMA,
    name,
    task: 'other',
    input,
    decoder: { kind: 'none' },
    labels: [],
    outputs: outputs.map((output, i) => ({
      name: `output${i}`,
      shape: output.shape ?? [output.bytes / BYTES[output.type === 'float32' ? 'float32' : 'uint8']],
      type: output.type,
      scale: 1,
      zeroPoint: 0,
    })),
    source: { file: name, sha256: sha256Hex(kmodel), licence: 'unknown' },
  }
}

import { existsSync } from 'node:fs'
import type { ModelCard } from '../card/card.js'
import { cardPathFor, loadCard } from '../card/parse.js'
import { sha256Hex } from '../foundation/sha256.js'
import { zooCardFor } from '../zoo/known-models.js'

/**
 * Card of a model file: the one named, else the one beside it, else what the zoo knows of a file with these bytes.
 * @throws BridgeError `FILE_READ`, `CARD_INVALID` for a card that is named or found but unusable
 */
export async function findCard(path: string, bytes: Uint8Array, cardFile?: string): Promise<ModelCard | undefined> {
  if (cardFile) return loadCard(cardFile)
  const beside = cardPathFor(path)
  if (existsSync(beside)) return loadCard(beside)
  return zooCardFor(sha256Hex(bytes))
}

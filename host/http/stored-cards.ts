import type { ModelCard } from '../card/card.js'
import { parseCard } from '../card/parse.js'
import type { CardBook } from '../device/device-types.js'
import type { Logger } from '../foundation/logger.js'
import type { CardTable } from '../store/card-table.js'

/** Cards that outlive the process: a board that keeps its model keeps its labels and its input rule too. */
export class StoredCards implements CardBook {
  private readonly known = new Map<string, ModelCard | undefined>()

  constructor(
    private readonly table: CardTable,
    private readonly logger: Logger,
  ) {}

  get(modelSha256: string): ModelCard | undefined {
    if (!this.known.has(modelSha256)) this.known.set(modelSha256, this.read(modelSha256))
    return this.known.get(modelSha256)
  }

  set(modelSha256: string, card: ModelCard): void {
    this.known.set(modelSha256, card)
    try {
      this.table.set(modelSha256, JSON.stringify(card))
    } catch (error) {
      this.logger.warn({ err: error, modelSha256 }, 'a card cannot be kept for the next start')
    }
  }

  private read(modelSha256: string): ModelCard | undefined {
    const text = this.table.get(modelSha256)
    try {
      return text === undefined ? undefined : parseCard(JSON.parse(text))
    } catch (error) {
      this.logger.warn({ err: error, modelSha256 }, 'a kept card cannot be read')
      return undefined
    }
  }
}

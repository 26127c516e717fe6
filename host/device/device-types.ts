import type { ModelCard } from '../card/card.js'
import type { Logger } from '../foundation/logger.js'
import type { ProgressListener } from '../foundation/progress.js'
import type { TransferResult } from '../link/transfer.js'
import type { PortOpener } from '../port/port.js'
import type { BoardConfig } from './board-session.js'
import type { DetectionEvent } from './events.js'

/** Cards by the SHA-256 of their models: the board keeps only what it needs of a card, labels for one stay here. */
export interface CardBook {
  get(modelSha256: string): ModelCard | undefined
  set(modelSha256: string, card: ModelCard): void
}

/** How a device is made. */
export interface DeviceOptions {
  readonly id: string
  readonly url: string
  readonly openPort: PortOpener
  readonly logger: Logger
  /** Rate to climb to after boot; default 1.5 Mbaud. */
  readonly baud?: number
  /** Cards of models, also those of earlier runs; default: what this device deploys itself. */
  readonly cards?: CardBook
  /** First streaming settings; default results and pictures of slot 0. */
  readonly config?: Partial<BoardConfig>
}

/** A model that was put into a slot. */
export interface DeployResult extends TransferResult {
  readonly slot: number
  readonly name: string
  /** Working memory that the board gave the model, bytes. */
  readonly mainBytes: number
}

/** Boxes of one picture that was sent to the board, in pixels of the network's input. */
export interface InferResult {
  readonly frameId: number
  readonly deviceTimeUs: number
  readonly stagesUs: Readonly<Record<string, number>>
  readonly detections: readonly DetectionEvent[]
}

/** Options of work that takes long. */
export interface WorkOptions {
  readonly signal?: AbortSignal
  readonly progress?: ProgressListener
}

import type { Logger } from '../foundation/logger.js'
import type { ProgressListener } from '../foundation/progress.js'
import type { TransferResult } from '../link/transfer.js'
import type { PortOpener } from '../port/port.js'
import type { BoardConfig } from './board-session.js'
import type { DetectionEvent } from './events.js'

/** How a device is made. */
export interface DeviceOptions {
  readonly id: string
  readonly url: string
  readonly openPort: PortOpener
  readonly logger: Logger
  /** Rate to climb to after boot; default 1.5 Mbaud. */
  readonly baud?: number
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

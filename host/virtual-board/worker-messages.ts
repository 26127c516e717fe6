import type { ErrorCode } from '../foundation/error-codes.js'
import { BridgeError, type ErrorPlace } from '../foundation/errors.js'
import type { BoardPortOptions } from './board-port.js'

/** Methods of a board that the host calls across the thread border, with their arguments. */
export interface BoardCalls {
  openPort: [options: BoardPortOptions]
  closePort: []
  write: [bytes: Uint8Array]
  drain: []
  setBaud: [baud: number]
  setLines: [dtr: boolean, rts: boolean]
  reset: []
  powerCycle: []
  unplug: []
  replug: []
  stats: []
  readFlash: [address: number, length: number]
  writeFlash: [address: number, bytes: Uint8Array]
  close: []
}

/** Name of a call. */
export type BoardCallName = keyof BoardCalls

/** Host to worker. */
export interface CallMessage {
  readonly id: number
  readonly name: BoardCallName
  readonly args: readonly unknown[]
}

/** An error as plain data. */
export interface PlainError {
  readonly code: ErrorCode
  readonly what: string
  readonly where: ErrorPlace
  readonly fix: string
}

/** Worker to host. */
export type WorkerMessage =
  | { readonly kind: 'ready' }
  | { readonly kind: 'failed'; readonly error: PlainError }
  | { readonly kind: 'answer'; readonly id: number; readonly value?: unknown; readonly error?: PlainError }
  | { readonly kind: 'data'; readonly bytes: Uint8Array }
  | { readonly kind: 'portClosed'; readonly reason?: PlainError }

/** Back to the error class, on the other side. */
export const fromPlain = (plain: PlainError): BridgeError => new BridgeError(plain.code, plain)

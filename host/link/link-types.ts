import type { HelloAnswer } from '../../protocol/index.js'
import type { BridgeError } from '../foundation/errors.js'
import type { Logger } from '../foundation/logger.js'

/** Options of LinkSession.open. */
export interface LinkOptions {
  readonly signal?: AbortSignal
  readonly logger?: Logger
  /** Payload limit to ask for, 256..4096; default 1040: a transfer piece of 1 KiB and its row. */
  readonly maxPayload?: number
  /** Repetitions of the first HELLO; default 3, about 4 s in all. */
  readonly helloRetries?: number
  /** Silence after which the board is pinged; default 1000, 0 = never. */
  readonly keepAliveMs?: number
  /** How long a silent board is called before the session is lost; default 10 000. */
  readonly reconnectMs?: number
  /** Random source of epochs and nonces, 0 <= x < 1. */
  readonly random?: () => number
  /** Console text from the first byte on; later listeners: LinkSession.onConsole. */
  readonly onConsole?: (text: string) => void
}

/** `silent`: the board does not answer and is being called; `lost` and `closed` are final. */
export type LinkState = 'opening' | 'open' | 'silent' | 'lost' | 'closed'

/** Changes of a session's state. */
export type LinkEvent =
  | { readonly kind: 'silent' }
  | { readonly kind: 'resumed' }
  | { readonly kind: 'rebooted'; readonly board: HelloAnswer }
  | { readonly kind: 'lost'; readonly reason: BridgeError }
  | { readonly kind: 'closed' }

/** Counters of the host's end. */
export interface LinkStatistics {
  readonly baud: number
  readonly framesSent: number
  readonly framesReceived: number
  readonly bytesSent: number
  readonly bytesReceived: number
  /** Segments that were no frame and no text. */
  readonly framesDamaged: number
  readonly noiseBytes: number
  readonly consoleBytes: number
  /** Valid frames of another session. */
  readonly otherEpoch: number
  /** Tries that got no answer in time. */
  readonly timeouts: number
  readonly datagramsReceived: number
  readonly datagramsLost: number
  readonly datagramsIncomplete: number
  readonly datagramsMalformed: number
  /** Smoothed turn-round of the board without wire time; 0 before the first. */
  readonly roundTripMs: number
}

/** One ping. */
export interface PingResult {
  readonly roundTripMs: number
  /** Board clock minus port clock, microseconds. */
  readonly offsetUs: number
}

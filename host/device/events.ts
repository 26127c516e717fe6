/** Life of a board as the API shows it. */
export type BoardState = 'absent' | 'rom' | 'stub' | 'booting' | 'running' | 'lost' | 'quarantined'

/** One box, in pixels of the picture it was found in: x, y (top left), width, height. */
export interface DetectionEvent {
  readonly box: readonly [number, number, number, number]
  readonly score: number
  readonly label?: string
}

/** What the board found on one frame. */
export interface ResultEvent {
  readonly boardId: string
  readonly frameId: number
  /** The board's time at the end of the work, microseconds since its boot. */
  readonly deviceTimeUs: number
  /** First 8 bytes are the board's word, the rest is filled in from the model list; empty when unknown. */
  readonly modelSha256: string
  /** Sensor to this process, from the measured clock offset; null while that offset cannot be right. */
  readonly latencyMs: number | null
  /** Time per stage on the board, microseconds. */
  readonly stagesUs: Readonly<Record<string, number>>
  /** Results lost on the wire so far (from the result counter). */
  readonly lostResults: number
  readonly detections: readonly DetectionEvent[]
}

/** One JPEG picture; its frame id is that of a {@link ResultEvent}. */
export interface PictureEvent {
  readonly boardId: string
  readonly frameId: number
  readonly captureUs: number
  readonly width: number
  readonly height: number
  readonly jpeg: Uint8Array
}

/** A line of the board's console, or of ours about the board. */
export interface LogEvent {
  readonly boardId: string
  readonly level: 'debug' | 'info' | 'warn' | 'error'
  readonly text: string
  /** Milliseconds since 1970. */
  readonly timeMs: number
}

/** A board as `GET /boards` shows it. */
export interface BoardView {
  readonly id: string
  readonly port: string
  readonly state: BoardState
  readonly firmware: { readonly version: string; readonly buildId: string; readonly board: string } | null
  readonly memory: { readonly freeBytes: number; readonly limitBytes: number } | null
  readonly models: readonly BoardModel[]
  /** Frame of the newest result; null before the first of this session. */
  readonly lastFrameId: number | null
  /** Counters of both ends, clock offset and rates. */
  readonly link: Readonly<Record<string, number>>
  /** Why the board is not running, or what it said last about itself. */
  readonly note: string
}

/** One model slot that is in use. */
export interface BoardModel {
  readonly slot: number
  readonly name: string
  readonly sha256: string
  readonly bytes: number
  readonly state: 'stored' | 'loaded' | 'failed'
  /** Status name when the model could not be loaded. */
  readonly problem?: string
}

/** Events of one board. */
export interface BoardEvents {
  result: [ResultEvent]
  picture: [PictureEvent]
  log: [LogEvent]
  board: [BoardView]
}

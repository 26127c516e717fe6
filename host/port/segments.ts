import { DelimiterParser } from '@serialport/parser-delimiter'
import { isConsoleText, MAX_SEGMENT_BYTES } from '../../protocol/index.js'
import type { Timer } from '../foundation/clock.js'
import type { Port, Unsubscribe } from './port.js'

/** Silence after which console text without a delimiter is handed on. */
const TEXT_IDLE_MS = 50
const DELIMITER = 0x00

/** Options of {@link splitSegments}. */
export interface SegmentOptions {
  /** Receives each non-empty run of bytes between two delimiters. */
  readonly onSegment: (segment: Uint8Array) => void
  /** Longest run; more is cut off there and handed on, so that a wrong baud rate cannot fill the memory. */
  readonly limitBytes?: number
}

/**
 * Cuts what a port receives at 0x00. The splitting is @serialport/parser-delimiter's; around it stands what a live
 * line needs beside it: a limit, and console text that is not followed by a delimiter is handed on after 50 ms of silence.
 * Both end a segment by writing the delimiter that did not come. A frame is left alone however long the line stalls.
 */
export function splitSegments(port: Port, options: SegmentOptions): Unsubscribe {
  const limitBytes = options.limitBytes ?? MAX_SEGMENT_BYTES
  const parser = new DelimiterParser({ delimiter: [DELIMITER], readableObjectMode: true })
  const end = () => {
    tail = new Uint8Array(0)
    parser.write(Uint8Array.of(DELIMITER))
  }
  let tail = new Uint8Array(0)
  let timer: Timer | undefined
  parser.on('data', (segment: Buffer) => {
    if (segment.length > 0) options.onSegment(new Uint8Array(segment))
  })
  const stop = port.onData((bytes) => {
    timer?.cancel()
    tail = unfinished(tail, bytes)
    parser.write(bytes)
    if (tail.length > limitBytes) end()
    if (tail.length > 0) timer = port.clock.timer(TEXT_IDLE_MS, () => isConsoleText(tail) && end())
  })
  return () => {
    stop()
    timer?.cancel()
    parser.destroy()
  }
}

/** What stands behind the last delimiter. */
function unfinished(tail: Uint8Array, bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  const last = bytes.lastIndexOf(DELIMITER)
  const rest = bytes.subarray(last + 1)
  const kept = last < 0 ? tail : new Uint8Array(0)
  const joined = new Uint8Array(kept.length + rest.length)
  joined.set(kept)
  joined.set(rest, kept.length)
  return joined
}

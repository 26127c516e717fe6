import { FRAME, PAYLOAD } from '../limits.js'
import { FRAME_KIND, type FrameKind } from '../schema.js'
import { cobsDecode, cobsEncode, cobsMaxBytes } from './cobs.js'
import { crc32 } from './crc32.js'

/** One frame of the link: 0x00, COBS(header + payload + CRC-32), 0x00. Header: protocol/README.md. */
export interface Frame {
  readonly kind: FrameKind
  /** Message id. */
  readonly id: number
  /** Request number; of one-way messages a counter per message id, equal on all fragments of one message. */
  readonly number: number
  readonly epoch: number
  /** Fragment index, 0..127. */
  readonly fragment: number
  /** Last (or only) fragment. */
  readonly last: boolean
  /** Bytes that the sender of this frame can still take, a multiple of 16. */
  readonly budgetBytes: number
  readonly payload: Uint8Array
}

/** What stood between two delimiters. */
export type Segment =
  | { readonly kind: 'frame'; readonly frame: Frame }
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'noise'; readonly bytes: Uint8Array; readonly reason: NoiseReason }

/** Why a segment is no frame. `cobs`, `crc`: damaged or never a frame; `header`: intact, of an unknown kind. */
export type NoiseReason = 'cobs' | 'crc' | 'short' | 'long' | 'header'

const KINDS = Object.keys(FRAME_KIND) as FrameKind[] // keys of a const table
const MAX_RAW_BYTES = FRAME.headerBytes + PAYLOAD.maxBytes + FRAME.crcBytes

/** Longest segment between two delimiters that can be a frame. */
export const MAX_SEGMENT_BYTES = cobsMaxBytes(MAX_RAW_BYTES)

/** Bytes on the wire of a frame with this payload, worst case, delimiters included. */
export const frameWireBytes = (payloadBytes: number): number =>
  cobsMaxBytes(FRAME.headerBytes + payloadBytes + FRAME.crcBytes) + 2

/** Encodes a frame with a delimiter on both sides. The payload must keep the session's limit: the caller checks. */
export function encodeFrame(frame: Frame): Uint8Array {
  const raw = new Uint8Array(FRAME.headerBytes + frame.payload.length + FRAME.crcBytes)
  const view = new DataView(raw.buffer)
  raw[0] = FRAME_KIND[frame.kind]
  raw[1] = frame.id
  view.setUint16(2, frame.number, true)
  raw[4] = frame.epoch
  raw[5] = frame.fragment | (frame.last ? FRAME.lastFragment : 0)
  view.setUint16(6, Math.min(0xffff, Math.floor(frame.budgetBytes / FRAME.budgetUnitBytes)), true)
  raw.set(frame.payload, FRAME.headerBytes)
  view.setUint32(raw.length - FRAME.crcBytes, crc32(raw.subarray(0, raw.length - FRAME.crcBytes)), true)
  const stuffed = cobsEncode(raw)
  const out = new Uint8Array(stuffed.length + 2)
  out.set(stuffed, 1)
  return out
}

/** Tells what a segment between two delimiters is. Damage is a return value: the caller counts it. */
export function readSegment(segment: Uint8Array): Segment {
  const frame = decodeFrame(segment)
  if (typeof frame !== 'string') return { kind: 'frame', frame }
  if (isConsoleText(segment)) return { kind: 'text', text: new TextDecoder().decode(segment) }
  return { kind: 'noise', bytes: segment, reason: frame }
}

function decodeFrame(segment: Uint8Array): Frame | NoiseReason {
  if (segment.length > MAX_SEGMENT_BYTES) return 'long'
  const raw = cobsDecode(segment)
  if (raw === undefined) return 'cobs'
  const end = raw.length - FRAME.crcBytes
  if (end < FRAME.headerBytes) return 'short'
  const view = new DataView(raw.buffer, raw.byteOffset, raw.byteLength)
  if (view.getUint32(end, true) !== crc32(raw.subarray(0, end))) return 'crc'
  const kind = KINDS[raw[0]!]
  if (kind === undefined) return 'header'
  return {
    kind,
    id: raw[1]!,
    number: view.getUint16(2, true),
    epoch: raw[4]!,
    fragment: raw[5]! & ~FRAME.lastFragment & 0xff,
    last: (raw[5]! & FRAME.lastFragment) !== 0,
    budgetBytes: view.getUint16(6, true) * FRAME.budgetUnitBytes,
    payload: raw.slice(FRAME.headerBytes, end),
  }
}

/** True for bytes that a console prints: ASCII, UTF-8 above it, and the usual control codes with ESC and BS. */
export function isConsoleText(bytes: Uint8Array): boolean {
  return (
    bytes.every((byte) => (byte >= 0x20 && byte !== 0x7f) || (byte >= 0x07 && byte <= 0x0d) || byte === 0x1b) &&
    isUtf8(bytes)
  )
}

function isUtf8(bytes: Uint8Array): boolean {
  try {
    new TextDecoder('utf-8', { fatal: true }).decode(bytes)
    return true
  } catch {
    return false
  }
}

/**
 * Cuts a byte stream at the delimiter and names each piece, in bounded memory. On serial ports the link uses
 * host/port/segments.ts instead; this one serves doubles and tools that have no stream.
 */
export class FrameReader {
  #pending: Uint8Array<ArrayBufferLike> = new Uint8Array(0)

  /** Takes received bytes; returns the segments that they completed. */
  push(bytes: Uint8Array): Segment[] {
    const segments: Segment[] = []
    let from = 0
    for (let end = bytes.indexOf(0); end >= 0; end = bytes.indexOf(0, from)) {
      const segment = this.#join(bytes.subarray(from, end))
      this.#pending = new Uint8Array(0)
      if (segment.length > 0) segments.push(readSegment(segment))
      from = end + 1
    }
    this.#pending = this.#join(bytes.subarray(from))
    if (this.#pending.length > MAX_SEGMENT_BYTES) segments.push(...this.flush())
    return segments
  }

  /** Ends a segment without its delimiter, for example console text after which the line fell silent. */
  flush(): Segment[] {
    const rest = this.#pending
    this.#pending = new Uint8Array(0)
    return rest.length > 0 ? [readSegment(rest)] : []
  }

  #join(tail: Uint8Array): Uint8Array {
    if (this.#pending.length === 0) return tail.slice()
    const joined = new Uint8Array(this.#pending.length + tail.length)
    joined.set(this.#pending)
    joined.set(tail, this.#pending.length)
    return joined
  }
}

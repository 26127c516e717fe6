/** SLIP as the boot ROM and the flash stub speak it: 0xC0 on both sides of a frame. Source: isp.md section 2.1. */

const END = 0xc0
const ESCAPE = 0xdb
const ESCAPED_END = 0xdc
const ESCAPED_ESCAPE = 0xdd

/** Encodes one packet, delimiters on both sides included. */
export function slipEncode(bytes: Uint8Array): Uint8Array {
  const out = new Uint8Array(bytes.length * 2 + 2)
  let at = 0
  out[at++] = END
  for (const byte of bytes) {
    if (byte === END || byte === ESCAPE) {
      out[at++] = ESCAPE
      out[at++] = byte === END ? ESCAPED_END : ESCAPED_ESCAPE
    } else {
      out[at++] = byte
    }
  }
  out[at++] = END
  return out.slice(0, at)
}

/** Decodes what stood between two delimiters; `undefined` for a bare delimiter or an unknown escape. */
export function slipDecode(bytes: Uint8Array): Uint8Array | undefined {
  const out = new Uint8Array(bytes.length)
  let at = 0
  for (let i = 0; i < bytes.length; i++) {
    const byte = bytes[i]!
    if (byte === END) return undefined
    if (byte !== ESCAPE) {
      out[at++] = byte
      continue
    }
    const next = bytes[++i]
    if (next !== ESCAPED_END && next !== ESCAPED_ESCAPE) return undefined
    out[at++] = next === ESCAPED_END ? END : ESCAPE
  }
  return out.slice(0, at)
}

/**
 * Cuts a byte stream at 0xC0. An empty frame (C0 C0) resynchronises and is not reported; text before a frame is
 * reported like a frame, so the caller tells them apart by their contents.
 */
export class SlipReader {
  readonly #limitBytes: number
  #pending: number[] = []
  /** Frames dropped because of an unknown escape or more than the limit. */
  damaged = 0

  /** @param limitBytes - longest decoded packet; the flash stub's largest is 64 KiB and its 16-byte header */
  constructor(limitBytes = 65_536 + 16) {
    this.#limitBytes = limitBytes
  }

  /** Takes received bytes; returns the packets that they completed. */
  push(bytes: Uint8Array): Uint8Array[] {
    const packets: Uint8Array[] = []
    for (const byte of bytes) {
      if (byte !== END) {
        if (this.#pending.length <= this.#limitBytes * 2) this.#pending.push(byte)
        continue
      }
      if (this.#pending.length === 0) continue
      const packet = slipDecode(Uint8Array.from(this.#pending))
      this.#pending = []
      if (packet === undefined || packet.length > this.#limitBytes) this.damaged++
      else packets.push(packet)
    }
    return packets
  }

  /** Forgets a half received packet, for example after a reset. */
  reset(): void {
    this.#pending = []
  }
}

/**
 * Consistent Overhead Byte Stuffing: bytes without any 0x00, at most one more per 254 and one at the front.
 * A block of 254 bytes (code 0xFF) has no zero after it; an input that ends right there gets no empty block.
 */

/** Largest encoded size of `length` bytes. */
export const cobsMaxBytes = (length: number): number => length + Math.ceil(length / 254) + (length === 0 ? 1 : 0)

/** Encodes; the result holds no 0x00 and no delimiter. */
export function cobsEncode(bytes: Uint8Array): Uint8Array {
  const out = new Uint8Array(length254(bytes.length))
  let codeAt = 0
  let at = 1
  for (let i = 0; i < bytes.length; i++) {
    const byte = bytes[i]!
    if (byte !== 0) out[at++] = byte
    const full = at - codeAt === 255
    if (byte !== 0 && !(full && i < bytes.length - 1)) continue
    out[codeAt] = at - codeAt
    codeAt = at++
  }
  out[codeAt] = at - codeAt
  return out.slice(0, at)
}

const length254 = (length: number): number => length + Math.floor(length / 254) + 2

/** Decodes what stood between two delimiters; `undefined` when the codes do not fit the length or a zero occurs. */
export function cobsDecode(bytes: Uint8Array): Uint8Array | undefined {
  if (bytes.length === 0) return undefined
  const out = new Uint8Array(bytes.length)
  let at = 0
  let from = 0
  while (from < bytes.length) {
    const code = bytes[from]!
    const end = from + code
    if (code === 0 || end > bytes.length) return undefined
    for (let i = from + 1; i < end; i++) {
      if (bytes[i] === 0) return undefined
      out[at++] = bytes[i]!
    }
    from = end
    if (code < 255 && from < bytes.length) out[at++] = 0
  }
  return out.slice(0, at)
}

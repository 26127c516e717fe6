/** What stands at the start of every WebAssembly module: "\0asm" and version 1. */
const HEADER = Uint8Array.of(0x00, 0x61, 0x73, 0x6d, 0x01, 0x00, 0x00, 0x00)
/** Highest section id of the binary format (13 = tags). */
const MAX_SECTION_ID = 13

/**
 * Length of the WebAssembly module at the start of `bytes`, found by walking its sections up to the end of the bytes
 * or to a custom section of size 0 (two zero bytes, which no module needs).
 * @returns undefined when no module starts there or a section passes the end
 */
export function wasmModuleLength(bytes: Uint8Array): number | undefined {
  if (bytes.length < HEADER.length || HEADER.some((byte, i) => bytes[i] !== byte)) return undefined
  let at = HEADER.length
  while (at < bytes.length) {
    const id = bytes[at]!
    const size = unsignedLeb(bytes, at + 1)
    if (!size) return undefined
    if (id === 0 && size.value === 0) return at
    if (id > MAX_SECTION_ID || size.next + size.value > bytes.length) return undefined
    at = size.next + size.value
  }
  return at
}

function unsignedLeb(bytes: Uint8Array, start: number): { value: number; next: number } | undefined {
  let value = 0
  for (let i = 0; i < 5 && start + i < bytes.length; i++) {
    const byte = bytes[start + i]!
    value += (byte & 0x7f) * 2 ** (7 * i)
    if (byte < 0x80) return { value, next: start + i + 1 }
  }
  return undefined
}

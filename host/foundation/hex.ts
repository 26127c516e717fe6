/** Bytes as lower-case hex without separators. */
export const toHex = (bytes: Uint8Array): string =>
  Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('hex')

/** An address as 0x80000000. */
export const toAddress = (value: number): string => `0x${value.toString(16).padStart(8, '0')}`

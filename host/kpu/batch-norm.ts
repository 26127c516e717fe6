/** Batch norm of one output channel: b = ((acc * normMul) >> normShift) + normAdd, floor shift. */
export interface BatchNormEntry {
  /** Signed 24 bit. */
  readonly normMul: number
  /** Signed 32 bit. */
  readonly normAdd: number
  /** 0..15. */
  readonly normShift: number
}

/** Bytes of one encoded entry. */
export const BATCH_NORM_BYTES = 8

/** Entries in channel order to bytes, 8 each; values are cut to their bits. Source: kpu.md section 5. */
export function encodeBatchNorm(entries: readonly BatchNormEntry[]): Uint8Array {
  const bytes = new Uint8Array(entries.length * BATCH_NORM_BYTES)
  const view = new DataView(bytes.buffer)
  entries.forEach((entry, index) => {
    const mul = BigInt.asUintN(24, BigInt(entry.normMul))
    const add = BigInt.asUintN(32, BigInt(entry.normAdd)) << 24n
    view.setBigUint64(index * BATCH_NORM_BYTES, mul | add | (BigInt(entry.normShift & 15) << 56n), true)
  })
  return bytes
}

/** Bytes to entries; bits 60..63 are ignored. */
export function decodeBatchNorm(bytes: Uint8Array): BatchNormEntry[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  return Array.from({ length: Math.floor(bytes.length / BATCH_NORM_BYTES) }, (_, index) => {
    const low = view.getUint32(index * BATCH_NORM_BYTES, true)
    const high = view.getUint32(index * BATCH_NORM_BYTES + 4, true)
    return {
      normMul: (low << 8) >> 8,
      normAdd: (low >>> 24) | ((high & 0xffffff) << 8),
      normShift: (high >>> 24) & 15,
    }
  })
}

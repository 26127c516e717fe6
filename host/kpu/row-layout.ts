import type { MapShape } from '../tensor/tensor.js'

/** Bytes of one row of KPU RAM, the unit of its addresses. */
export const ROW_BYTES = 64

/** How a map lies in KPU RAM. Source: kpu.md section 4. */
export interface RowLayout {
  /** Channels side by side in one 64-byte row: 1, 2 or 4. */
  readonly groups: number
  /** 64-byte rows of one image row. */
  readonly rowLen: number
  /** Bytes between neighbours in a group: 16, 32 or 64. */
  readonly rowPitch: number
  /** Rows of the whole map. */
  readonly rows: number
  /** Bytes of the whole map, rows * 64. */
  readonly bytes: number
}

/** Layout of one map (batch 1). */
export function rowLayout(shape: MapShape): RowLayout {
  const { groups, rowLen, rowPitch } = layoutOfWidth(shape.width)
  const rows = rowLen * shape.height * Math.ceil(shape.channels / groups)
  return { groups, rowLen, rowPitch, rows, bytes: rows * ROW_BYTES }
}

/** Groups, rows an image row and pitch for a width in pixels. */
export function layoutOfWidth(width: number): Pick<RowLayout, 'groups' | 'rowLen' | 'rowPitch'> {
  if (width <= 16) return { groups: 4, rowLen: 1, rowPitch: 16 }
  if (width <= 32) return { groups: 2, rowLen: 1, rowPitch: 32 }
  return { groups: 1, rowLen: Math.ceil(width / ROW_BYTES), rowPitch: ROW_BYTES }
}

/** Byte address of pixel (channel, y, x) relative to the map's first row. */
export function pixelOffset(shape: MapShape, channel: number, y: number, x: number): number {
  const { groups, rowLen, rowPitch } = layoutOfWidth(shape.width)
  const group = Math.floor(channel / groups) * rowLen * shape.height * ROW_BYTES
  return group + (channel % groups) * rowPitch + y * rowLen * ROW_BYTES + x
}

/**
 * Writes a dense CHW map into KPU RAM at `row`. Bytes between the width and the end of a row keep their content.
 * @param ram - KPU RAM from its first byte
 */
export function uploadMap(ram: Uint8Array, row: number, dense: Uint8Array, shape: MapShape): void {
  const base = row * ROW_BYTES
  if (shape.width % ROW_BYTES === 0) {
    ram.set(dense.subarray(0, shape.channels * shape.height * shape.width), base)
    return
  }
  eachLine(shape, (ramOffset, denseOffset) => {
    const at = base + ramOffset
    for (let x = 0; x < shape.width; x++) ram[at + x] = dense[denseOffset + x]!
  })
}

/**
 * Reads a map from KPU RAM at `row` as dense CHW bytes.
 * @param ram - KPU RAM from its first byte
 */
export function downloadMap(ram: Uint8Array, row: number, shape: MapShape): Uint8Array {
  const base = row * ROW_BYTES
  const count = shape.channels * shape.height * shape.width
  if (shape.width % ROW_BYTES === 0) return ram.slice(base, base + count)
  const dense = new Uint8Array(count)
  eachLine(shape, (ramOffset, denseOffset) => {
    const at = base + ramOffset
    for (let x = 0; x < shape.width; x++) dense[denseOffset + x] = ram[at + x]!
  })
  return dense
}

/** Calls `line` for each (channel, y) with the offsets of its first pixel in the layout and in the dense map. */
function eachLine(shape: MapShape, line: (ramOffset: number, denseOffset: number) => void): void {
  const step = layoutOfWidth(shape.width).rowLen * ROW_BYTES
  let denseOffset = 0
  for (let channel = 0; channel < shape.channels; channel++) {
    let ramOffset = pixelOffset(shape, channel, 0, 0)
    for (let y = 0; y < shape.height; y++) {
      line(ramOffset, denseOffset)
      ramOffset += step
      denseOffset += shape.width
    }
  }
}

import { BridgeError } from '../foundation/errors.js'
import type { MemoryRange } from '../kmodel/v4/values.js'

/** Constants and working memory of a model while it runs. */
export interface ModelMemory {
  readonly constants: Uint8Array
  readonly main: Uint8Array
}

/** Working memory with a little slack: v3 rounds some counts up to 8. */
export const MAIN_SLACK = 64

/** Largest working memory the simulator allocates; the chip has 6 MiB. */
const MOST_MAIN_BYTES = 64 << 20

/** Zeroed working memory. @throws BridgeError `KMODEL_INVALID` when the model asks for more than any chip has */
export function allocateMain(bytes: number): Uint8Array {
  if (bytes <= MOST_MAIN_BYTES) return new Uint8Array(bytes + MAIN_SLACK)
  throw new BridgeError('KMODEL_INVALID', {
    what: `the model wants ${bytes} bytes of working memory`,
    fix: 'The file is damaged: copy it again, or compile it again.',
  })
}

/** Bytes of main memory. @throws BridgeError `KMODEL_INVALID` when they lie outside */
export function mainBytes(memory: ModelMemory, start: number, bytes: number): Uint8Array {
  return slice(memory.main, start, bytes, 'main')
}

/** The bytes of a range in constants or main memory, a view. @throws BridgeError `KMODEL_INVALID` */
export function rangeBytes(memory: ModelMemory, range: MemoryRange): Uint8Array {
  if (range.memory === 'kpu') {
    throw new BridgeError('KMODEL_INVALID', {
      what: 'a CPU layer reads or writes KPU RAM',
      where: { start: range.start },
    })
  }
  return slice(range.memory === 'const' ? memory.constants : memory.main, range.start, range.bytes, range.memory)
}

function slice(area: Uint8Array, start: number, bytes: number, name: string): Uint8Array {
  if (start + bytes <= area.length) return area.subarray(start, start + bytes)
  throw new BridgeError('KMODEL_INVALID', {
    what: `bytes ${start}..${start + bytes - 1} lie outside of the ${area.length} bytes of ${name} memory`,
    where: { start, bytes },
    fix: 'The file is damaged: copy it again, or compile it again.',
  })
}

/** Floats of some bytes: a copy, so that inputs may overlap outputs and need no alignment. */
export function floatsOf(bytes: Uint8Array): Float32Array {
  return new Float32Array(bytes.slice(0, bytes.length & ~3).buffer)
}

/** Writes floats as little-endian bytes, as many as fit. */
export function storeFloats(target: Uint8Array, values: Float32Array): void {
  storeBytes(target, new Uint8Array(values.buffer, values.byteOffset, values.byteLength))
}

/** Writes bytes, as many as fit. */
export function storeBytes(target: Uint8Array, values: Uint8Array): void {
  target.set(values.length > target.length ? values.subarray(0, target.length) : values)
}

/** Refuses a layer whose operand is smaller than its shape says. */
export function wantElements(have: number, want: number, operand: string): void {
  if (want >= 0 && have >= want) return
  throw new BridgeError('KMODEL_INVALID', {
    what: `${operand} has ${have} elements, its shape asks for ${want}`,
    fix: 'The file is damaged: copy it again, or compile it again.',
  })
}

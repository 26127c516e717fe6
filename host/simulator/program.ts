import type { DataType } from '../tensor/tensor.js'

/** An input or output of a model. */
export interface TensorInfo {
  readonly type: DataType
  /** Null where the file does not say (v4 outputs, v3 outputs). */
  readonly shape: readonly number[] | null
  /** Bytes of the dense tensor. */
  readonly bytes: number
}

/** What one layer made. `data` copies it out and is called only when somebody wants it. */
export interface LayerResult {
  readonly shape: readonly number[] | null
  data(): Uint8Array
}

/** A kmodel of either version, ready to run layer by layer. */
export interface PreparedProgram {
  readonly inputs: readonly TensorInfo[]
  readonly outputs: readonly TensorInfo[]
  /** What works but breaks a limit of the chip. */
  readonly warnings: readonly string[]
  /** Layer kinds in order. */
  readonly kinds: readonly string[]
  /** Puts dense input bytes where the model wants them. */
  feed(index: number, bytes: Uint8Array): void
  /** Runs layer `index`. */
  step(index: number): LayerResult
  /** Bytes of output `index`, as kpu_get_output would hand them out. */
  output(index: number): Uint8Array
}

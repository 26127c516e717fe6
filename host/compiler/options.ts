import type { ModelCard } from '../card/card.js'
import type { ProgressListener } from '../foundation/progress.js'
import type { PlanarPicture, Shape } from '../tensor/tensor.js'

/**
 * How the range of a map is found: all that was seen on the calibration pictures, or the part of it whose codes have the
 * least squared error.
 */
export const RANGE_METHODS = ['minmax', 'mse'] as const

/** One of {@link RANGE_METHODS}. */
export type RangeMethod = (typeof RANGE_METHODS)[number]

/** Taken when nothing is said: the SNR of layers is higher on every calibration set tried (table in README.md). */
export const DEFAULT_METHOD: RangeMethod = 'mse'

/** How a model is compiled. */
export interface CompileOptions {
  /** real = (pixel - mean) / std, pixels 0..255, per channel; default: the card's, else 0 and 1. */
  readonly mean?: readonly number[]
  readonly std?: readonly number[]
  readonly method: RangeMethod
  /** Keep what stands behind the detection heads in the kmodel instead of leaving it to the card's decoder. */
  readonly keepHead?: boolean
  /** Tensors to end at. */
  readonly outputs?: readonly string[]
  /** Shapes by input name. */
  readonly inputShape?: Readonly<Record<string, Shape>>
  readonly target: 'v4'
  /** Called with the printed graph after each pass. */
  readonly dumpIr?: (pass: string, text: string) => void
}

/** Result of every node of a kmodel, in file order: codes or floats, dense NCHW. */
export type LayerOutputs = readonly (Uint8Array | Float32Array | undefined)[]

/** What {@link compile} takes. */
export interface CompileRequest {
  /** Bytes of the model file. */
  readonly model: Uint8Array
  readonly name: string
  /** Planar pictures of the network's size, channel order as the network wants it. */
  readonly calibration: AsyncIterable<PlanarPicture> | Iterable<PlanarPicture>
  readonly options: CompileOptions
  /** What is known of the model: task, input rule, decoder, labels, source. */
  readonly card?: Partial<ModelCard>
  readonly onProgress?: ProgressListener
  readonly signal?: AbortSignal
  /** Runs a kmodel and hands out each layer's result; gives the report its error figures. */
  readonly simulateLayers?: (kmodel: Uint8Array, input: Uint8Array) => Promise<LayerOutputs>
}

/** What every pass may read. Passes change nothing in it. */
export interface PassContext {
  readonly options: CompileOptions
  readonly mean: readonly number[]
  readonly std: readonly number[]
  readonly calibration: AsyncIterable<PlanarPicture> | Iterable<PlanarPicture>
  readonly decoder: ModelCard['decoder'] | undefined
  readonly onProgress?: ProgressListener
  readonly signal?: AbortSignal
}

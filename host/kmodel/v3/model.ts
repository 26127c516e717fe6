import type { Payload } from '../fields.js'
import type { Place } from '../v4/model.js'
import type { LAYERS } from './layers.js'

/** Names of the layer kinds that the v3 runtime can run. */
export type V3LayerName = keyof typeof LAYERS

/** One layer of the kind N: `type` and the fields of its row in layers.ts. */
export type V3LayerOf<N extends V3LayerName> = N extends V3LayerName
  ? { readonly type: N } & Payload<(typeof LAYERS)[N]['fields']>
  : never

/** Any layer that the row table knows. */
export type V3Layer = { [N in V3LayerName]: V3LayerOf<N> }[V3LayerName]

/** A layer of a type that the runtime does not run. */
export interface V3UnknownLayer {
  readonly type: 'unknown'
  readonly id: number
  readonly data: Uint8Array
}

/** A kmodel v3 as read from a file. */
export interface KmodelV3 {
  readonly version: 3
  readonly weightBits: 8 | 16
  /** Lowest KPU RAM row in use; 32768 when the KPU is unused. */
  readonly maxStartRow: number
  /** Bytes of working memory. */
  readonly mainBytes: number
  /** Byte ranges of main memory. */
  readonly outputs: readonly { readonly address: number; readonly bytes: number }[]
  readonly layers: readonly (V3Layer | V3UnknownLayer)[]
  /** Bodies in the file, by layer. */
  readonly places: readonly Place[]
  readonly usedBytes: number
}

import type { Payload } from '../fields.js'
import type { OPS } from './ops.js'
import type { MemoryRange, Shape4 } from './values.js'

/** Names of the node kinds. */
export type OpName = keyof typeof OPS

/** One node of the kind N: `op` and the fields of its row in ops.ts. */
export type NodeOf<N extends OpName> = N extends OpName
  ? { readonly op: N } & Payload<(typeof OPS)[N]['fields']>
  : never

/** Any node that the row table knows. */
export type KmodelV4Node = { [N in OpName]: NodeOf<N> }[OpName]

/** A node of an opcode without a row (0x1001..0x1005 and later additions). */
export interface UnknownNode {
  readonly op: 'unknown'
  readonly opcode: number
  readonly data: Uint8Array
}

/** What {@link writeKmodelV4} writes: a kmodel v4 without its file offsets. */
export interface KmodelV4Model {
  readonly inputs: readonly { readonly range: MemoryRange; readonly shape: Shape4 }[]
  readonly outputs: readonly MemoryRange[]
  readonly constants: Uint8Array
  /** Bytes of working memory. */
  readonly mainBytes: number
  readonly nodes: readonly KmodelV4Node[]
}

/** Where a body lies in the file. */
export interface Place {
  readonly offset: number
  readonly bytes: number
}

/** A kmodel v4 as read from a file. */
export interface KmodelV4 extends Omit<KmodelV4Model, 'nodes'> {
  readonly version: 4
  readonly nodes: readonly (KmodelV4Node | UnknownNode)[]
  /** Bodies in the file, by node. */
  readonly places: readonly Place[]
  /** Bytes of the file that belong to the model; what follows is padding or something else. */
  readonly usedBytes: number
}

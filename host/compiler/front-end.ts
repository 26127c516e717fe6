import { BridgeError } from '../foundation/errors.js'
import type { Graph } from '../ir/graph.js'
import { importOnnx } from '../onnx/import.js'
import type { CompileOptions } from './options.js'

/** A model format that can be compiled. */
interface FrontEnd {
  readonly name: string
  /** True when the bytes look like this format. */
  readonly matches: (bytes: Uint8Array) => boolean
  readonly read: (bytes: Uint8Array, name: string, options: CompileOptions) => Graph
}

/** ONNX has no magic number: a model begins with field 1 (IR version, a small number) or another small field. */
const looksLikeOnnx = (bytes: Uint8Array): boolean => bytes.length > 16 && (bytes[0] === 0x08 || bytes[0] === 0x12)

const FRONT_ENDS: readonly FrontEnd[] = [
  {
    name: 'ONNX',
    matches: looksLikeOnnx,
    read: (bytes, name, options) =>
      importOnnx(bytes, name, { inputShapes: options.inputShape, outputs: options.outputs }),
  },
]

/**
 * Reads a model file of any known format as IR.
 * @throws BridgeError `MODEL_FORMAT` when no format matches, else what the format's reader throws
 */
export function readModel(bytes: Uint8Array, name: string, options: CompileOptions): Graph {
  const frontEnd = FRONT_ENDS.find((candidate) => candidate.matches(bytes))
  if (frontEnd) return frontEnd.read(bytes, name, options)
  throw new BridgeError('MODEL_FORMAT', {
    what: `the file is no model of a known format (${FRONT_ENDS.map((candidate) => candidate.name).join(', ')})`,
    where: { model: name },
    fix: 'Export the network as ONNX.',
  })
}

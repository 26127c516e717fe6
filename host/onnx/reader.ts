import { asBridgeError, BridgeError } from '../foundation/errors.js'
import { type Int64, ModelType, type OnnxGraph, type OnnxModel } from './schema.js'

/** A decoded ONNX file. */
export interface OnnxFile {
  readonly graph: OnnxGraph
  /** Version of the default operator set. */
  readonly opset: number
  readonly irVersion: number
}

/** Operator sets that the importers know. */
export const OPSETS = { min: 7, max: 22 } as const

/** A 64-bit number of a message, as a JavaScript number; absent means 0. */
export const toNumber = (value: Int64 | undefined): number =>
  value === undefined ? 0 : typeof value === 'number' ? value : value.toNumber()

const FORMAT_FIX = 'Check that the file is an ONNX model and was copied completely.'

function decodeModel(bytes: Uint8Array): OnnxModel {
  try {
    // the reflection type is untyped; every field of OnnxModel is optional, so absence is handled where it is read
    return ModelType.decode(bytes) as unknown as OnnxModel
  } catch (error) {
    throw asBridgeError(error, 'ONNX_FORMAT', {
      what: `the bytes are no ONNX model (${error instanceof Error ? error.message : 'damaged protobuf'})`,
      fix: FORMAT_FIX,
    })
  }
}

/**
 * Decodes an ONNX file and checks its versions.
 * @throws BridgeError `ONNX_FORMAT` when it is damaged or no ONNX model, `ONNX_UNSUPPORTED` for an unknown operator set
 */
export function readOnnx(bytes: Uint8Array): OnnxFile {
  const model = decodeModel(bytes)
  const { graph } = model
  if (!graph?.node?.length || !graph.output?.length) {
    throw new BridgeError('ONNX_FORMAT', { what: 'the file holds no network', fix: FORMAT_FIX })
  }
  const opset = toNumber(model.opsetImport?.find((entry) => !entry.domain || entry.domain === 'ai.onnx')?.version)
  if (opset < OPSETS.min || opset > OPSETS.max) {
    throw new BridgeError('ONNX_UNSUPPORTED', {
      what: `operator set ${opset} is not supported; ${OPSETS.min} to ${OPSETS.max} are`,
      where: { opset },
      fix: 'Export the model again with an operator set in that range, for example 13.',
    })
  }
  return { graph, opset, irVersion: toNumber(model.irVersion) }
}

import { InferenceSession, Tensor } from 'onnxruntime-node'
import { asBridgeError, BridgeError } from '../foundation/errors.js'
import { elementCount, type Shape } from '../tensor/tensor.js'

/** Name and shape of a network input; unnamed (dynamic) axes are 1. */
export interface ReferenceInput {
  readonly name: string
  readonly shape: Shape
}

/** A float network that can be run on pictures. */
export interface Reference {
  readonly inputs: readonly ReferenceInput[]
  readonly outputs: readonly string[]
  /**
   * One run. `feeds` holds dense float32 elements by input name; the answer those of every output (of `wanted` only,
   * when given).
   * @throws BridgeError `REFERENCE_RUN` when an input is missing, has the wrong size or the run fails
   */
  run(feeds: Readonly<Record<string, Float32Array>>, wanted?: readonly string[]): Promise<Record<string, Float32Array>>
  /** Frees the session. */
  dispose(): Promise<void>
}

const OPTIONS: InferenceSession.SessionOptions = { intraOpNumThreads: 2, interOpNumThreads: 1, logSeverityLevel: 3 }

function inputShapes(session: InferenceSession): ReferenceInput[] {
  return session.inputMetadata.map((entry) => ({
    name: entry.name,
    shape: entry.isTensor ? entry.shape.map((size) => (typeof size === 'number' && size > 0 ? size : 1)) : [],
  }))
}

function feedTensor(input: ReferenceInput, data: Float32Array | undefined): Tensor {
  if (data?.length === elementCount(input.shape)) return new Tensor('float32', data, [...input.shape])
  throw new BridgeError('REFERENCE_RUN', {
    what: `input ${input.name} takes ${elementCount(input.shape)} elements, got ${data?.length ?? 'none'}`,
    where: { input: input.name, shape: input.shape.join('x') },
  })
}

function asFloats(name: string, tensor: Tensor): Float32Array {
  if (tensor.data instanceof Float32Array) return tensor.data
  throw new BridgeError('REFERENCE_RUN', { what: `output ${name} is ${tensor.type}, not float32` })
}

async function createSession(onnx: Uint8Array): Promise<InferenceSession> {
  try {
    return await InferenceSession.create(onnx, OPTIONS)
  } catch (error) {
    throw asBridgeError(error, 'REFERENCE_RUN', { fix: 'Check that the file is an ONNX model of opset 7 to 22.' })
  }
}

/**
 * Opens an ONNX network in onnxruntime (CPU, float32, two threads).
 * @throws BridgeError `REFERENCE_RUN` when onnxruntime refuses it
 */
export async function createReference(onnx: Uint8Array): Promise<Reference> {
  const session = await createSession(onnx)
  const inputs = inputShapes(session)
  return {
    inputs,
    outputs: session.outputNames,
    async run(feeds, wanted = session.outputNames) {
      const tensors = Object.fromEntries(inputs.map((input) => [input.name, feedTensor(input, feeds[input.name])]))
      try {
        const results = await session.run(tensors, [...wanted])
        return Object.fromEntries(Object.entries(results).map(([name, t]) => [name, asFloats(name, t)]))
      } catch (error) {
        throw asBridgeError(error, 'REFERENCE_RUN')
      }
    },
    dispose: () => session.release(),
  }
}

import { BridgeError } from '../foundation/errors.js'
import { elementCount, type Shape } from '../tensor/tensor.js'

/** One tensor of a TensorFlow.js weight file, in real values. Convolutions are HWIO, depthwise ones HWC1. */
export interface TfjsTensor {
  readonly shape: Shape
  readonly data: Float32Array
}

interface ManifestWeight {
  readonly name: string
  readonly shape: number[]
  readonly quantization: { readonly dtype: string; readonly scale: number; readonly min: number }
}

/**
 * Reads a TensorFlow.js weight file whose tensors are quantized to one byte: real = byte * scale + min.
 * @param manifest - text of the `-weights_manifest.json` file; tensors follow each other in its order
 * @returns tensors by name
 * @throws BridgeError `FILE_FORMAT` when bytes and manifest do not fit
 */
export function readTfjsWeights(bytes: Uint8Array, manifest: string): ReadonlyMap<string, TfjsTensor> {
  const groups = JSON.parse(manifest) as { weights: ManifestWeight[] }[]
  const tensors = new Map<string, TfjsTensor>()
  let at = 0
  for (const { name, shape, quantization } of groups.flatMap((group) => group.weights)) {
    const count = elementCount(shape)
    if (quantization?.dtype !== 'uint8' || at + count > bytes.length) {
      throw new BridgeError('FILE_FORMAT', {
        what: 'the weight file does not hold the byte-quantized tensors that its manifest lists',
        where: { tensor: name, offset: at },
      })
    }
    const data = Float32Array.from(
      bytes.subarray(at, at + count),
      (byte) => byte * quantization.scale + quantization.min,
    )
    tensors.set(name, { shape, data })
    at += count
  }
  if (at !== bytes.length) {
    throw new BridgeError('FILE_FORMAT', { what: `${bytes.length - at} bytes follow the last tensor of the manifest` })
  }
  return tensors
}

/** HWIO (or HWC1 of a depthwise filter, where each channel is a group) to OIHW. */
export function toOihw(
  tensor: TfjsTensor,
  depthwise: boolean,
): { shape: [number, number, number, number]; data: Float32Array } {
  const [height, width, inputs, outputs] = tensor.shape as [number, number, number, number]
  const o = depthwise ? inputs : outputs
  const i = depthwise ? 1 : inputs
  const data = new Float32Array(tensor.data.length)
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      for (let input = 0; input < inputs; input++) {
        for (let output = 0; output < outputs; output++) {
          const from = ((y * width + x) * inputs + input) * outputs + output
          const [row, column] = depthwise ? [input, 0] : [output, input]
          data[((row * i + column) * height + y) * width + x] = tensor.data[from]!
        }
      }
    }
  }
  return { shape: [o, i, height, width], data }
}

import type { TensorInfo } from '../../host/simulator/program.js'

/** The golden data's input rule: element k is (31 k + 7) mod 251, divided by 255 for float inputs. */
export function rampInput(input: TensorInfo): Uint8Array | Float32Array {
  if (input.type === 'float32') {
    return Float32Array.from({ length: input.bytes / 4 }, (_, k) => ((31 * k + 7) % 251) / 255)
  }
  return Uint8Array.from({ length: input.bytes }, (_, k) => (31 * k + 7) % 251)
}

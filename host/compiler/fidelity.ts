import type { Graph, Tensor, TensorRange } from '../ir/graph.js'
import { writeOnnx } from '../onnx/writer.js'
import { createReference } from '../reference/reference.js'
import type { PlanarPicture, QuantParams } from '../tensor/tensor.js'
import type { EmittedNode } from './emit/emit.js'
import type { LayerOutputs } from './options.js'
import { floatNameOf } from './passes/place-transfers.js'
import { pictureFloats } from './quantize/calibrate.js'

/** How near a quantized result is to the float one. */
export interface Fidelity {
  /** Signal to noise ratio in decibels; Infinity when equal. */
  readonly snrDb: number
  readonly cosine: number
}

/** Sums over all pictures of one tensor. */
export class FidelityMeter {
  #signal = 0
  #noise = 0
  #codes = 0
  #product = 0

  /**
   * Compares codes with float values of the same tensor.
   * @param factors - of each channel, when channels were equalized
   * @param cut - float values are cut to this range first, when codes were on purpose
   */
  add(
    float: Float32Array,
    codes: Uint8Array | Float32Array,
    quant: QuantParams,
    factors: readonly number[],
    cut?: Pick<TensorRange, 'min' | 'max'>,
  ): void {
    const { scale, zeroPoint } = quant
    const plane = float.length / factors.length
    for (let i = 0; i < float.length; i++) {
      const wanted = cut ? Math.min(cut.max, Math.max(cut.min, float[i]!)) : float[i]!
      const got = (codes[i]! - zeroPoint) * scale * factors[Math.floor(i / plane)]!
      this.#signal += wanted * wanted
      this.#codes += got * got
      this.#product += wanted * got
      this.#noise += (wanted - got) ** 2
    }
  }

  /** The figures; a tensor that is zero in both is a perfect match. */
  result(): Fidelity {
    const norm = Math.sqrt(this.#signal * this.#codes)
    const cosine = norm > 0 ? this.#product / norm : this.#noise === 0 ? 1 : 0
    const snrDb = this.#noise === 0 ? Number.POSITIVE_INFINITY : 10 * Math.log10(this.#signal / this.#noise)
    return { snrDb, cosine }
  }
}

/** What {@link measureFidelity} compares. */
export interface FidelityRequest {
  /** The network in float, taking pixels. */
  readonly floatGraph: Graph
  readonly quantized: Graph
  readonly nodes: readonly EmittedNode[]
  readonly kmodel: Uint8Array
  readonly pictures: readonly PlanarPicture[]
  readonly simulateLayers: (kmodel: Uint8Array, input: Uint8Array) => Promise<LayerOutputs>
}

const isKpu = ({ node }: EmittedNode): boolean => node.op.kind === 'kpuConv2d'

/** Result of each KPU node against the float tensor of the same name, by index of the kmodel node. */
export async function measureFidelity(request: FidelityRequest): Promise<ReadonlyMap<number, Fidelity>> {
  const { floatGraph, quantized, nodes, pictures } = request
  const wanted = [...new Set(nodes.filter(isKpu).map(({ node }) => floatNameOf(node.output)))]
  const reference = await createReference(writeOnnx(floatGraph, { outputs: wanted }))
  const meters = new Map(nodes.flatMap((entry, i) => (isKpu(entry) ? [[i, new FidelityMeter()] as const] : [])))
  try {
    for (const picture of pictures) {
      const float = await reference.run({ [floatGraph.inputs[0]!]: pictureFloats(floatGraph, picture) }, wanted)
      const results = await request.simulateLayers(request.kmodel, picture.data)
      for (const [i, meter] of meters) {
        const tensor: Tensor = quantized.tensors.get(nodes[i]!.node.output)!
        const codes = results[i]
        const factors = tensor.channelFactors ?? [1]
        const cut = tensor.range?.isClipped ? tensor.range : undefined
        if (codes) meter.add(float[floatNameOf(tensor.name)]!, codes, tensor.quant!, factors, cut)
      }
    }
  } finally {
    await reference.dispose()
  }
  return new Map([...meters].map(([i, meter]) => [i, meter.result()]))
}

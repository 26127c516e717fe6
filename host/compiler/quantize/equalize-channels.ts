import { GraphDraft } from '../../ir/draft.js'
import type { ChannelRange, Graph, Node, Tensor, TensorRange } from '../../ir/graph.js'
import type { KpuConv2dOp } from '../../ir/op.js'

/** A KPU layer of the graph. */
interface Layer {
  readonly node: Node
  readonly op: KpuConv2dOp
}

/** Activations that commute with a positive factor. */
const HOMOGENEOUS: readonly string[] = ['none', 'relu', 'leakyRelu']

/** How far a channel may be scaled up at most: quiet channels must not turn into noise of rare large values. */
const SMALLEST_FACTOR = 1 / 32

/** Shares (as exponents) of the full equalization that are tried. */
const SHARES = [0, 0.25, 0.5, 0.75, 1]

const asLayer = (node: Node | undefined): Layer | undefined =>
  node?.op.kind === 'kpuConv2d' ? { node, op: node.op } : undefined

/** The layers that read a tensor, through pads with zero; undefined when anything else reads it. */
function readersOf(draft: GraphDraft, name: string): { layers: Layer[]; pads: Node[] } | undefined {
  if (draft.isOutput(name)) return undefined
  const layers: Layer[] = []
  const pads: Node[] = []
  for (const node of draft.consumers(name)) {
    const layer = asLayer(node)
    if (layer && layer.op.padValue === 0) layers.push(layer)
    else if (node.op.kind === 'pad' && node.op.value === 0) {
      const behind = readersOf(draft, node.output)
      if (!behind) return undefined
      layers.push(...behind.layers)
      pads.push(node, ...behind.pads)
    } else return undefined
  }
  return { layers, pads }
}

/** Factors that let every channel fill the tensor's range: real = stored * factor, 1 for the widest channel. */
function fullFactors({ min, max, channels }: TensorRange): number[] {
  const low = Math.min(0, min)
  const high = Math.max(0, max)
  return channels.map((channel) => {
    const below = low < 0 ? Math.min(0, channel.min) / low : 0
    const above = high > 0 ? Math.max(0, channel.max) / high : 0
    const factor = Math.max(below, above)
    return factor > 0 ? Math.min(1, Math.max(SMALLEST_FACTOR, factor)) : 1
  })
}

/** Weights of a layer with its input channels multiplied by `factors`. */
function scaleInputs(layer: Layer, weights: Float32Array, outputs: number, factors: readonly number[]): Float32Array {
  const taps = layer.op.kernel ** 2
  const perOutput = weights.length / outputs
  return weights.map((value, i) => {
    const channel = layer.op.depthwise ? Math.floor(i / perOutput) : Math.floor((i % perOutput) / taps)
    return value * factors[channel]!
  })
}

/**
 * Expected squared error of a layer's outputs, summed: from the rounding of its inputs (step of the tensor times the
 * channel's factor) and from the rounding of its weights (step of each output channel).
 */
function expectedNoise(
  layer: Layer,
  weights: Float32Array,
  outputs: number,
  range: TensorRange,
  factors: readonly number[],
): number {
  const step = (Math.max(0, range.max) - Math.min(0, range.min)) / 255
  const taps = layer.op.kernel ** 2
  const perOutput = weights.length / outputs
  const scaled = scaleInputs(layer, weights, outputs, factors)
  let noise = 0
  for (let o = 0; o < outputs; o++) {
    let low = 0
    let high = 0
    let power = 0
    for (let i = 0; i < perOutput; i++) {
      const channel = layer.op.depthwise ? o : Math.floor(i / taps)
      const value = scaled[o * perOutput + i]!
      low = Math.min(low, value)
      high = Math.max(high, value)
      power += range.channels[channel]!.power / factors[channel]! ** 2
      noise += (value * step) ** 2
    }
    noise += ((high - low) / 255) ** 2 * power
  }
  return noise
}

function chooseFactors(draft: GraphDraft, range: TensorRange, layers: readonly Layer[]): readonly number[] {
  const full = fullFactors(range)
  let best: readonly number[] = full
  let bestNoise = Number.POSITIVE_INFINITY
  for (const share of SHARES) {
    const factors = full.map((factor) => factor ** share)
    let noise = 0
    for (const layer of layers) {
      const weights = draft.floats(layer.node.inputs[1])!
      noise += expectedNoise(layer, weights, draft.shape(layer.node.inputs[1]!)[0]!, range, factors)
    }
    if (noise < bestNoise) {
      bestNoise = noise
      best = factors
    }
  }
  return best
}

function scaledRange(range: TensorRange, factors: readonly number[]): TensorRange {
  const channels = range.channels.map((channel, c): ChannelRange => {
    const factor = factors[c]!
    const { min, max, mean, power, seen } = channel
    return { seen, min: min / factor, max: max / factor, mean: mean / factor, power: power / factor ** 2 }
  })
  return {
    min: Math.min(...channels.map((channel) => channel.min)),
    max: Math.max(...channels.map((channel) => channel.max)),
    channels,
  }
}

function withFactors(tensor: Tensor, factors: readonly number[]): Tensor {
  const channelFactors = factors.map((factor, c) => factor * (tensor.channelFactors?.[c] ?? 1))
  return { ...tensor, channelFactors, range: tensor.range && scaledRange(tensor.range, factors) }
}

function replaceConstants(draft: GraphDraft, node: Node, weights: Float32Array, bias?: Float32Array): void {
  const [x, w, b] = node.inputs
  const inputs = [x!, draft.constant(`${w}.even`, weights, draft.shape(w!))]
  if (b !== undefined) inputs.push(bias ? draft.constant(`${b}.even`, bias, [bias.length]) : b)
  draft.replace(node, { inputs })
}

function equalize(draft: GraphDraft, producer: Layer, layers: readonly Layer[], pads: readonly Node[]): void {
  const name = producer.node.output
  const range = draft.tensor(name).range!
  const factors = chooseFactors(draft, range, layers)
  if (factors.every((factor) => factor === 1)) return
  const weights = draft.floats(producer.node.inputs[1])!
  const perOutput = weights.length / factors.length
  const bias = draft.floats(producer.node.inputs[2])?.map((value, c) => value / factors[c]!)
  const smaller = weights.map((value, i) => value / factors[Math.floor(i / perOutput)]!)
  replaceConstants(draft, producer.node, smaller, bias)
  for (const layer of layers) {
    const own = draft.floats(layer.node.inputs[1])!
    const outputs = draft.shape(layer.node.inputs[1]!)[0]!
    replaceConstants(draft, layer.node, scaleInputs(layer, own, outputs, factors))
  }
  for (const tensor of [name, ...pads.map((pad) => pad.output)]) {
    draft.setTensor(withFactors(draft.tensor(tensor), factors))
  }
}

/**
 * Lets every channel of a map use the 8 bits well: one scale serves the whole map, so quiet channels are scaled up by
 * the layer that makes them and down again by the layers that read them. ReLU, LeakyReLU, pools and zero pads commute
 * with that, and a depthwise reader undoes it for free by its per-channel weight scale; for other readers the share is
 * chosen for the least expected error. (Cross-layer equalization, Nagel et al. 2019, with measured ranges.)
 */
export function equalizeChannels(graph: Graph): Graph {
  const draft = new GraphDraft(graph)
  for (const { output } of graph.nodes) {
    const producer = asLayer(draft.producer(output))
    if (!producer || !HOMOGENEOUS.includes(producer.op.activation.fn) || !draft.tensor(output).range) continue
    const readers = readersOf(draft, output)
    if (readers && readers.layers.length > 0) equalize(draft, producer, readers.layers, readers.pads)
  }
  return draft.finish()
}

import { BridgeError } from '../../foundation/errors.js'
import { GraphDraft } from '../../ir/draft.js'
import type { Graph, Node, TensorRange } from '../../ir/graph.js'
import { writeOnnx } from '../../onnx/writer.js'
import { createReference } from '../../reference/reference.js'
import { elementCount, type PlanarPicture, type Shape } from '../../tensor/tensor.js'
import { mapShape } from '../maps.js'
import type { PassContext, RangeMethod } from '../options.js'
import { Histogram } from './histogram.js'

/** Collects the range of each channel over pictures, and the counts of its values for the method `mse`. */
export class RangeMeter {
  #pictures = 0
  readonly #min: Float64Array
  readonly #max: Float64Array
  readonly #sum: Float64Array
  readonly #squares: Float64Array
  readonly #histograms: readonly Histogram[]
  readonly #plane: number

  /** @param shape - [1, C, H, W] */
  constructor(shape: Shape, method: RangeMethod) {
    const channels = shape[1]!
    this.#min = new Float64Array(channels).fill(Number.POSITIVE_INFINITY)
    this.#max = new Float64Array(channels).fill(Number.NEGATIVE_INFINITY)
    this.#sum = new Float64Array(channels)
    this.#squares = new Float64Array(channels)
    this.#histograms = method === 'mse' ? Array.from({ length: channels }, () => new Histogram()) : []
    this.#plane = elementCount(shape.slice(2))
  }

  /** Adds the elements of one picture. */
  add(values: Float32Array): void {
    this.#pictures++
    for (let c = 0, i = 0; c < this.#sum.length; c++) {
      let min = this.#min[c]!
      let max = this.#max[c]!
      let sum = 0
      let squares = 0
      for (const end = i + this.#plane; i < end; i++) {
        const value = values[i]!
        if (value < min) min = value
        if (value > max) max = value
        sum += value
        squares += value * value
      }
      this.#histograms[c]?.add(values, i - this.#plane, i)
      this.#min[c] = min
      this.#max[c] = max
      this.#sum[c]! += sum
      this.#squares[c]! += squares
    }
  }

  /** What was seen. */
  range(): TensorRange {
    const count = this.#pictures * this.#plane
    const channels = Array.from(this.#sum, (sum, c) => ({
      min: this.#min[c]!,
      max: this.#max[c]!,
      mean: sum / count,
      power: this.#squares[c]! / count,
      seen: this.#histograms[c],
    }))
    return { min: Math.min(...this.#min), max: Math.max(...this.#max), channels }
  }
}

/** Ending of the tensor that shows a mean-pooled layer before its pool. */
const UNPOOLED = '@unpooled'

const isMeanPooled = ({ op }: Node): boolean => op.kind === 'kpuConv2d' && op.pool.startsWith('mean')

/**
 * Every tensor that gets its own range: results of KPU layers. A mean pool is taken over codes that are already
 * clamped, so its layer needs the range before the pool; maximum and pick do not.
 */
function probes(graph: Graph): { graph: Graph; tensors: ReadonlyMap<string, string> } {
  const draft = new GraphDraft(graph)
  const tensors = new Map<string, string>()
  for (const node of graph.nodes) {
    const { op } = node
    if (op.kind !== 'kpuConv2d') continue
    if (!isMeanPooled(node)) tensors.set(node.output, node.output)
    else {
      const output = draft.fresh(node.output + UNPOOLED)
      draft.add({ ...node, op: { ...op, pool: 'none' }, output })
      tensors.set(node.output, output)
    }
  }
  draft.setOutputs([...new Set([...graph.outputs, ...tensors.values()])])
  return { graph: draft.finish(), tensors }
}

/** Pixels as float32. @throws BridgeError `COMPILE_CALIBRATION` when the picture has another size */
export function pictureFloats(graph: Graph, picture: PlanarPicture): Float32Array {
  const { channels, height, width } = mapShape(graph, graph.inputs[0]!)
  if (picture.channels === channels && picture.height === height && picture.width === width) {
    return Float32Array.from(picture.data)
  }
  throw new BridgeError('COMPILE_CALIBRATION', {
    what: `a picture of ${picture.channels}x${picture.height}x${picture.width} was given; the network takes ${channels}x${height}x${width}`,
    fix: 'Scale the calibration pictures to the size of the network.',
  })
}

function withRanges(graph: Graph, meters: ReadonlyMap<string, RangeMeter>): Graph {
  const tensors = new Map(graph.tensors)
  for (const [name, meter] of meters) tensors.set(name, { ...tensors.get(name)!, range: meter.range() })
  // a pad adds the padding value only: it keeps the range of what it pads
  for (const node of graph.nodes) {
    if (node.op.kind !== 'pad') continue
    tensors.set(node.output, { ...tensors.get(node.output)!, range: tensors.get(node.inputs[0]!)?.range })
  }
  return { ...graph, tensors }
}

/**
 * Runs the network on the calibration pictures in float and notes the range of every layer's result. The graph is
 * written as ONNX for that, so that networks from every front end are calibrated alike.
 * @throws BridgeError `COMPILE_CALIBRATION` without pictures or with pictures of a wrong size
 */
export async function calibrate(graph: Graph, context: PassContext): Promise<Graph> {
  const probe = probes(graph)
  const input = graph.inputs[0]!
  const wanted = [...new Set(probe.tensors.values())]
  const reference = await createReference(writeOnnx(probe.graph, { outputs: wanted }))
  const { method } = context.options
  const meterOf = (name: string) => new RangeMeter(probe.graph.tensors.get(name)!.shape, method)
  const meters = new Map([...probe.tensors].map(([name, seen]) => [name, meterOf(seen)]))
  meters.set(input, new RangeMeter(graph.tensors.get(input)!.shape, 'minmax'))
  let pictures = 0
  try {
    for await (const picture of context.calibration) {
      context.signal?.throwIfAborted()
      const pixels = pictureFloats(graph, picture)
      const results = await reference.run({ [input]: pixels }, wanted)
      meters.get(input)!.add(pixels)
      for (const [name, seen] of probe.tensors) meters.get(name)!.add(results[seen]!)
      pictures += 1
      context.onProgress?.({ stage: 'calibrate', done: pictures, total: 0, unit: 'pictures' })
    }
  } finally {
    await reference.dispose()
  }
  if (pictures > 0) return withRanges(graph, meters)
  throw new BridgeError('COMPILE_CALIBRATION', {
    what: 'no calibration picture was given',
    fix: 'Give some pictures of the kind that the camera will see, for example --calibration DIR.',
  })
}

import { BridgeError } from '../../foundation/errors.js'
import { GraphDraft } from '../../ir/draft.js'
import type { Graph, Node, TensorRange } from '../../ir/graph.js'
import { writeOnnx } from '../../onnx/writer.js'
import { createReference } from '../../reference/reference.js'
import { elementCount, type PlanarPicture, type Shape } from '../../tensor/tensor.js'
import { mapShape } from '../maps.js'
import type { PassContext } from '../options.js'

/** Collects minimum, maximum and channel means over pictures. */
export class RangeMeter {
  #min = Number.POSITIVE_INFINITY
  #max = Number.NEGATIVE_INFINITY
  #pictures = 0
  readonly #sums: Float64Array
  readonly #plane: number

  /** @param shape - [1, C, H, W] */
  constructor(shape: Shape) {
    this.#sums = new Float64Array(shape[1]!)
    this.#plane = elementCount(shape.slice(2))
  }

  /** Adds the elements of one picture. */
  add(values: Float32Array): void {
    this.#pictures++
    let min = this.#min
    let max = this.#max
    for (let c = 0, i = 0; c < this.#sums.length; c++) {
      let sum = 0
      for (const end = i + this.#plane; i < end; i++) {
        const value = values[i]!
        if (value < min) min = value
        if (value > max) max = value
        sum += value
      }
      this.#sums[c]! += sum
    }
    this.#min = min
    this.#max = max
  }

  /** What was seen. */
  range(): TensorRange {
    const count = this.#pictures * this.#plane
    return { min: this.#min, max: this.#max, channelMeans: Array.from(this.#sums, (sum) => sum / count) }
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
  const meters = new Map(
    [...probe.tensors.keys(), input].map((name) => [name, new RangeMeter(graph.tensors.get(name)!.shape)]),
  )
  for (const [name, seen] of probe.tensors)
    if (name !== seen) meters.set(name, new RangeMeter(probe.graph.tensors.get(seen)!.shape))
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

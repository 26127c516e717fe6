import { BridgeError, isBridgeError } from '../../foundation/errors.js'
import { floatsOf, type Graph, type Node, type Tensor, type TensorRange } from '../../ir/graph.js'
import type { KpuConv2dOp, Op } from '../../ir/op.js'
import type { QuantParams } from '../../tensor/tensor.js'
import type { PassContext } from '../options.js'
import { quantizeLayer } from './layer.js'

/** Narrower ranges are widened to this: a dead layer must not divide by zero. */
const SMALLEST_RANGE = 1e-6

/** Asymmetric uint8 that covers [min, max] and holds 0 exactly. Source: kpu.md section 10. */
export function quantFor({ min, max }: Pick<TensorRange, 'min' | 'max'>): QuantParams {
  const low = Math.min(0, min)
  const high = Math.max(0, max)
  const width = high - low < SMALLEST_RANGE ? 1 : high - low
  // the card holds float32: take the scale that everybody will read
  const scale = Math.fround(width / 255)
  return { scale, zeroPoint: Math.min(255, Math.max(0, Math.round(-low / scale))) }
}

/** Pixels go in as they are. */
const PIXELS: QuantParams = { scale: 1, zeroPoint: 0 }

function rangeOf(tensor: Tensor): TensorRange {
  if (tensor.range && Number.isFinite(tensor.range.min) && Number.isFinite(tensor.range.max)) return tensor.range
  throw new BridgeError('COMPILE_CALIBRATION', {
    what: `${tensor.name} has no finite values on the calibration pictures`,
    where: { tensor: tensor.name },
    fix: 'Check mean and std, and that the network gives finite results in float.',
  })
}

function quantizeConv(graph: Graph, tensors: Map<string, Tensor>, node: Node, op: KpuConv2dOp): Op {
  const input = tensors.get(node.inputs[0]!)!
  const output = tensors.get(node.output)!
  const quant = quantFor(rangeOf(output))
  tensors.set(node.output, { ...output, quant, type: 'uint8' })
  try {
    const code = quantizeLayer({
      op,
      weights: floatsOf(graph, node.inputs[1]!),
      outputs: output.shape[1]!,
      bias: node.inputs[2] === undefined ? undefined : floatsOf(graph, node.inputs[2]),
      input: input.quant!,
      output: quant,
      inputMeans: rangeOf(input).channels.map((channel) => channel.mean),
    })
    return { ...op, code }
  } catch (error) {
    if (!isBridgeError(error)) throw error
    throw new BridgeError(error.code, { ...error, where: { ...error.where, node: node.name } })
  }
}

/** Gives every map uint8 codes by its calibrated range and every KPU layer its registers and tables. */
export function quantize(graph: Graph, _context: PassContext): Graph {
  const tensors = new Map(graph.tensors)
  for (const input of graph.inputs) tensors.set(input, { ...tensors.get(input)!, quant: PIXELS, type: 'uint8' })
  const nodes = graph.nodes.map((node) => {
    if (node.op.kind === 'kpuConv2d') return { ...node, op: quantizeConv(graph, tensors, node, node.op) }
    const { quant } = tensors.get(node.inputs[0]!)!
    tensors.set(node.output, { ...tensors.get(node.output)!, quant, type: 'uint8' })
    return node
  })
  return { ...graph, tensors, nodes }
}

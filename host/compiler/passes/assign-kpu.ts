import { BridgeError } from '../../foundation/errors.js'
import { GraphDraft } from '../../ir/draft.js'
import type { Graph, Node } from '../../ir/graph.js'
import type { Conv2dOp, KpuConv2dOp } from '../../ir/op.js'
import { type LayerPlan, layerFields } from '../../kpu/layer-fields.js'
import { checkLimits } from '../../kpu/limits.js'
import { POOL_IDS } from '../../kpu/pool.js'
import { rowLayout } from '../../kpu/row-layout.js'
import { mapShape } from '../maps.js'

/** Activations that the 16-segment table holds exactly. */
const EXACT: readonly string[] = ['none', 'relu', 'clip', 'leakyRelu']

/** Why a convolution is no KPU layer, or the layer it is. */
export type KpuVerdict = { readonly layer: KpuConv2dOp } | { readonly reason: string }

function geometryFault(op: Conv2dOp, depthwise: boolean): string | undefined {
  const { kernel, stride, dilation, pads, groups, activation } = op
  if (kernel.h !== kernel.w || (kernel.h !== 1 && kernel.h !== 3)) {
    return `its kernel is ${kernel.h}x${kernel.w}; the KPU has 1x1 and 3x3`
  }
  if (dilation.h !== 1 || dilation.w !== 1) return `its dilation is ${dilation.h}x${dilation.w}; the KPU has none`
  if (stride.h !== 1 || stride.w !== 1) return `its stride is ${stride.h}x${stride.w}`
  const same = (kernel.h - 1) / 2
  if (Object.values(pads).some((count) => count !== same)) return `its padding is [${Object.values(pads)}]`
  if (groups !== 1 && !depthwise) return `it has ${groups} groups; the KPU has full and depthwise convolutions`
  if (depthwise && op.pool !== 'none') return 'depthwise layers cannot pool'
  if (!EXACT.includes(activation.fn)) return `its activation ${activation.fn} is not mapped to the KPU yet`
  if (activation.fn === 'leakyRelu' && activation.slope < 0) return 'a negative slope cannot be in the activation table'
  return undefined
}

/** Judges one convolution by kpu.md section 8. */
export function judgeConv(graph: Graph, node: Node, op: Conv2dOp): KpuVerdict {
  const input = mapShape(graph, node.inputs[0]!)
  const outChannels = graph.tensors.get(node.inputs[1]!)!.shape[0]!
  const depthwise = op.groups > 1 && op.groups === input.channels && op.groups === outChannels
  const fault = geometryFault(op, depthwise)
  if (fault) return { reason: fault }
  const kernel = op.kernel.h === 3 ? 3 : 1
  const plan: LayerPlan = {
    in: input,
    outChannels,
    kernel,
    depthwise,
    pool: POOL_IDS[op.pool],
    srcRow: 0,
    dstRow: rowLayout(input).rows,
  }
  const violations = checkLimits(layerFields(plan))
  if (violations.length > 0) return { reason: violations.map((violation) => violation.what).join('; ') }
  const { padValue, activation, pool } = op
  return { layer: { kind: 'kpuConv2d', kernel, depthwise, padValue, activation, pool } }
}

const FIXES =
  'Change the network there, choose another input size, or end before these nodes with --outputs. ' +
  'Sizes must be 4 to 512 wide and 4 to 256 high, channels at most 1024.'

/**
 * Makes KPU layers of convolutions. What is left must run on the CPU; so far only `pad` can.
 * @throws BridgeError `COMPILE_UNSUPPORTED` naming every node that has no place, with the reason
 */
export function assignKpu(graph: Graph): Graph {
  const draft = new GraphDraft(graph)
  const faults: { node: string; text: string }[] = []
  for (const node of graph.nodes) {
    if (node.op.kind === 'pad') continue
    const verdict: KpuVerdict =
      node.op.kind === 'conv2d'
        ? judgeConv(graph, node, node.op)
        : { reason: `${node.op.kind} has no kmodel layer in this compiler yet` }
    if ('layer' in verdict) draft.replace(node, { op: verdict.layer })
    else faults.push({ node: node.name, text: `${node.name} (${node.op.kind}): ${verdict.reason}` })
  }
  if (faults.length === 0) return draft.finish()
  throw new BridgeError('COMPILE_UNSUPPORTED', {
    what: `${faults.length} nodes cannot be compiled: ${faults.map((fault) => fault.text).join('; ')}`,
    where: { model: graph.name, nodes: faults.map((fault) => fault.node).join(',') },
    fix: FIXES,
  })
}

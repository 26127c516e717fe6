import { GraphDraft } from '../../ir/draft.js'
import type { Graph, Node } from '../../ir/graph.js'
import { type Conv2dOp, evenPads, type Pads, square } from '../../ir/op.js'

/** One axis of a convolution, from what is wanted to what the KPU does. */
interface AxisPlan {
  /** Pixels added to the input before and after. */
  readonly before: number
  readonly after: number
  /** Pixels taken off the result after its stride. */
  readonly cropBefore: number
  readonly cropAfter: number
}

/**
 * The KPU computes every pixel with `same` pixels of padding on both sides and then keeps every `stride`-th from 0.
 * Output y of the wanted convolution is centred at y * stride - before + same of the input.
 * @param size - input pixels
 * @param pads - wanted padding before and after
 * @param same - the KPU's own padding: 1 for 3x3, 0 for 1x1
 */
export function planAxis(size: number, pads: readonly [number, number], same: number, stride: number): AxisPlan {
  const outputs = Math.floor((size + pads[0] + pads[1] - (2 * same + 1)) / stride) + 1
  const offset = pads[0] - same
  // a centre that does not fall on the kept pixels: pad up to the next one and drop the extra results
  const skipped = offset < 0 ? Math.ceil(-offset / stride) : 0
  const before = offset < 0 ? (stride === 1 ? 0 : skipped * stride + offset) : offset
  const needed = outputs + skipped
  // the last window may reach `same` pixels beyond: the KPU adds those itself
  const after = Math.max(0, (needed - 1) * stride + 1 - (size + before))
  const made = Math.ceil((size + before + after) / stride)
  return { before, after, cropBefore: skipped, cropAfter: made - needed }
}

/** Geometry that one KPU layer (with explicit pads around it) can stand for. */
function isPlaceable(op: Conv2dOp): boolean {
  const { kernel, stride, dilation } = op
  return (
    kernel.h === kernel.w &&
    (kernel.h === 1 || kernel.h === 3) &&
    stride.h === stride.w &&
    (stride.h === 1 || stride.h === 2 || stride.h === 4) &&
    dilation.h === 1 &&
    dilation.w === 1
  )
}

const isSame = (pads: Pads, same: number): boolean => Object.values(pads).every((count) => count === same)

function addPad(draft: GraphDraft, x: string, name: string, rows: AxisPlan, columns: AxisPlan, value: number): string {
  if (rows.before + rows.after + columns.before + columns.after === 0) return x
  const before = [0, 0, rows.before, columns.before]
  return draft.add({
    name: draft.fresh(`${name}.pad`),
    op: { kind: 'pad', before, after: [0, 0, rows.after, columns.after], value },
    inputs: [x],
  })
}

/** Makes `output` from `x` by cropping; `undefined` when there is nothing to crop. */
function cropOp(rows: AxisPlan, columns: AxisPlan) {
  const before = [0, 0, -rows.cropBefore, -columns.cropBefore]
  const after = [0, 0, -rows.cropAfter, -columns.cropAfter]
  return [...before, ...after].every((count) => count === 0)
    ? undefined
    : ({ kind: 'pad', before, after, value: 0 } as const)
}

function place(draft: GraphDraft, node: Node, op: Conv2dOp): void {
  const same = (op.kernel.h - 1) / 2
  const stride = op.stride.h
  const [, , height, width] = draft.shape(node.inputs[0]!)
  const rows = planAxis(height!, [op.pads.top, op.pads.bottom], same, stride)
  const columns = planAxis(width!, [op.pads.left, op.pads.right], same, stride)
  const x = addPad(draft, node.inputs[0]!, node.name, rows, columns, op.padValue)
  const crop = cropOp(rows, columns)
  const stages = [
    { name: node.name, op: { ...op, stride: square(1), pads: evenPads(same) } },
    ...(stride === 1 ? [] : [{ name: `${node.name}.pick`, op: { kind: 'pick', stride } as const }]),
    ...(crop ? [{ name: `${node.name}.crop`, op: crop }] : []),
  ]
  draft.remove(node)
  let from = [x, ...node.inputs.slice(1)]
  for (const [i, stage] of stages.entries()) {
    const output = i === stages.length - 1 ? node.output : draft.fresh(`${node.output}.${i === 0 ? 'full' : 'picked'}`)
    from = [draft.add({ ...stage, inputs: from, output })]
  }
}

/**
 * Gives every 3x3 and 1x1 convolution stride 1 and the KPU's padding: a stride becomes a pick of every n-th pixel,
 * other padding an explicit `pad` before, missing padding a crop (a `pad` of negative size) behind.
 */
export function placePads(graph: Graph): Graph {
  const draft = new GraphDraft(graph)
  for (const { output } of graph.nodes) {
    const node = draft.producer(output)
    if (node?.op.kind !== 'conv2d' || !isPlaceable(node.op) || node.op.pool !== 'none') continue
    const same = (node.op.kernel.h - 1) / 2
    if (node.op.stride.h === 1 && isSame(node.op.pads, same)) continue
    place(draft, node, node.op)
  }
  return draft.finish()
}

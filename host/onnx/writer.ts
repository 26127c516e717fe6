import { BridgeError } from '../foundation/errors.js'
import { unreachable } from '../foundation/unreachable.js'
import { type Graph, type Node, tensorOf } from '../ir/graph.js'
import type { Activation, Conv2dOp, FusedPool, KpuConv2dOp, Op, Pads, Pair, Pool2dOp } from '../ir/op.js'
import { evenPads, NO_PADS, square } from '../ir/op.js'
import type { Shape } from '../tensor/tensor.js'
import { ELEMENT, ModelType } from './schema.js'
import { constantTensor, Sheet } from './sheet.js'

/** Opset and IR version of written files: old enough for every reader, new enough for Clip and Slice with inputs. */
const OPSET = 13
const IR_VERSION = 7

const pairList = ({ h, w }: Pair): number[] => [h, w]
const padList = (p: Pads): number[] => [p.top, p.left, p.bottom, p.right]
const hasPads = (p: Pads): boolean => padList(p).some((count) => count !== 0)

function writeActivation(sheet: Sheet, activation: Activation, x: string, output: string): void {
  switch (activation.fn) {
    case 'none':
      sheet.emit('Identity', [x], output)
      return
    case 'relu':
      sheet.emit('Relu', [x], output)
      return
    case 'clip': {
      // an infinite bound is written as an absent input
      const bound = (value: number) => (Number.isFinite(value) ? sheet.floats(output, [value]) : '')
      sheet.emit('Clip', [x, bound(activation.min), bound(activation.max)], output)
      return
    }
    case 'leakyRelu':
      sheet.emit('LeakyRelu', [x], output, { alpha: { float: activation.slope } })
      return
    case 'sigmoid':
      sheet.emit('Sigmoid', [x], output)
      return
    case 'tanh':
      sheet.emit('Tanh', [x], output)
      return
    case 'hardSigmoid':
      sheet.emit('HardSigmoid', [x], output, { alpha: { float: activation.alpha }, beta: { float: activation.beta } })
      return
    case 'hardSwish': {
      // HardSwish itself needs opset 14
      const gate = sheet.fresh(output)
      sheet.emit('HardSigmoid', [x], gate, { alpha: { float: 1 / 6 }, beta: { float: 0.5 } })
      sheet.emit('Mul', [x, gate], output)
      return
    }
    default:
      unreachable(activation)
  }
}

function writePick(sheet: Sheet, x: string, output: string, stride: number, begin: Pair): void {
  const constants = [
    [begin.h, begin.w],
    [2147483647, 2147483647],
    [2, 3],
    [stride, stride],
  ].map((values) => sheet.ints(output, values))
  sheet.emit('Slice', [x, ...constants], output)
}

/** A left-top pool drops what is left over at the right and bottom edge; a pick does not. */
function cropToMultiple(sheet: Sheet, x: string, output: string, shape: Shape, stride: number): string {
  const size = [shape[2]!, shape[3]!]
  const kept = size.map((n) => Math.floor(n / stride) * stride)
  if (kept.join() === size.join()) return x
  const constants = [[0, 0], kept, [2, 3]].map((values) => sheet.ints(output, values))
  return sheet.emit('Slice', [x, ...constants], sheet.fresh(output))
}

function writeFusedPool(sheet: Sheet, pool: FusedPool, x: string, output: string, shape: Shape): void {
  const window = (opType: string, size: number, stride: number, pads: Pads) =>
    sheet.emit(opType, [x], output, {
      kernel_shape: [size, size],
      strides: [stride, stride],
      pads: padList(pads),
    })
  const end: Pads = { top: 0, left: 0, bottom: 1, right: 1 }
  switch (pool) {
    case 'none':
      sheet.emit('Identity', [x], output)
      return
    case 'max2s2':
      window('MaxPool', 2, 2, NO_PADS)
      return
    case 'max4s4':
      window('MaxPool', 4, 4, NO_PADS)
      return
    case 'max2s1':
      window('MaxPool', 2, 1, end)
      return
    case 'mean2s2':
      window('AveragePool', 2, 2, NO_PADS)
      return
    case 'mean4s4':
      window('AveragePool', 4, 4, NO_PADS)
      return
    case 'mean2s1': {
      const padded = sheet.emit('Pad', [x, sheet.ints(output, [0, 0, 0, 0, 0, 0, 1, 1])], sheet.fresh(output), {
        mode: 'edge',
      })
      sheet.emit('AveragePool', [padded], output, { kernel_shape: [2, 2], strides: [1, 1] })
      return
    }
    case 'leftTop2s2':
    case 'leftTop4s4':
    case 'rightTop2s2': {
      const stride = pool === 'leftTop4s4' ? 4 : 2
      const whole = cropToMultiple(sheet, x, output, shape, stride)
      writePick(sheet, whole, output, stride, { h: 0, w: pool === 'rightTop2s2' ? 1 : 0 })
      return
    }
    default:
      unreachable(pool)
  }
}

/** Same-size convolution that a KPU layer is, as a `conv2d`. */
function asConv2d(op: KpuConv2dOp, channels: number): Conv2dOp {
  return {
    kind: 'conv2d',
    kernel: square(op.kernel),
    stride: square(1),
    dilation: square(1),
    pads: op.kernel === 3 ? evenPads(1) : NO_PADS,
    padValue: op.padValue,
    groups: op.depthwise ? channels : 1,
    activation: op.activation,
    pool: op.pool,
  }
}

function writeConv(sheet: Sheet, graph: Graph, node: Node, op: Conv2dOp): void {
  const explicitPad = op.padValue !== 0 && hasPads(op.pads)
  const [x, ...constants] = node.inputs
  const source = explicitPad ? writeValuePad(sheet, x!, node.output, op) : x!
  const stages: ((from: string, to: string) => void)[] = [
    (from, to) =>
      sheet.emit('Conv', [from, ...constants], to, {
        kernel_shape: pairList(op.kernel),
        strides: pairList(op.stride),
        dilations: pairList(op.dilation),
        pads: padList(explicitPad ? NO_PADS : op.pads),
        group: op.groups,
      }),
  ]
  if (op.activation.fn !== 'none') stages.push((from, to) => writeActivation(sheet, op.activation, from, to))
  const x4 = tensorOf(graph, x!).shape
  const unpooled = op.pads.top === 0 && op.kernel.h === 1 ? x4 : samePadShape(x4, op)
  if (op.pool !== 'none') stages.push((from, to) => writeFusedPool(sheet, op.pool, from, to, unpooled))
  let from = source
  for (const [i, stage] of stages.entries()) {
    const to = i === stages.length - 1 ? node.output : sheet.fresh(node.output)
    stage(from, to)
    from = to
  }
}

function samePadShape(x: Shape, op: Conv2dOp): Shape {
  const size = (n: number, before: number, after: number, kernel: number, stride: number, dilation: number) =>
    Math.floor((n + before + after - dilation * (kernel - 1) - 1) / stride) + 1
  return [
    x[0]!,
    x[1]!,
    size(x[2]!, op.pads.top, op.pads.bottom, op.kernel.h, op.stride.h, op.dilation.h),
    size(x[3]!, op.pads.left, op.pads.right, op.kernel.w, op.stride.w, op.dilation.w),
  ]
}

function writeValuePad(sheet: Sheet, x: string, output: string, op: Conv2dOp): string {
  const { top, left, bottom, right } = op.pads
  const pads = sheet.ints(output, [0, 0, top, left, 0, 0, bottom, right])
  return sheet.emit('Pad', [x, pads, sheet.floats(output, [op.padValue])], sheet.fresh(output), { mode: 'constant' })
}

function writePool(sheet: Sheet, node: Node, op: Pool2dOp): void {
  const common = {
    kernel_shape: pairList(op.kernel),
    strides: pairList(op.stride),
    pads: padList(op.pads),
    ceil_mode: op.ceil ? 1 : 0,
  }
  if (op.mode === 'max') sheet.emit('MaxPool', node.inputs, node.output, common)
  else {
    sheet.emit('AveragePool', node.inputs, node.output, { ...common, count_include_pad: op.countPads ? 1 : 0 })
  }
}

const BINARY = { add: 'Add', sub: 'Sub', mul: 'Mul', div: 'Div', min: 'Min', max: 'Max', pow: 'Pow' } as const
const UNARY = {
  exp: 'Exp',
  log: 'Log',
  sqrt: 'Sqrt',
  neg: 'Neg',
  abs: 'Abs',
  floor: 'Floor',
  ceil: 'Ceil',
  reciprocal: 'Reciprocal',
} as const
const REDUCE = { mean: 'ReduceMean', max: 'ReduceMax', min: 'ReduceMin', sum: 'ReduceSum' } as const

function writeReduce(sheet: Sheet, node: Node, op: Extract<Op, { kind: 'reduce' }>): void {
  const keepdims = op.keepDims ? 1 : 0
  // opset 13 moved the axes of ReduceSum, and only of it, to an input
  if (op.fn === 'sum')
    sheet.emit('ReduceSum', [...node.inputs, sheet.ints(node.output, op.axes)], node.output, { keepdims })
  else sheet.emit(REDUCE[op.fn], node.inputs, node.output, { axes: op.axes, keepdims })
}

function writeResize(sheet: Sheet, graph: Graph, node: Node, op: Extract<Op, { kind: 'resize' }>): void {
  const shape = tensorOf(graph, node.output).shape
  const linear = op.mode === 'bilinear'
  sheet.emit('Resize', [node.inputs[0]!, '', '', sheet.ints(node.output, shape)], node.output, {
    mode: linear ? 'linear' : 'nearest',
    coordinate_transformation_mode: linear ? 'half_pixel' : 'asymmetric',
    ...(linear ? {} : { nearest_mode: 'floor' }),
  })
}

function writeNode(sheet: Sheet, graph: Graph, node: Node): void {
  const { op, inputs, output } = node
  switch (op.kind) {
    case 'conv2d':
      writeConv(sheet, graph, node, op)
      return
    case 'kpuConv2d':
      writeConv(sheet, graph, node, asConv2d(op, tensorOf(graph, inputs[0]!).shape[1]!))
      return
    case 'pool2d':
      writePool(sheet, node, op)
      return
    case 'kpuUpload':
    case 'kpuDownload':
      sheet.emit('Identity', inputs, output)
      return
    case 'batchNorm':
      sheet.emit('BatchNormalization', inputs, output, { epsilon: { float: op.epsilon } })
      return
    case 'pick':
      writePick(sheet, inputs[0]!, output, op.stride, { h: 0, w: 0 })
      return
    case 'globalPool':
      sheet.emit(op.mode === 'max' ? 'GlobalMaxPool' : 'GlobalAveragePool', inputs, output)
      return
    case 'activation':
      writeActivation(sheet, op.activation, inputs[0]!, output)
      return
    case 'prelu':
      sheet.emit('PRelu', inputs, output)
      return
    case 'binary':
      sheet.emit(BINARY[op.fn], inputs, output)
      return
    case 'unary':
      sheet.emit(UNARY[op.fn], inputs, output)
      return
    case 'concat':
      sheet.emit('Concat', inputs, output, { axis: op.axis })
      return
    case 'transpose':
      sheet.emit('Transpose', inputs, output, { perm: op.perm })
      return
    case 'reshape':
      sheet.emit('Reshape', [inputs[0]!, sheet.ints(output, op.shape)], output)
      return
    case 'slice': {
      const axes = op.begin.map((_, axis) => axis)
      const constants = [op.begin, op.end, axes, op.step].map((values) => sheet.ints(output, values))
      sheet.emit('Slice', [inputs[0]!, ...constants], output)
      return
    }
    case 'pad':
      sheet.emit(
        'Pad',
        [inputs[0]!, sheet.ints(output, [...op.before, ...op.after]), sheet.floats(output, [op.value])],
        output,
        { mode: 'constant' },
      )
      return
    case 'softmax':
      sheet.emit('Softmax', inputs, output, { axis: op.axis })
      return
    case 'matmul':
      sheet.emit('MatMul', inputs, output)
      return
    case 'reduce':
      writeReduce(sheet, node, op)
      return
    case 'resize':
      writeResize(sheet, graph, node, op)
      return
    default:
      unreachable(op)
  }
}

const valueInfo = (graph: Graph, name: string) => ({
  name,
  type: {
    tensorType: {
      elemType: ELEMENT.float32,
      shape: { dim: tensorOf(graph, name).shape.map((dimValue) => ({ dimValue })) },
    },
  },
})

/** What to write; default: the graph's own outputs. */
export interface WriteOnnxOptions {
  /** Tensors to offer as outputs, in this order. */
  readonly outputs?: readonly string[]
}

/**
 * Writes a float graph as an ONNX file (opset 13): fused activations, pools and pad values become nodes of their own,
 * KPU layers plain convolutions. Tensor names are kept.
 * @throws BridgeError `IR_INVALID` when an output is no tensor of the graph
 */
export function writeOnnx(graph: Graph, options: WriteOnnxOptions = {}): Uint8Array {
  const sheet = new Sheet()
  for (const [name, tensor] of graph.tensors) {
    if (tensor.data) sheet.initializers.push(constantTensor(name, tensor.shape, tensor.data))
  }
  for (const node of graph.nodes) writeNode(sheet, graph, node)
  const message = {
    irVersion: IR_VERSION,
    producerName: 'k210-bridge',
    opsetImport: [{ domain: '', version: OPSET }],
    graph: {
      name: graph.name,
      node: sheet.nodes,
      initializer: sheet.initializers,
      input: graph.inputs.map((name) => valueInfo(graph, name)),
      output: (options.outputs ?? graph.outputs).map((name) => valueInfo(graph, name)),
    },
  }
  const fault = ModelType.verify(message)
  if (fault)
    throw new BridgeError('IR_INVALID', { what: `the ONNX writer made ${fault}`, where: { graph: graph.name } })
  return new Uint8Array(ModelType.encode(ModelType.fromObject(message)).finish())
}

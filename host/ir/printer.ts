import { elementCount } from '../tensor/tensor.js'
import type { Graph, Node, Tensor } from './graph.js'
import type { Activation, Conv2dOp, KpuConv2dOp, Op, Pads, Pair, Pool2dOp } from './op.js'

const number = (value: number): string => String(Number(value.toPrecision(6)))
const pair = ({ h, w }: Pair): string => `${h}x${w}`
const pads = (p: Pads): string => `${p.top},${p.left},${p.bottom},${p.right}`

function activation(value: Activation): string {
  const { fn, ...rest } = value
  const numbers = Object.values(rest as Record<string, number>).map(number)
  return numbers.length === 0 ? fn : `${fn}(${numbers.join(',')})`
}

/** `key=value` of what differs from the plainest form, so that small graphs print short. */
function convFields(op: Conv2dOp): string[] {
  const fields = [pair(op.kernel)]
  if (pair(op.stride) !== '1x1') fields.push(`stride=${pair(op.stride)}`)
  if (pair(op.dilation) !== '1x1') fields.push(`dilation=${pair(op.dilation)}`)
  if (pads(op.pads) !== '0,0,0,0') fields.push(`pads=${pads(op.pads)}`)
  if (op.groups !== 1) fields.push(`groups=${op.groups}`)
  return [...fields, ...layerFields(op)]
}

function layerFields(op: Conv2dOp | KpuConv2dOp): string[] {
  const fields: string[] = []
  if (op.padValue !== 0) fields.push(`padValue=${number(op.padValue)}`)
  if (op.activation.fn !== 'none') fields.push(`activation=${activation(op.activation)}`)
  if (op.pool !== 'none') fields.push(`pool=${op.pool}`)
  return fields
}

function kpuFields(op: KpuConv2dOp): string[] {
  const fields = [`${op.kernel}x${op.kernel}`]
  if (op.depthwise) fields.push('depthwise')
  fields.push(...layerFields(op))
  if (op.code) fields.push(`argX=${op.code.argX}`, `argW=${op.code.argW}`, `segments=${op.code.table.length}`)
  return fields
}

function poolFields(op: Pool2dOp): string[] {
  const fields: string[] = [op.mode, pair(op.kernel), `stride=${pair(op.stride)}`]
  if (pads(op.pads) !== '0,0,0,0') fields.push(`pads=${pads(op.pads)}`)
  if (op.ceil) fields.push('ceil')
  if (op.countPads) fields.push('countPads')
  return fields
}

function genericFields(op: Op): string[] {
  const { kind: _, ...rest } = op
  return Object.entries(rest).map(([key, value]) => {
    if (key === 'activation') return activation(value as Activation)
    if (Array.isArray(value)) return `${key}=${value.join(',')}`
    return `${key}=${typeof value === 'number' ? number(value) : value}`
  })
}

function opFields(op: Op): string[] {
  if (op.kind === 'conv2d') return convFields(op)
  if (op.kind === 'kpuConv2d') return kpuFields(op)
  if (op.kind === 'pool2d') return poolFields(op)
  return genericFields(op)
}

/** One op as text: its kind and what is special about it. */
export function printOp(op: Op): string {
  return [op.kind, ...opFields(op)].join(' ')
}

function place(tensor: Tensor): string {
  if (!tensor.place) return ''
  return tensor.place.area === 'kpu'
    ? ` @kpu:${tensor.place.row}+${tensor.place.rows}`
    : ` @main:${tensor.place.offset}+${tensor.place.bytes}`
}

function type(tensor: Tensor): string {
  const quant = tensor.quant ? ` q(${number(tensor.quant.scale)},${tensor.quant.zeroPoint})` : ''
  const name = tensor.type === 'float32' ? '' : `${tensor.type}`
  return `${name}[${tensor.shape.join(',')}]${quant}${place(tensor)}`
}

function operand(graph: Graph, name: string): string {
  const tensor = graph.tensors.get(name)
  if (!tensor?.data) return name
  const values = tensor.data
  return elementCount(tensor.shape) <= 4 ? `{${Array.from(values, number).join(',')}}` : `{${tensor.shape.join('x')}}`
}

function printNode(graph: Graph, node: Node): string {
  const output = graph.tensors.get(node.output)
  const inputs = node.inputs.map((input) => operand(graph, input)).join(', ')
  return `  ${node.output}: ${output ? type(output) : '?'} = ${printOp(node.op)} (${inputs})`
}

/** The graph as stable text, one line a node, for tests and `--dump-ir`. Constants print as shape or few values. */
export function printGraph(graph: Graph): string {
  const inputs = graph.inputs.map((name) => {
    const tensor = graph.tensors.get(name)
    return `${name}: ${tensor ? type(tensor) : '?'}`
  })
  return [
    `graph ${graph.name} (${inputs.join(', ')})`,
    ...graph.nodes.map((node) => printNode(graph, node)),
    `  return ${graph.outputs.join(', ')}`,
    '',
  ].join('\n')
}

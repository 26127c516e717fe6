import { BridgeError } from '../../foundation/errors.js'
import type { KmodelV4, KmodelV4Node, NodeOf, OpName, UnknownNode } from '../../kmodel/v4/model.js'
import type { MemoryRange, Shape4 } from '../../kmodel/v4/values.js'
import { KPU_LIMITS } from '../../kpu/limits.js'
import { downloadMap, ROW_BYTES, rowLayout, uploadMap } from '../../kpu/row-layout.js'
import type { MapShape } from '../../tensor/tensor.js'
import type { Engine, PreparedLayer } from '../layer/engine.js'
import { refuseIllegal } from '../layer/refuse.js'
import { type ModelMemory, rangeBytes, storeBytes, wantElements } from '../memory.js'
import type { LayerResult, PreparedProgram, TensorInfo } from '../program.js'
import * as floatOps from './float-ops.js'
import * as moveOps from './move-ops.js'
import * as quantizedOps from './quantized-ops.js'
import { countOf, readBytes } from './tensors.js'

type CpuOp = Exclude<OpName, 'kpuUpload' | 'kpuConv2d'>

/** Code of every CPU opcode. */
const CPU_OPS: { readonly [N in CpuOp]: (node: NodeOf<N>, memory: ModelMemory) => void } = {
  ...floatOps,
  ...moveOps,
  ...quantizedOps,
}

/** One node as a function; `result` of the last run is read only when layers are wanted. */
type Step = () => LayerResult

/** Prepares a kmodel v4 for repeated runs. @throws BridgeError `KPU_LIMIT`, `SIM_UNSUPPORTED`, `KMODEL_INVALID` */
export function prepareV4(model: KmodelV4, engine: Engine, main: Uint8Array): PreparedProgram {
  const memory: ModelMemory = { constants: model.constants, main }
  const warnings: string[] = []
  for (const { range, shape } of model.inputs) checkInput(range, shape, memory)
  for (const range of model.outputs) rangeBytes(memory, range)
  const steps = model.nodes.map((node, index) => prepareNode(node, index, engine, memory, warnings))
  return {
    inputs: model.inputs.map(
      ({ range, shape }): TensorInfo => ({ type: range.type, shape, bytes: inputBytes(range, shape) }),
    ),
    outputs: model.outputs.map((range): TensorInfo => ({ type: range.type, shape: null, bytes: range.bytes })),
    warnings,
    kinds: model.nodes.map((node) => node.op),
    feed: (index, bytes) => feedInput(model, index, bytes, engine, memory),
    step: (index) => steps[index]!(),
    output: (index) => rangeBytes(memory, model.outputs[index]!).slice(),
  }
}

const mapOf = (shape: Shape4): MapShape => ({ channels: shape[1], height: shape[2], width: shape[3] })

/** Dense bytes of an input; its range in KPU RAM is padded. */
const inputBytes = (range: MemoryRange, shape: Shape4): number =>
  range.memory === 'kpu' ? shape[0] * shape[1] * shape[2] * shape[3] : range.bytes

function checkInput(range: MemoryRange, shape: Shape4, memory: ModelMemory): void {
  const elements = countOf(shape)
  if (range.memory === 'kpu') {
    wantElements(range.start % ROW_BYTES === 0 ? 0 : -1, 0, `an input at byte ${range.start} of KPU RAM`)
    checkKpuRange(range.start / ROW_BYTES, rowLayout(mapOf(shape)).rows * shape[0])
  } else wantElements(rangeBytes(memory, range).length, elements * (range.type === 'float32' ? 4 : 1), 'an input')
}

function feedInput(model: KmodelV4, index: number, bytes: Uint8Array, engine: Engine, memory: ModelMemory): void {
  const { range, shape } = model.inputs[index]!
  if (range.memory === 'kpu') uploadBatch(engine, range.start, shape, bytes)
  else storeBytes(rangeBytes(memory, range), bytes)
}

function checkKpuRange(firstRow: number, rows: number): void {
  if (firstRow + rows <= KPU_LIMITS.ramRows) return
  throw new BridgeError('KMODEL_INVALID', {
    what: `rows ${firstRow}..${firstRow + rows - 1} lie outside of KPU RAM`,
    fix: 'The file is damaged: copy it again, or compile it again.',
  })
}

function uploadBatch(engine: Engine, start: number, shape: Shape4, dense: Uint8Array): void {
  const map = mapOf(shape)
  const { rows } = rowLayout(map)
  const size = map.channels * map.height * map.width
  const row = start / ROW_BYTES
  checkKpuRange(row, rows * shape[0])
  for (let n = 0; n < shape[0]; n++) {
    uploadMap(engine.ram, row + n * rows, dense.subarray(n * size, (n + 1) * size), map)
  }
}

function prepareNode(
  node: KmodelV4Node | UnknownNode,
  index: number,
  engine: Engine,
  memory: ModelMemory,
  warnings: string[],
): Step {
  if (node.op === 'unknown') {
    throw new BridgeError('SIM_UNSUPPORTED', {
      what: `the simulator has no code for opcode 0x${node.opcode.toString(16)}`,
      where: { node: index },
      fix: 'Compile the model again: current compilers do not emit this opcode.',
    })
  }
  if (node.op === 'kpuConv2d') return prepareConv(node, index, engine, memory, warnings)
  if (node.op === 'kpuUpload') return prepareUpload(node, engine, memory)
  const run = CPU_OPS[node.op] as (node: KmodelV4Node, memory: ModelMemory) => void // the row of this op
  return () => {
    run(node, memory)
    return { shape: null, data: () => rangeBytes(memory, node.out).slice() }
  }
}

function prepareUpload(node: NodeOf<'kpuUpload'>, engine: Engine, memory: ModelMemory): Step {
  const count = countOf(node.inShape)
  return () => {
    const dense = readBytes(memory, node.in, count).subarray(0, count)
    uploadBatch(engine, node.out.start, node.inShape, dense)
    return { shape: node.inShape, data: () => dense }
  }
}

function prepareConv(
  node: NodeOf<'kpuConv2d'>,
  index: number,
  engine: Engine,
  memory: ModelMemory,
  warnings: string[],
): Step {
  const { layer, batchNorm, activation, weights } = node.kpu
  for (const warning of refuseIllegal(layer, 8, { node: index })) warnings.push(`node ${index}: ${warning}`)
  wantElements(node.batches >= 1 && node.batches <= 1024 ? 0 : -1, 0, `a KPU layer of ${node.batches} batches`)
  const prepared = engine.prepare(layer, { batchNorm, activation, weights, weightBits: 8 })
  const map = { channels: layer.oChNum, height: layer.oColHigh, width: layer.oRowWid }
  const outRows = rowLayout(map).rows
  const inRows = rowLayout({ channels: layer.iChNum, height: layer.iColHigh, width: layer.iRowWid }).rows
  checkKpuRange(layer.imageSrcAddr, inRows * node.batches)
  checkKpuRange(layer.imageDstAddr, outRows * node.batches)
  const size = map.channels * map.height * map.width
  const download = (): Uint8Array => {
    const dense = new Uint8Array(size * node.batches)
    for (let n = 0; n < node.batches; n++) {
      dense.set(downloadMap(engine.ram, layer.imageDstAddr + n * outRows, map), n * size)
    }
    return dense
  }
  const shape = node.batches === 1 ? [map.channels, map.height, map.width] : [node.batches, ...Object.values(map)]
  return () => {
    runBatches(engine, prepared, node, inRows, outRows, index)
    if (node.mainMemOutput) storeBytes(rangeBytes(memory, node.mainMemOutput), download())
    return { shape, data: download }
  }
}

function runBatches(
  engine: Engine,
  prepared: PreparedLayer,
  node: NodeOf<'kpuConv2d'>,
  inRows: number,
  outRows: number,
  index: number,
): void {
  const { imageSrcAddr, imageDstAddr } = node.kpu.layer
  for (let n = 0; n < node.batches; n++) {
    engine.run(prepared, imageSrcAddr + n * inRows, imageDstAddr + n * outRows, { node: index })
  }
}

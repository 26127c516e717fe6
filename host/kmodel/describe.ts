import { inputUploadMs } from '../kpu/clocks.js'
import { KPU_LIMITS } from '../kpu/limits.js'
import { POOLS } from '../kpu/pool.js'
import { rowLayout } from '../kpu/row-layout.js'
import { type DataType, elementCount, type MapShape } from '../tensor/tensor.js'
import { clocksOf, type Forecast, layerForecast, macsOf, nodeForecast } from './forecast.js'
import { outputShapes } from './output-shapes.js'
import type { Kmodel } from './read.js'
import type { KmodelV3 } from './v3/model.js'
import type { KpuBlocks } from './v4/kpu-blocks.js'
import type { KmodelV4 } from './v4/model.js'

/** An input or output of a kmodel. */
export interface KmodelTensor {
  readonly type: DataType
  /** Null where neither the file nor its layers tell. */
  readonly shape: readonly number[] | null
  readonly bytes: number
  readonly memory: 'main' | 'kpu' | 'const'
}

/** One layer of a kmodel, for people. */
export interface LayerSummary {
  readonly index: number
  /** Name of its row in v3/layers.ts or v4/ops.ts. */
  readonly op: string
  readonly where: 'kpu' | 'cpu'
  /** KPU layers: what they compute, for example `3x3 3x240x320 -> 16x120x160 max_2_s2`. */
  readonly text: string
  readonly macs: number
  readonly clocks: number
  readonly weightBytes: number
  readonly predictedMs: Forecast
}

/** What is in a kmodel, its memory and how long a frame is likely to take. */
export interface KmodelSummary {
  readonly version: 3 | 4
  readonly weightBits: 8 | 16
  readonly inputs: readonly KmodelTensor[]
  readonly outputs: readonly KmodelTensor[]
  readonly layers: readonly LayerSummary[]
  readonly macs: number
  readonly memory: {
    /** Bytes of the file that belong to the model. */
    readonly modelBytes: number
    readonly mainBytes: number
    /** Rows of KPU RAM that some map occupies, of 32768. */
    readonly kpuRows: number
  }
  /** Milliseconds a frame, input upload included. Forecast, not measured. */
  readonly predictedMs: Forecast
}

/** Summary of a kmodel for `inspect` and reports. */
export function kmodelSummary(model: Kmodel): KmodelSummary {
  return model.version === 3 ? summaryV3(model) : summaryV4(model)
}

type SummaryParts = Pick<KmodelSummary, 'inputs' | 'outputs' | 'layers' | 'version' | 'weightBits'>

function complete(model: Kmodel, parts: SummaryParts, maps: RowUse): KmodelSummary {
  const sum = (pick: (layer: LayerSummary) => number): number =>
    parts.layers.reduce((total, layer) => total + pick(layer), 0)
  const shape = parts.inputs[0]?.shape
  const isMap = parts.inputs[0]?.type === 'uint8' && shape?.length === 4
  const upload = (runtime: 'vendorV4' | 'ours'): number =>
    isMap && shape ? inputUploadMs({ channels: shape[1]!, height: shape[2]!, width: shape[3]! }, runtime) : 0
  return {
    ...parts,
    macs: sum((layer) => layer.macs),
    memory: { modelBytes: model.usedBytes, mainBytes: model.mainBytes, kpuRows: maps.count() },
    predictedMs: {
      vendorV4: upload('vendorV4') + sum((layer) => layer.predictedMs.vendorV4),
      ours: upload('ours') + sum((layer) => layer.predictedMs.ours),
    },
  }
}

function summaryV4(model: KmodelV4): KmodelSummary {
  const maps = new RowUse()
  const shapes = outputShapes(model)
  const layers = model.nodes.map((node, index): LayerSummary => {
    const predictedMs = nodeForecast(node)
    if (node.op === 'kpuConv2d') return kpuLayer(index, node.op, node.kpu, node.batches, predictedMs, maps)
    return { ...cpuLayer(index, node.op), predictedMs }
  })
  const inputs = model.inputs.map(({ range, shape }) => {
    const bytes = range.memory === 'kpu' ? elementCount(shape) : range.bytes
    return { type: range.type, shape, bytes, memory: range.memory }
  })
  const outputs = model.outputs.map((range, index) => {
    return { type: range.type, shape: shapes[index] ?? null, bytes: range.bytes, memory: range.memory }
  })
  return complete(model, { version: 4, weightBits: 8, inputs, outputs, layers }, maps)
}

function summaryV3(model: KmodelV3): KmodelSummary {
  const maps = new RowUse()
  const layers = model.layers.map((layer, index): LayerSummary => {
    const predictedMs = layerForecast(layer, model.weightBits)
    if (layer.type === 'k210Conv') return kpuLayer(index, layer.type, layer.kpu, 1, predictedMs, maps)
    return { ...cpuLayer(index, layer.type), predictedMs }
  })
  const outputs = model.outputs.map(({ bytes }) => ({ type: 'float32', shape: null, bytes, memory: 'main' }) as const)
  const parts = { version: 3, weightBits: model.weightBits, inputs: inputsV3(model), outputs, layers } as const
  return complete(model, parts, maps)
}

/** The first layer tells: a KPU convolution or a dense layer. */
function inputsV3(model: KmodelV3): KmodelTensor[] {
  const first = model.layers[0]
  if (first?.type === 'k210Conv') {
    const { iChNum, iColHigh, iRowWid } = first.kpu.layer
    const shape = [1, iChNum, iColHigh, iRowWid]
    return [{ type: 'uint8', shape, bytes: elementCount(shape), memory: 'kpu' }]
  }
  if (first?.type !== 'fullyConnected') return []
  return [{ type: 'float32', shape: [1, first.inChannels], bytes: first.inChannels * 4, memory: 'main' }]
}

const cpuLayer = (index: number, op: string) =>
  ({ index, op, where: 'cpu', text: '', macs: 0, clocks: 0, weightBytes: 0 }) as const

function kpuLayer(
  index: number,
  op: string,
  kpu: KpuBlocks,
  batches: number,
  predictedMs: Forecast,
  maps: RowUse,
): LayerSummary {
  const { layer } = kpu
  const input = { channels: layer.iChNum, height: layer.iColHigh, width: layer.iRowWid }
  const output = { channels: layer.oChNum, height: layer.oColHigh, width: layer.oRowWid }
  maps.add(layer.imageSrcAddr, input, batches)
  maps.add(layer.imageDstAddr, output, batches)
  const kernel = layer.kernelType === 1 ? '3x3' : '1x1'
  const pool = POOLS[layer.poolType]?.name ?? `pool ${layer.poolType}`
  const parts = [layer.depthWiseLayer ? `depthwise ${kernel}` : kernel, sizes(input), '->', sizes(output)]
  if (layer.poolType !== 0) parts.push(pool)
  if (batches > 1) parts.push(`x${batches}`)
  return {
    index,
    op,
    where: 'kpu',
    text: parts.join(' '),
    macs: macsOf(kpu, batches),
    clocks: clocksOf(kpu, batches),
    weightBytes: kpu.weights.length,
    predictedMs,
  }
}

const sizes = (map: MapShape): string => `${map.channels}x${map.height}x${map.width}`

/** Rows of KPU RAM that some map occupies. */
class RowUse {
  private readonly used = new Uint8Array(KPU_LIMITS.ramRows)

  add(row: number, shape: MapShape, batches: number): void {
    this.used.fill(1, row, Math.min(KPU_LIMITS.ramRows, row + rowLayout(shape).rows * Math.max(0, batches)))
  }

  count(): number {
    return this.used.reduce((sum, value) => sum + value, 0)
  }
}

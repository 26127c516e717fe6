import type { MapShape } from '../tensor/tensor.js'
import type { KpuLayer } from './layer-words.js'
import { layoutOfWidth } from './row-layout.js'

/** What the time of a layer depends on. */
export interface LayerWork {
  readonly in: MapShape
  readonly outChannels: number
  readonly depthwise: boolean
  readonly weightBytes: number
}

/** The work of an encoded layer. */
export function layerWork(layer: KpuLayer, weightBits: 8 | 16 = 8): LayerWork {
  const taps = layer.kernelType === 1 ? 9 : 1
  const depthwise = layer.depthWiseLayer === 1
  return {
    in: { channels: layer.iChNum, height: layer.iColHigh, width: layer.iRowWid },
    outChannels: layer.oChNum,
    depthwise,
    weightBytes: taps * layer.oChNum * (depthwise ? 1 : layer.iChNum) * (weightBits / 8),
  }
}

/** KPU clock of the fit in timing.md. */
export const KPU_HZ = 400_000_000

/**
 * Clocks of a layer: one 64-byte row of one channel pair a clock; the kernel size does not matter.
 * Source: timing.md section 1 (fitted to published per-layer times).
 */
export function layerClocks(work: LayerWork): number {
  const { groups, rowLen } = layoutOfWidth(work.in.width)
  const pairs = work.depthwise ? work.in.channels : work.in.channels * work.outChannels
  return (pairs * work.in.height * rowLen) / groups
}

/** Constants of the layer forecast. Source: timing.md section 4. */
export const LAYER_TIME = {
  clockLoss: 1.03,
  weightBytesPerMs: 0.87e6,
  overheadMs: 0.02,
  msPerOutputChannel: 0.0035e-3,
} as const

/** Forecast of one KPU layer in milliseconds: compute or weight load, whichever is longer, and its overhead. */
export function layerMs(work: LayerWork): number {
  const compute = (LAYER_TIME.clockLoss * layerClocks(work)) / (KPU_HZ / 1000)
  const load = work.weightBytes / LAYER_TIME.weightBytesPerMs
  return Math.max(compute, load) + LAYER_TIME.overheadMs + LAYER_TIME.msPerOutputChannel * work.outChannels
}

/** Which program runs the kmodel on the chip. */
export type RuntimeName = 'vendorV4' | 'ours'

/** Cost of CPU steps, nanoseconds per the unit in the name. */
export interface RuntimeCosts {
  readonly inputUploadNsPerByteDma: number
  readonly inputUploadNsPerByte: number
  readonly downloadNsPerByte: number
  readonly uploadNsPerByte: number
  readonly dequantizeNsPerElement: number
  readonly quantizedBinaryNsPerElement: number
  /** Pad, transpose, strided slice, per byte moved. */
  readonly moveNsPerByte: number
  readonly quantizeNsPerElement: number
  readonly reduceNsPerInputElement: number
  readonly expNsPerElement: number
  readonly concatNsPerByte: number
  /** Float multiply-accumulate on the CPU. No evidence in public: estimate. */
  readonly floatMacNs: number
  readonly decodeNsPerMapByte: number
}

/** Costs by runtime. `vendorV4` rests on published figures, `ours` is an estimate until measured. Source: timing.md section 4. */
export const RUNTIME_COSTS: Readonly<Record<RuntimeName, RuntimeCosts>> = {
  vendorV4: {
    inputUploadNsPerByteDma: 0.33e6 / 230_400,
    inputUploadNsPerByte: 66,
    downloadNsPerByte: 86,
    uploadNsPerByte: 66,
    dequantizeNsPerElement: 30,
    quantizedBinaryNsPerElement: 200,
    moveNsPerByte: 120,
    quantizeNsPerElement: 120,
    reduceNsPerInputElement: 300,
    expNsPerElement: 2500,
    concatNsPerByte: 10,
    floatMacNs: 20,
    decodeNsPerMapByte: 0,
  },
  ours: {
    inputUploadNsPerByteDma: 0.33e6 / 230_400,
    inputUploadNsPerByte: 12,
    downloadNsPerByte: 12,
    uploadNsPerByte: 12,
    dequantizeNsPerElement: 10,
    quantizedBinaryNsPerElement: 15,
    moveNsPerByte: 15,
    quantizeNsPerElement: 20,
    reduceNsPerInputElement: 30,
    expNsPerElement: 400,
    concatNsPerByte: 3,
    floatMacNs: 10,
    decodeNsPerMapByte: 6,
  },
}

/** Milliseconds to bring a dense input of `shape` into KPU RAM: DMA when the width is a multiple of 64. */
export function inputUploadMs(shape: MapShape, runtime: RuntimeName): number {
  const costs = RUNTIME_COSTS[runtime]
  const bytes = shape.channels * shape.height * shape.width
  const perByte = shape.width % 64 === 0 ? costs.inputUploadNsPerByteDma : costs.inputUploadNsPerByte
  return (bytes * perByte) / 1e6
}

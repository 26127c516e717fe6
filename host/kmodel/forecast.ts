import { layerClocks, layerMs, layerWork, RUNTIME_COSTS, type RuntimeCosts, type RuntimeName } from '../kpu/clocks.js'
import { elementCount } from '../tensor/tensor.js'
import type { V3Layer, V3UnknownLayer } from './v3/model.js'
import type { KpuBlocks } from './v4/kpu-blocks.js'
import type { KmodelV4Node, UnknownNode } from './v4/model.js'
import type { MemoryRange } from './v4/values.js'

/** Milliseconds by runtime. A forecast until a board confirms it. */
export type Forecast = { readonly [R in RuntimeName]: number }

/** Same nanoseconds-to-milliseconds function for each runtime. */
function forEachRuntime(ns: (costs: RuntimeCosts) => number, baseMs = 0): Forecast {
  return { vendorV4: baseMs + ns(RUNTIME_COSTS.vendorV4) / 1e6, ours: baseMs + ns(RUNTIME_COSTS.ours) / 1e6 }
}

const elements = (range: MemoryRange): number => range.bytes / (range.type === 'float32' ? 4 : 1)

/** KPU layer, and what is copied out of KPU RAM. */
function convForecast(kpu: KpuBlocks, weightBits: 8 | 16, batches: number, copiedBytes: number): Forecast {
  const ms = layerMs(layerWork(kpu.layer, weightBits)) * batches
  return forEachRuntime((costs) => copiedBytes * costs.downloadNsPerByte, ms)
}

/** Clocks of a KPU layer at 400 MHz. */
export const clocksOf = (kpu: KpuBlocks, batches = 1): number => layerClocks(layerWork(kpu.layer)) * batches

/** Multiply-accumulates of a KPU layer: outputs before pooling times taps and channels. */
export function macsOf({ layer }: KpuBlocks, batches = 1): number {
  const taps = layer.kernelType === 1 ? 9 : 1
  const channels = layer.depthWiseLayer ? 1 : layer.iChNum
  return layer.iColHigh * layer.iRowWid * layer.oChNum * channels * taps * batches
}

/** Forecast of a v4 node by timing.md section 4; float ops without a published figure count their multiply-adds. */
export function nodeForecast(node: KmodelV4Node | UnknownNode): Forecast {
  switch (node.op) {
    case 'kpuConv2d':
      return convForecast(node.kpu, 8, node.batches, node.mainMemOutput?.bytes ?? 0)
    case 'kpuUpload':
      return forEachRuntime((costs) => node.in.bytes * costs.uploadNsPerByte)
    case 'dequantize':
      return forEachRuntime((costs) => elements(node.in) * costs.dequantizeNsPerElement)
    case 'quantize':
      return forEachRuntime((costs) => elements(node.in) * costs.quantizeNsPerElement)
    case 'binary':
    case 'quantizedBinary':
      return forEachRuntime((costs) => elements(node.out) * costs.quantizedBinaryNsPerElement)
    case 'pad':
    case 'transpose':
    case 'stridedSlice':
    case 'resizeImage':
    case 'memoryCopy':
    case 'tableLookup1d':
      return forEachRuntime((costs) => node.out.bytes * costs.moveNsPerByte)
    case 'concat':
      return forEachRuntime((costs) => node.out.bytes * costs.concatNsPerByte)
    case 'reduce':
    case 'reduceWindow2d':
      return forEachRuntime((costs) => elements(node.in) * costs.reduceNsPerInputElement)
    case 'unary':
    case 'nnilUnary':
    case 'softmax':
      return forEachRuntime((costs) => elements(node.in) * costs.expNsPerElement)
    case 'conv2d':
    case 'conv2dTranspose':
    case 'quantizedConv2d':
      return forEachRuntime(
        (costs) => (elements(node.out) * node.weights.length * costs.floatMacNs) / outChannelsOf(node),
      )
    case 'matmul':
    case 'quantizedMatmul':
      return forEachRuntime((costs) => node.aRows * node.aCols * node.bCols * costs.floatMacNs)
    case 'unknown':
      return { vendorV4: 0, ours: 0 }
  }
}

const outChannelsOf = (node: { readonly bias: Float32Array | readonly number[] }): number =>
  Math.max(1, node.bias.length)

/** Forecast of a v3 layer; its runtime streams KPU outputs by DMA, so nothing is added for them. */
export function layerForecast(layer: V3Layer | V3UnknownLayer, weightBits: 8 | 16): Forecast {
  switch (layer.type) {
    case 'k210Conv':
      return convForecast(layer.kpu, weightBits, 1, 0)
    case 'k210Upload':
      return forEachRuntime(
        (costs) => elementCount([layer.channels, layer.height, layer.width]) * costs.uploadNsPerByte,
      )
    case 'dequantize':
      return forEachRuntime((costs) => layer.count * costs.dequantizeNsPerElement)
    case 'channelwiseDequantize':
      return forEachRuntime((costs) => layer.channels * layer.channelSize * costs.dequantizeNsPerElement)
    case 'quantize':
      return forEachRuntime((costs) => layer.count * costs.quantizeNsPerElement)
    case 'add':
    case 'quantizedAdd':
      return forEachRuntime((costs) => layer.count * costs.quantizedBinaryNsPerElement)
    case 'requantize':
      return forEachRuntime((costs) => layer.count * costs.moveNsPerByte)
    case 'fullyConnected':
      return forEachRuntime((costs) => layer.weights.length * costs.floatMacNs)
    case 'softmax':
    case 'logistic':
      return forEachRuntime((costs) => layer.channels * costs.expNsPerElement)
    case 'concat':
    case 'quantizedConcat':
      return forEachRuntime(
        (costs) => layer.inputs.reduce((sum, input) => sum + input.bytes, 0) * costs.concatNsPerByte,
      )
    case 'quantizedMaxPool2d':
    case 'averagePool2d':
      return forEachRuntime(
        (costs) => elementCount([layer.inChannels, layer.inHeight, layer.inWidth]) * costs.reduceNsPerInputElement,
      )
    case 'globalAveragePool2d':
      return forEachRuntime((costs) => layer.kernelSize * layer.channels * costs.reduceNsPerInputElement)
    case 'tensorflowFlatten':
      return forEachRuntime(
        (costs) => 4 * elementCount([layer.channels, layer.height, layer.width]) * costs.moveNsPerByte,
      )
    case 'resizeNearest':
    case 'quantizedResizeNearest':
      return forEachRuntime(
        (costs) => elementCount([layer.inChannels, layer.outHeight, layer.outWidth]) * costs.moveNsPerByte,
      )
    case 'l2Normalization':
    case 'k210AddPadding':
    case 'k210RemovePadding':
      return forEachRuntime((costs) => layer.channels * costs.moveNsPerByte)
    case 'unknown':
      return { vendorV4: 0, ours: 0 }
  }
}

import { layerMs, layerWork } from '../kpu/clocks.js'
import { decodeLayer } from '../kpu/layer-words.js'
import { createKpu } from '../simulator/kpu.js'
import type { KpuUnit } from './kpu-unit.js'

const BATCH_NORM_BYTES = 8

/** The KPU by the simulator: bit-exact results at once, the chip's time by the model of host/kpu/clocks. */
export async function simulatedKpu(): Promise<KpuUnit> {
  const kpu = await createKpu()
  return {
    run({ layer: words, batchNorm, activation, weights, weightBits, ram }) {
      const layer = decodeLayer(words)
      const work = layerWork(layer, weightBits)
      if (batchNorm.length < layer.oChNum * BATCH_NORM_BYTES) throw new Error('batch-norm table is too short')
      if (weights.length < work.weightBytes) throw new Error('weights are too short')
      kpu.runLayer(ram, words, { bn: batchNorm, activation, weights, weightBits })
      return layerMs(work) * 1000
    },
  }
}

import type { MapShape } from '../tensor/tensor.js'
import type { KpuLayer } from './layer-words.js'
import { KPU_LIMITS } from './limits.js'
import { poolOutputSize } from './pool.js'
import { rowLayout } from './row-layout.js'

/** What a layer computes; everything else in its twelve words follows from this. */
export interface LayerPlan {
  readonly in: MapShape
  readonly outChannels: number
  readonly kernel: 1 | 3
  readonly depthwise?: boolean
  /** Pool id (pool.ts), default 0. */
  readonly pool?: number
  readonly weightBits?: 8 | 16
  /** KPU RAM rows of the input and output maps. */
  readonly srcRow: number
  readonly dstRow: number
  /** Code of pixels outside the image: the input's zero point. */
  readonly padValue?: number
  readonly argX?: number
  readonly shrX?: number
  readonly argW?: number
  readonly shrW?: number
  readonly argAdd?: number
  /** Stream the result to main memory (kpu_conv2d with a main-memory output). */
  readonly sendDataOut?: boolean
}

/** Shape of a layer's output after pooling. */
export function layerOutput(plan: Pick<LayerPlan, 'in' | 'outChannels' | 'pool'>): MapShape {
  const pool = plan.pool ?? 0
  return {
    channels: plan.outChannels,
    height: poolOutputSize(pool, plan.in.height),
    width: poolOutputSize(pool, plan.in.width),
  }
}

/** How the KPU loads a layer's weights. Source: kpu.md section 9. */
export interface WeightLoads {
  readonly channelsPerLoad: number
  /** Bytes of one full load. */
  readonly paraSize: number
  readonly loads: number
  /** Bytes of all weights. */
  readonly weightBytes: number
}

/** Loads for a plan; `loads` may exceed the KPU's 64 (see checkLimits). */
export function weightLoads(
  plan: Pick<LayerPlan, 'in' | 'outChannels' | 'kernel' | 'depthwise' | 'weightBits'>,
): WeightLoads {
  const bytes = (plan.weightBits ?? 8) / 8
  const taps = plan.kernel * plan.kernel
  if (plan.depthwise) {
    const weightBytes = taps * plan.outChannels * bytes
    return { channelsPerLoad: plan.outChannels, paraSize: weightBytes, loads: 1, weightBytes }
  }
  const limit = bytes === 1 ? KPU_LIMITS.weightLoadBytes8Bit : KPU_LIMITS.weightLoadBytes16Bit
  const channelBytes = taps * plan.in.channels * bytes
  const channelsPerLoad = Math.max(1, Math.min(plan.outChannels, Math.floor(limit / channelBytes)))
  return {
    channelsPerLoad,
    paraSize: channelBytes * channelsPerLoad,
    loads: Math.ceil(plan.outChannels / channelsPerLoad),
    weightBytes: channelBytes * plan.outChannels,
  }
}

/**
 * The complete register fields of a layer, by the formulas of kpu.md section 9 (they hold in all real layers).
 * Addresses of tables stay 0: containers put gaps or offsets there. Check with checkLimits before encoding.
 */
export function layerFields(plan: LayerPlan): KpuLayer {
  const out = layerOutput(plan)
  const input = rowLayout(plan.in)
  const output = rowLayout(out)
  const loads = weightLoads(plan)
  return {
    ...FIXED,
    depthWiseLayer: plan.depthwise ? 1 : 0,
    imageSrcAddr: plan.srcRow,
    imageDstAddr: plan.dstRow,
    iChNum: plan.in.channels,
    oChNum: plan.outChannels,
    oChNumCoef: loads.channelsPerLoad,
    iRowWid: plan.in.width,
    iColHigh: plan.in.height,
    oRowWid: out.width,
    oColHigh: out.height,
    kernelType: plan.kernel === 3 ? 1 : 0,
    poolType: plan.pool ?? 0,
    padValue: plan.padValue ?? 0,
    loadTime: loads.loads,
    paraSize: loads.paraSize,
    channelSwitchAddr: input.rowLen * plan.in.height,
    rowSwitchAddr: input.rowLen,
    coefGroup: input.groups,
    wbChannelSwitchAddr: output.rowLen * out.height,
    wbRowSwitchAddr: output.rowLen,
    wbGroup: output.groups,
    shrW: plan.shrW ?? 0,
    shrX: plan.shrX ?? 0,
    argW: plan.argW ?? 0,
    argX: plan.argX ?? 0,
    argAdd: plan.argAdd ?? 0,
    sendDataOut: plan.sendDataOut ? 1 : 0,
    channelByteNum: out.width * out.height,
    dmaTotalByte: out.width * out.height * out.channels,
  }
}

/** Fields with one value in every layer a compiler writes. */
const FIXED = {
  intEn: 0,
  ramFlag: 0,
  fullAdd: 0,
  padType: 0,
  firstStride: 0,
  bypassConv: 0,
  loadPara: 1,
  dmaBurstSize: 16,
  bwsxBaseAddr: 0,
  loadCoor: 1,
  paraStartAddr: 0,
  coefColumnOffset: 0,
  coefRowOffset: 0,
  coefSize: 0,
  loadAct: 1,
  activeAddr: 0,
} as const

import type { KpuLayer } from './layer-words.js'
import { poolOutputSize } from './pool.js'
import { rowLayout } from './row-layout.js'

/** K210 KPU limits. Units are in the names. Source: kpu.md section 8. */
export const KPU_LIMITS = {
  channels: { min: 1, max: 1024 },
  inputWidth: { min: 4, max: 512 },
  inputHeight: { min: 4, max: 256 },
  /** Of the map after pooling. */
  outputWidth: { min: 4, max: 512 },
  outputHeight: { min: 4, max: 256 },
  ramBytes: 2 * 1024 * 1024,
  ramRows: 32_768,
  bytesPerRow: 64,
  /** Rows of one channel group of the input (15-bit field). */
  channelSwitchRows: 32_767,
  weightLoads: 64,
  weightLoadBytes8Bit: 30 * 1024,
  weightLoadBytes16Bit: 60 * 1024,
  accumulatorBits: 36,
} as const

/** One broken limit: the register field, its value and what the KPU takes. */
export interface LimitViolation {
  readonly limit:
    | 'channels'
    | 'inputWidth'
    | 'inputHeight'
    | 'outputWidth'
    | 'outputHeight'
    | 'outputSize'
    | 'ramRows'
    | 'overlap'
    | 'weightLoads'
    | 'weightLoadBytes'
    | 'depthwise'
    | 'kernelType'
    | 'poolType'
  readonly value: number
  /** One sentence without a full stop. */
  readonly what: string
}

interface Range {
  readonly min: number
  readonly max: number
}

/** How {@link checkLimits} judges: `weightBits` 16 doubles the bytes of a weight load. */
export interface LimitOptions {
  readonly weightBits?: 8 | 16
}

/**
 * Which limits of the chip a layer breaks: its sizes, channels, weight loads, pooling and KPU RAM placement.
 * @returns an empty list when the KPU can run the layer
 * @see kpu.md section 8
 */
export function checkLimits(layer: KpuLayer, options: LimitOptions = {}): LimitViolation[] {
  const found: LimitViolation[] = []
  checkSizes(layer, found)
  checkKinds(layer, found)
  checkWeightLoads(layer, options.weightBits ?? 8, found)
  checkPlacement(layer, found)
  return found
}

function checkSizes(layer: KpuLayer, found: LimitViolation[]): void {
  const within = (limit: LimitViolation['limit'], value: number, range: Range, noun: string) => {
    if (value >= range.min && value <= range.max) return
    found.push({ limit, value, what: `${noun} is ${value}; the KPU takes ${range.min} to ${range.max}` })
  }
  within('channels', layer.iChNum, KPU_LIMITS.channels, 'input channel count')
  within('channels', layer.oChNum, KPU_LIMITS.channels, 'output channel count')
  within('inputWidth', layer.iRowWid, KPU_LIMITS.inputWidth, 'input width')
  within('inputHeight', layer.iColHigh, KPU_LIMITS.inputHeight, 'input height')
  within('outputWidth', layer.oRowWid, KPU_LIMITS.outputWidth, 'output width after pooling')
  within('outputHeight', layer.oColHigh, KPU_LIMITS.outputHeight, 'output height after pooling')
}

function checkKinds(layer: KpuLayer, found: LimitViolation[]): void {
  if (layer.kernelType > 1) {
    found.push({ limit: 'kernelType', value: layer.kernelType, what: 'kernel type is neither 0 (1x1) nor 1 (3x3)' })
  }
  if (layer.depthWiseLayer === 1 && layer.poolType !== 0) {
    found.push({ limit: 'depthwise', value: layer.poolType, what: 'depthwise layers cannot pool' })
  }
  if (layer.depthWiseLayer === 1 && layer.iChNum !== layer.oChNum) {
    found.push({ limit: 'depthwise', value: layer.oChNum, what: 'depthwise layers need equal channel counts' })
  }
  if (layer.poolType > 9) {
    found.push({ limit: 'poolType', value: layer.poolType, what: `pool type ${layer.poolType} does not exist` })
    return
  }
  const width = poolOutputSize(layer.poolType, layer.iRowWid)
  const height = poolOutputSize(layer.poolType, layer.iColHigh)
  if (width !== layer.oRowWid || height !== layer.oColHigh) {
    found.push({
      limit: 'outputSize',
      value: layer.oRowWid,
      what: `output is ${layer.oColHigh}x${layer.oRowWid}; pooling leaves ${height}x${width}`,
    })
  }
}

function checkWeightLoads(layer: KpuLayer, weightBits: 8 | 16, found: LimitViolation[]): void {
  const taps = layer.kernelType === 1 ? 9 : 1
  const limit = weightBits === 8 ? KPU_LIMITS.weightLoadBytes8Bit : KPU_LIMITS.weightLoadBytes16Bit
  const bytesPerChannel = taps * (layer.depthWiseLayer ? 1 : layer.iChNum) * (weightBits / 8)
  const channelsPerLoad = layer.depthWiseLayer ? layer.oChNum : Math.max(1, Math.floor(limit / bytesPerChannel))
  const loads = Math.ceil(layer.oChNum / channelsPerLoad)
  if (loads > KPU_LIMITS.weightLoads) {
    const what = `weights need ${loads} loads of at most ${limit} bytes; the KPU makes ${KPU_LIMITS.weightLoads}`
    found.push({ limit: 'weightLoads', value: loads, what })
  }
  if (layer.paraSize > limit) {
    const what = `one weight load is ${layer.paraSize} bytes; the KPU takes ${limit}`
    found.push({ limit: 'weightLoadBytes', value: layer.paraSize, what })
  }
}

function checkPlacement(layer: KpuLayer, found: LimitViolation[]): void {
  const input = rowLayout({ channels: layer.iChNum, height: layer.iColHigh, width: layer.iRowWid })
  const output = rowLayout({ channels: layer.oChNum, height: layer.oColHigh, width: layer.oRowWid })
  const inputEnd = layer.imageSrcAddr + input.rows
  const outputEnd = layer.imageDstAddr + output.rows
  for (const [noun, end] of [
    ['input', inputEnd],
    ['output', outputEnd],
  ] as const) {
    if (end <= KPU_LIMITS.ramRows) continue
    found.push({ limit: 'ramRows', value: end, what: `${noun} map ends at row ${end} of ${KPU_LIMITS.ramRows}` })
  }
  if (input.rowLen * layer.iColHigh > KPU_LIMITS.channelSwitchRows) {
    const value = input.rowLen * layer.iColHigh
    found.push({ limit: 'ramRows', value, what: `one channel group takes ${value} rows` })
  }
  if (layer.imageSrcAddr < outputEnd && layer.imageDstAddr < inputEnd) {
    const what = `input rows ${layer.imageSrcAddr}..${inputEnd - 1} and output rows ${layer.imageDstAddr}..${outputEnd - 1} overlap`
    found.push({ limit: 'overlap', value: layer.imageDstAddr, what })
  }
}

import { KPU_LIMITS } from '../../kpu/limits.js'
import type { Report } from './report.js'

/** Fields of the twelve words, read here bit by bit and not through the writer's table. */
export interface RawLayer {
  readonly words: readonly bigint[]
  readonly inChannels: number
  readonly outChannels: number
  readonly inHeight: number
  readonly inWidth: number
  readonly outHeight: number
  readonly outWidth: number
  readonly kernel: number
  readonly depthwise: boolean
  readonly pool: number
  readonly srcRow: number
  readonly dstRow: number
  readonly sendDataOut: boolean
}

const bits = (word: bigint, low: number, width: number): number =>
  Number((word >> BigInt(low)) & ((1n << BigInt(width)) - 1n))

/** Reads the words at `offset`. */
export function rawLayer(view: DataView, offset: number): RawLayer {
  const words = Array.from({ length: 12 }, (_, index) => view.getBigUint64(offset + index * 8, true))
  const word = (index: number): bigint => words[index]!
  return {
    words,
    inChannels: bits(word(2), 0, 10) + 1,
    outChannels: bits(word(2), 32, 10) + 1,
    inHeight: bits(word(3), 10, 9) + 1,
    inWidth: bits(word(3), 0, 10) + 1,
    outHeight: bits(word(3), 42, 9) + 1,
    outWidth: bits(word(3), 32, 10) + 1,
    kernel: bits(word(4), 0, 3) === 1 ? 3 : 1,
    depthwise: bits(word(0), 3, 1) === 1,
    pool: bits(word(4), 4, 4),
    srcRow: bits(word(1), 0, 15),
    dstRow: bits(word(1), 32, 15),
    sendDataOut: bits(word(11), 0, 1) === 1,
  }
}

/** Rows of one channel group, groups and rows of a map. Source: kpu.md section 4. */
export function mapRows(channels: number, height: number, width: number) {
  const groups = width <= 16 ? 4 : width <= 32 ? 2 : 1
  const rowLen = groups > 1 ? 1 : Math.floor((width + 63) / 64)
  return {
    groups,
    rowLen,
    groupRows: rowLen * height,
    rows: rowLen * height * Math.floor((channels + groups - 1) / groups),
  }
}

/** Bits of each word that have a meaning. Source: kpu.md section 3. */
const KNOWN_BITS: readonly bigint[] = [
  0xfn,
  0x7fff_0000_7fffn,
  0x03ff_03ff_0000_03ffn,
  0x0007_ffff_0007_ffffn,
  0xffff_ffff_ffff_07ffn,
  0xffff_ffff_ffff_807fn,
  0xffffn,
  0xffff_ffff_fff0_7fffn | 0xf_0000n,
  0x7f_7fffn,
  0x00ff_ffff_ffff_ffffn,
  0xff_ffff_ffffn,
  0xffff_ffff_ffff_0001n,
]

const POOL_STRIDE = [1, 2, 2, 4, 4, 2, 2, 4, 1, 1]

/** Register formulas, limits and placement of one layer. Source: kpu.md sections 8 and 9. */
export function checkKpuLayer(layer: RawLayer, batches: number, report: Report): void {
  layer.words.forEach((word, index) => {
    report.want((word & ~KNOWN_BITS[index]!) === 0n, 'reserved', () => `reserved bits of layer word ${index} are set`)
  })
  checkFormulas(layer, report)
  checkSizes(layer, report)
  const input = mapRows(layer.inChannels, layer.inHeight, layer.inWidth)
  const output = mapRows(layer.outChannels, layer.outHeight, layer.outWidth)
  const apart =
    layer.srcRow + input.rows * batches <= layer.dstRow || layer.dstRow + output.rows * batches <= layer.srcRow
  report.want(apart, 'overlap', () => `input at row ${layer.srcRow} and output at row ${layer.dstRow} overlap`)
}

function checkFormulas(layer: RawLayer, report: Report): void {
  const input = mapRows(layer.inChannels, layer.inHeight, layer.inWidth)
  const output = mapRows(layer.outChannels, layer.outHeight, layer.outWidth)
  const taps = layer.kernel * layer.kernel
  const perChannel = taps * layer.inChannels
  const perLoad = layer.depthwise
    ? layer.outChannels
    : Math.min(layer.outChannels, Math.floor(KPU_LIMITS.weightLoadBytes8Bit / perChannel))
  const loads = layer.depthwise ? 1 : Math.ceil(layer.outChannels / perLoad)
  const pixels = layer.outWidth * layer.outHeight
  const wanted: readonly (readonly [string, number, number, number, number])[] = [
    ['int_en, ram_flag, full_add', 0, 0, 3, 0],
    ['o_ch_num_coef', 2, 48, 10, perLoad - 1],
    ['pad_type', 4, 3, 1, 0],
    ['first_stride and bypass_conv', 4, 8, 2, 0],
    ['load_para', 4, 10, 1, 1],
    ['dma_burst_size', 4, 16, 8, 15],
    ['load_coor', 5, 0, 1, 1],
    ['load_time', 5, 1, 6, loads - 1],
    ['para_size', 5, 15, 17, layer.depthwise ? taps * layer.outChannels : perChannel * perLoad],
    ['kernel_offset', 6, 0, 16, 0],
    ['channel_switch_addr', 7, 0, 15, input.groupRows],
    ['row_switch_addr', 7, 16, 4, input.rowLen],
    ['coef_size', 7, 20, 8, 0],
    ['coef_group', 7, 28, 3, input.groups],
    ['load_act', 7, 31, 1, 1],
    ['wb_channel_switch_addr', 8, 0, 15, output.groupRows],
    ['wb_row_switch_addr', 8, 16, 4, output.rowLen],
    ['wb_group', 8, 20, 3, output.groups],
    ['channel_byte_num', 11, 16, 16, (pixels - 1) & 0xffff],
    ['dma_total_byte', 11, 32, 32, pixels * layer.outChannels - 1],
  ]
  for (const [name, word, low, width, value] of wanted) {
    const found = bits(layer.words[word]!, low, width)
    report.want(found === value, 'register', () => `${name} is ${found}, the formula gives ${value}`)
  }
  report.want(
    loads <= KPU_LIMITS.weightLoads,
    'limit',
    () => `${loads} weight loads; the KPU makes ${KPU_LIMITS.weightLoads}`,
  )
}

function checkSizes(layer: RawLayer, report: Report): void {
  const range = (name: string, value: number, limit: { min: number; max: number }): void => {
    const holds = value >= limit.min && value <= limit.max
    report.want(holds, 'limit', () => `${name} ${value} is not within ${limit.min}..${limit.max}`)
  }
  range('input width', layer.inWidth, KPU_LIMITS.inputWidth)
  range('input height', layer.inHeight, KPU_LIMITS.inputHeight)
  range('output width', layer.outWidth, KPU_LIMITS.outputWidth)
  range('output height', layer.outHeight, KPU_LIMITS.outputHeight)
  range('input channels', layer.inChannels, KPU_LIMITS.channels)
  range('output channels', layer.outChannels, KPU_LIMITS.channels)
  const stride = POOL_STRIDE[layer.pool]
  if (!report.want(stride !== undefined, 'limit', () => `pool type ${layer.pool} does not exist`)) return
  const height = Math.floor(layer.inHeight / stride!)
  const width = Math.floor(layer.inWidth / stride!)
  const fits = height === layer.outHeight && width === layer.outWidth
  report.want(
    fits,
    'register',
    () => `output is ${layer.outHeight}x${layer.outWidth}, the pool leaves ${height}x${width}`,
  )
  report.want(bits(layer.words[4]!, 0, 3) <= 1, 'limit', () => 'kernel type is neither 1x1 nor 3x3')
  if (!layer.depthwise) return
  report.want(layer.pool === 0, 'limit', () => 'a depthwise layer pools')
  report.want(layer.inChannels === layer.outChannels, 'limit', () => 'a depthwise layer changes the channel count')
}

/** Segments sorted, the first below everything, no junk in unused bits, shifts that exist. */
export function checkActivation(view: DataView, offset: number, report: Report): void {
  let before = -(2n ** 36n)
  for (let index = 0; index < 16; index++) {
    const word = view.getBigUint64(offset + index * 8, true)
    const start = BigInt.asIntN(36, word >> 24n)
    report.want(word >> 60n === 0n, 'reserved', () => `bits 60..63 of activation segment ${index} are set`)
    report.want(start >= before, 'activation', () => `activation segment ${index} starts before segment ${index - 1}`)
    report.want((word & 255n) < 32n, 'activation', () => `activation segment ${index} shifts by more than 31`)
    if (index === 0)
      report.want(start === -(2n ** 35n), 'activation', () => 'activation segment 0 is not below every value')
    before = start
  }
}

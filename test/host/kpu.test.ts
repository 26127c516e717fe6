import t from 'tap'
import {
  carry,
  decodeActivationTable,
  encodeActivationTable,
  evaluateActivation,
} from '../../host/kpu/activation-table.js'
import { decodeBatchNorm, encodeBatchNorm } from '../../host/kpu/batch-norm.js'
import { inputUploadMs, layerClocks, layerMs, layerWork } from '../../host/kpu/clocks.js'
import { layerFields, weightLoads } from '../../host/kpu/layer-fields.js'
import {
  decodeLayer,
  decodeLayerWords,
  encodeLayer,
  encodeLayerWords,
  type KpuLayer,
  LAYER_FIELDS,
} from '../../host/kpu/layer-words.js'
import { checkLimits } from '../../host/kpu/limits.js'
import { POOL_IDS, POOLS, poolOutputSize } from '../../host/kpu/pool.js'
import { downloadMap, pixelOffset, rowLayout, uploadMap } from '../../host/kpu/row-layout.js'
import { createRandom } from '../support/random.js'
import { throwsAt } from '../support/throws-at.js'

/** First layer of the worked example in kmodel-v3.md section 6. */
const faceDetectLayer0 = layerFields({
  in: { channels: 3, height: 240, width: 320 },
  outChannels: 16,
  kernel: 3,
  pool: POOL_IDS.max2s2,
  srcRow: 29168,
  dstRow: 23408,
  argX: -177 * 2 ** 15,
  shrX: 15,
})

t.test('layer fields: the worked example has the values of the real file', async (t) => {
  t.match(faceDetectLayer0, {
    iChNum: 3,
    oChNum: 16,
    oRowWid: 160,
    oColHigh: 120,
    loadTime: 1,
    paraSize: 432,
    channelSwitchAddr: 1200,
    rowSwitchAddr: 5,
    coefGroup: 1,
    wbChannelSwitchAddr: 360,
    wbRowSwitchAddr: 3,
    wbGroup: 1,
    dmaTotalByte: 16 * 120 * 160,
  })
})

t.test('layer words: fields lie where the reference says', async (t) => {
  const words = encodeLayerWords({ ...faceDetectLayer0, argAdd: -1, padValue: 0x80, intEn: 1 })
  t.equal(words[0], 1n, 'int_en')
  t.equal(words[1], (23408n << 32n) | 29168n, 'destination and source row')
  t.equal(words[2], (15n << 48n) | (15n << 32n) | 2n, 'channel counts minus one')
  t.equal(words[3], (119n << 42n) | (159n << 32n) | (239n << 10n) | 319n, 'sizes minus one')
  t.equal(words[4], (0x80n << 24n) | (15n << 16n) | (1n << 10n) | (1n << 4n) | 1n, 'pad, burst, load_para, pool, 3x3')
  t.equal(words[5], (432n << 15n) | 1n, 'para_size, one load, load_coor')
  t.equal(words[7], (1n << 31n) | (1n << 28n) | (5n << 16n) | 1200n)
  t.equal(words[9], (BigInt.asUintN(24, -177n * 32768n) << 32n) | (15n << 4n), 'signed arg_x')
  t.equal(words[10], 0xff_ffff_ffffn, 'signed 40-bit arg_add')
})

t.test('layer words: every field survives the round trip at its bounds', async (t) => {
  const random = createRandom()
  t.comment(`seed ${random.seed}`)
  for (let round = 0; round < 50; round++) {
    const layer: Record<string, number> = {}
    for (const { name, width, signed, minusOne } of LAYER_FIELDS) {
      const stored = [0, 2 ** width - 1, random.integer(0, 2 ** Math.min(width, 31) - 1)][random.integer(0, 2)]!
      layer[name] = signed ? stored - 2 ** (width - 1) : stored + (minusOne ? 1 : 0)
    }
    const wanted = layer as KpuLayer
    t.strictSame(decodeLayerWords(encodeLayerWords(wanted)), wanted)
    t.strictSame(decodeLayer(encodeLayer(wanted)), wanted)
  }
})

t.test('layer words: reserved bits are ignored, values that do not fit are refused', async (t) => {
  const words = encodeLayerWords(faceDetectLayer0).map((word, index) => (index === 8 ? word | (1n << 60n) : word))
  t.strictSame(decodeLayerWords(words), faceDetectLayer0)
  await throwsAt(t, () => encodeLayerWords({ ...faceDetectLayer0, iChNum: 1025 }), 'KPU_LIMIT', { field: 'iChNum' })
  await throwsAt(t, () => encodeLayerWords({ ...faceDetectLayer0, iChNum: 0 }), 'KPU_LIMIT', { field: 'iChNum' })
  await throwsAt(t, () => encodeLayerWords({ ...faceDetectLayer0, argX: 2 ** 23 }), 'KPU_LIMIT', { field: 'argX' })
})

t.test('layer words: channel_byte_num keeps only its low 16 bits', async (t) => {
  const layer = layerFields({
    in: { channels: 1, height: 256, width: 512 },
    outChannels: 1,
    kernel: 1,
    srcRow: 0,
    dstRow: 9000,
  })
  t.equal(layer.channelByteNum, 131072)
  t.equal(decodeLayer(encodeLayer(layer)).channelByteNum, 65536, 'stored as 0xffff')
})

t.test('weight loads: at most 30 KiB a load, 60 KiB with 16-bit weights', async (t) => {
  const shape = { channels: 256, height: 8, width: 8 }
  t.strictSame(weightLoads({ in: shape, outChannels: 256, kernel: 3 }), {
    channelsPerLoad: 13,
    paraSize: 13 * 2304,
    loads: 20,
    weightBytes: 256 * 2304,
  })
  t.match(weightLoads({ in: shape, outChannels: 256, kernel: 3, weightBits: 16 }), { channelsPerLoad: 13, loads: 20 })
  t.match(weightLoads({ in: shape, outChannels: 256, kernel: 3, depthwise: true }), { loads: 1, paraSize: 2304 })
})

t.test('row layout: groups, rows and offsets by width', async (t) => {
  t.match(rowLayout({ channels: 3, height: 240, width: 320 }), { groups: 1, rowLen: 5, rows: 3600, bytes: 230400 })
  t.match(rowLayout({ channels: 16, height: 14, width: 14 }), { groups: 4, rowPitch: 16, rows: 56 })
  t.match(rowLayout({ channels: 1, height: 28, width: 28 }), { groups: 2, rowPitch: 32, rows: 28 })
  t.match(rowLayout({ channels: 1, height: 4, width: 33 }), { groups: 1, rowLen: 1 })
  t.match(rowLayout({ channels: 1, height: 4, width: 65 }), { groups: 1, rowLen: 2, rows: 8 })
  t.equal(pixelOffset({ channels: 8, height: 10, width: 12 }, 6, 3, 5), 640 + 2 * 16 + 3 * 64 + 5)
})

t.test('row layout: what is uploaded is downloaded, other bytes keep their content', async (t) => {
  const random = createRandom()
  t.comment(`seed ${random.seed}`)
  for (const width of [1, 4, 16, 17, 32, 33, 64, 65, 128, 320]) {
    const shape = { channels: random.integer(1, 9), height: random.integer(1, 12), width }
    const dense = random.bytes(shape.channels * shape.height * width)
    const ram = new Uint8Array(1 << 17).fill(0xaa)
    uploadMap(ram, 3, dense, shape)
    t.strictSame(downloadMap(ram, 3, shape), dense, `width ${width}`)
    const touched = ram.reduce((count, byte) => count + (byte === 0xaa ? 0 : 1), 0)
    t.ok(touched <= dense.length, 'nothing but pixels was written')
    t.equal(ram[3 * 64 - 1], 0xaa)
    t.equal(ram[3 * 64 + rowLayout(shape).bytes], 0xaa)
  }
})

t.test('batch norm: entries keep their signs', async (t) => {
  const entries = [
    { normMul: -(2 ** 23), normAdd: -(2 ** 31), normShift: 15 },
    { normMul: 2 ** 23 - 1, normAdd: 2 ** 31 - 1, normShift: 0 },
    { normMul: -1, normAdd: 0x12345678, normShift: 7 },
  ]
  const bytes = encodeBatchNorm(entries)
  t.equal(Buffer.from(bytes.subarray(16, 24)).toString('hex'), 'ffffff7856341207', 'mul 24 bits, add 32, shift 4')
  t.strictSame(decodeBatchNorm(bytes), entries)
})

t.test('carry: half to even above zero, one too many below', async (t) => {
  t.strictSame(
    [5, 6, 7, 10].map((p) => carry(p, 2)),
    [1, 2, 2, 2],
    '1.25, 1.5, 1.75, 2.5',
  )
  t.equal(carry(2, 2), 0, '0.5 goes to the even 0')
  t.equal(carry(-5, 2), -3, 'the quirk of the reference')
  t.equal(carry(-8, 2), -2, 'exact quotients stay')
  t.equal(carry(123, 0), 123)
  t.equal(carry(2 ** 50 + 2 ** 19, 20), 2 ** 30, 'large products are exact')
})

const line = Array.from({ length: 16 }, (_, index) => ({
  xStart: index === 0 ? -(2 ** 35) : index === 1 ? 0 : 2 ** 35 - 17 + index,
  yMul: index === 1 ? 1024 : 0,
  shiftNumber: index === 1 ? 20 : 0,
  resultBias: index > 1 ? 255 : 0,
}))

t.test('activation table: segments, junk bits and strict comparison', async (t) => {
  const bytes = encodeActivationTable(line)
  t.equal(bytes.length, 144)
  t.strictSame(decodeActivationTable(bytes), line)
  bytes[15] = bytes[15]! | 0xc0
  t.strictSame(decodeActivationTable(bytes), line, 'bits 60..63 are masked')
  t.equal(evaluateActivation(line, 0), 0, 'b equal to an x_start belongs to the segment below')
  t.equal(evaluateActivation(line, 1024 * 7), 7)
  t.equal(evaluateActivation(line, 512 * 3), 2, '1.5 to even')
  t.equal(evaluateActivation(line, 512 * 5), 2, '2.5 to even')
  t.equal(evaluateActivation(line, 2 ** 30), 255)
  await throwsAt(t, () => encodeActivationTable(line.slice(1)), 'KPU_LIMIT')
  await throwsAt(t, () => encodeActivationTable([{ ...line[0]!, resultBias: 256 }, ...line.slice(1)]), 'KPU_LIMIT', {
    segment: 0,
  })
})

t.test('pools: ids are their places in the table, odd sizes drop the rest', async (t) => {
  POOLS.forEach((pool, index) => {
    t.equal(pool.id, index)
  })
  t.strictSame(
    [0, 1, 3, 5, 8, 9].map((id) => poolOutputSize(id, 15)),
    [15, 7, 3, 7, 15, 15],
  )
})

t.test('limits: a legal layer breaks none', async (t) => {
  t.strictSame(checkLimits(faceDetectLayer0), [])
})

t.test('limits: each is named with its value', async (t) => {
  const broken = (change: Partial<KpuLayer>, weightBits: 8 | 16 = 8) =>
    checkLimits({ ...faceDetectLayer0, ...change }, { weightBits }).map(({ limit, value }) => `${limit} ${value}`)
  t.strictSame(broken({ iRowWid: 640, oRowWid: 320 }).slice(0, 1), ['inputWidth 640'])
  t.match(broken({ iColHigh: 300, oColHigh: 150 }), ['inputHeight 300'])
  t.match(broken({ iRowWid: 6, oRowWid: 3, iColHigh: 6, oColHigh: 3 }), ['outputWidth 3', 'outputHeight 3'])
  t.match(broken({ oRowWid: 100 }), ['outputSize 100'])
  t.match(broken({ depthWiseLayer: 1 }), ['depthwise 1', 'depthwise 16'])
  t.match(broken({ imageDstAddr: 29000 }), ['ramRows 34760', 'overlap 29000'])
  t.match(broken({ paraSize: 31000 }), ['weightLoadBytes 31000'])
  t.strictSame(broken({ paraSize: 31000 }, 16), [])
  t.match(broken({ poolType: 12 }), ['poolType 12'])
  t.match(broken({ kernelType: 2 }), ['kernelType 2'])
})

t.test('limits: more than 64 weight loads are refused', async (t) => {
  const layer = layerFields({
    in: { channels: 1024, height: 4, width: 4 },
    outChannels: 1024,
    kernel: 3,
    srcRow: 0,
    dstRow: 1024,
  })
  t.match(checkLimits(layer), [{ limit: 'weightLoads', value: 342 }])
})

t.test('clocks: one row of one channel pair a clock, whatever the kernel', async (t) => {
  const clocks = (channels: number, outChannels: number, height: number, width: number, depthwise = false) =>
    layerClocks({ in: { channels, height, width }, outChannels, depthwise, weightBytes: 0 })
  t.equal(clocks(3, 16, 240, 320), 57_600, '0.144 ms')
  t.equal(clocks(16, 16, 120, 160, true), 5_760, '0.014 ms')
  t.equal(clocks(64, 64, 60, 80), 491_520, '1.229 ms')
  t.equal(clocks(256, 256, 15, 20), 491_520, 'two channels side by side')
  t.equal(clocks(128, 128, 4, 4), 16_384, 'four')
})

t.test('forecast: small maps are bound by their weights', async (t) => {
  const work = layerWork(
    layerFields({
      in: { channels: 128, height: 4, width: 4 },
      outChannels: 128,
      kernel: 3,
      weightBits: 16,
      srcRow: 0,
      dstRow: 200,
    }),
    16,
  )
  t.equal(work.weightBytes, 294_912)
  t.ok(Math.abs(layerMs(work) - 0.36) < 0.03, 'published: 0.339 ms')
  t.ok(Math.abs(inputUploadMs({ channels: 3, height: 240, width: 320 }, 'vendorV4') - 0.33) < 1e-9)
  t.ok(inputUploadMs({ channels: 3, height: 112, width: 112 }, 'vendorV4') > 2, 'padded rows go byte by byte')
})

import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import t from 'tap'
import { packageFile } from '../../host/foundation/paths.js'
import { type ActivationSegment, encodeActivationTable } from '../../host/kpu/activation-table.js'
import { type BatchNormEntry, encodeBatchNorm } from '../../host/kpu/batch-norm.js'
import { layerFields } from '../../host/kpu/layer-fields.js'
import { encodeLayer, type KpuLayer } from '../../host/kpu/layer-words.js'
import { createKpu, type Kpu, type KpuTables } from '../../host/simulator/kpu.js'
import { referenceLayer } from '../support/kpu-reference.js'
import { createRandom, type Random } from '../support/random.js'
import { throwsAt } from '../support/throws-at.js'

const RAM_BYTES = 2 << 20

/** Fills unused segments above every value, as compilers do. */
function table(live: readonly ActivationSegment[], topBias = 255): Uint8Array {
  const below = { xStart: -(2 ** 35), yMul: 0, shiftNumber: 0, resultBias: live[0]?.resultBias ?? 0 }
  const segments = [below, ...live]
  while (segments.length < 16) {
    segments.push({ xStart: 2 ** 35 - 17 + segments.length, yMul: 0, shiftNumber: 0, resultBias: topBias })
  }
  return encodeActivationTable(segments)
}

/** Tables of every kind: one line, leaky, many pieces, flat steps, falling, wild. */
const TABLES: readonly ((random: Random) => Uint8Array)[] = [
  () => table([{ xStart: 0, yMul: 1024, shiftNumber: 20, resultBias: 0 }], 0),
  (random) => table([{ xStart: -40_000, yMul: 1500, shiftNumber: 20, resultBias: random.integer(0, 90) }]),
  () =>
    table([
      { xStart: -90_000, yMul: 100, shiftNumber: 20, resultBias: 12 },
      { xStart: 0, yMul: 1000, shiftNumber: 20, resultBias: 21 },
    ]),
  () =>
    table([
      { xStart: -60_000, yMul: 2000, shiftNumber: 20, resultBias: 0 },
      { xStart: 0, yMul: 300, shiftNumber: 20, resultBias: 115 },
    ]),
  (random) =>
    table(
      Array.from({ length: 15 }, (_, index) => ({
        xStart: (index - 7) * 20_000 + random.integer(0, 999),
        yMul: random.integer(100, 800),
        shiftNumber: 20,
        resultBias: Math.min(255, index * 17),
      })),
    ),
  (random) =>
    encodeActivationTable(
      Array.from({ length: 16 }, (_, index) => ({
        xStart: index === 0 ? -(2 ** 35) : (index - 8) * 9000 + random.integer(0, 4000),
        yMul: index === 0 ? 0 : random.integer(-3000, 3000),
        shiftNumber: random.integer(0, 22),
        resultBias: random.integer(0, 255),
      })),
    ),
]

interface Case {
  readonly layer: KpuLayer
  readonly tables: KpuTables
  readonly text: string
}

function randomCase(random: Random): Case {
  const depthwise = random.integer(0, 3) === 0
  const kernel = random.integer(0, 2) === 0 ? 1 : 3
  const pool = depthwise ? 0 : random.integer(0, 9)
  const input = { channels: random.integer(1, 6), height: random.integer(4, 9), width: random.integer(4, 70) }
  const outChannels = depthwise ? input.channels : random.integer(1, 6)
  const weightBits = random.integer(0, 9) === 0 ? 16 : 8
  const zeroPoint = random.integer(0, 255)
  const shrX = random.integer(0, 15)
  const args = [
    { argX: -zeroPoint, shrX: 0 },
    { argX: -zeroPoint * 2 ** 15, shrX: 15 },
    { argX: random.integer(-200, 200) * 2 ** Math.min(shrX, 14) + random.integer(0, 99), shrX },
    { argX: random.integer(0, 60), shrX: 0 },
  ][random.integer(0, 3)]!
  const layer = layerFields({
    in: input,
    outChannels,
    kernel,
    depthwise,
    pool,
    weightBits,
    srcRow: random.integer(0, 9),
    dstRow: 2000 + random.integer(0, 9),
    padValue: random.integer(0, 255),
    ...args,
    argW: random.integer(-(2 ** 10), 2 ** 10),
    shrW: random.integer(0, 15),
    argAdd: random.integer(-(2 ** 20), 2 ** 20),
  })
  const taps = kernel * kernel * (depthwise ? 1 : input.channels)
  const kind = random.integer(0, TABLES.length - 1)
  const entry = (): BatchNormEntry => ({
    normMul:
      random.integer(0, 9) === 0 ? 0 : Math.round(random.integer(-(2 ** 17), 2 ** 18) / (weightBits === 16 ? 200 : 1)),
    normAdd: random.integer(-100_000, 100_000),
    normShift: random.integer(10, 15),
  })
  const tables: KpuTables = {
    bn: encodeBatchNorm(Array.from({ length: outChannels }, entry)),
    activation: TABLES[kind]!(random),
    weights: random.bytes((taps * outChannels * weightBits) / 8),
    weightBits,
  }
  const size = `${input.channels}x${input.height}x${input.width}`
  const text = `${size} -> ${outChannels}, ${kernel}x${kernel}${depthwise ? ' depthwise' : ''}, pool ${pool}, table ${kind}, ${weightBits} bit, arg_x ${args.argX} >> ${args.shrX}`
  return { layer, tables, text }
}

function compareOnce(kpu: Kpu, random: Random, { layer, tables }: Case): boolean {
  const expected = random.bytes(RAM_BYTES >> 3)
  const ram = new Uint8Array(RAM_BYTES)
  ram.set(expected)
  const wanted = ram.slice()
  referenceLayer(wanted, layer, tables)
  kpu.runLayer(ram, layer, tables)
  return Buffer.compare(ram, wanted) === 0
}

t.test('layers: random ones equal the slow reference, other bytes of KPU RAM stay', async (t) => {
  const random = createRandom()
  t.comment(`seed ${random.seed}`)
  const kpu = await createKpu()
  for (let round = 0; round < 150; round++) {
    const one = randomCase(random)
    if (!compareOnce(kpu, random, one)) t.fail(`round ${round}: ${one.text}`)
  }
  t.pass('150 layers')
})

t.test('layers: every width from 4 to 70 with border and pools', async (t) => {
  const random = createRandom()
  t.comment(`seed ${random.seed}`)
  const kpu = await createKpu()
  for (let width = 4; width <= 70; width++) {
    const pool = width % 10
    const layer = layerFields({
      in: { channels: 2 + (width % 3), height: 5, width },
      outChannels: 2,
      kernel: 3,
      pool,
      srcRow: 0,
      dstRow: 1000,
      padValue: 77,
      argX: -100,
    })
    const tables: KpuTables = {
      bn: encodeBatchNorm([
        { normMul: 30_000, normAdd: 0, normShift: 13 },
        { normMul: -20_000, normAdd: 50_000, normShift: 13 },
      ]),
      activation: TABLES[width % 4]!(random),
      weights: random.bytes(layer.paraSize),
      weightBits: 8,
    }
    t.ok(compareOnce(kpu, random, { layer, tables, text: '' }), `width ${width}, pool ${pool}`)
  }
})

/** A 1x1 layer from one channel to one; batch norm and bias as given. */
function simpleLayer(entry: BatchNormEntry, argAdd = 0): Case {
  const layer = layerFields({
    in: { channels: 1, height: 4, width: 4 },
    outChannels: 1,
    kernel: 1,
    srcRow: 0,
    dstRow: 100,
    argAdd,
  })
  const tables = {
    bn: encodeBatchNorm([entry]),
    activation: TABLES[0]!(createRandom(1)),
    weights: Uint8Array.of(1),
    weightBits: 8,
  } as const
  return { layer, tables, text: '' }
}

t.test('layers: an accumulator beyond 36 bits is refused with channel and pixel', async (t) => {
  const kpu = await createKpu()
  const ram = new Uint8Array(RAM_BYTES)
  ram[2 * 64 + 1] = 200
  const { layer, tables } = simpleLayer({ normMul: 1, normAdd: 0, normShift: 0 }, 2 ** 35 - 100)
  await throwsAt(t, () => kpu.runLayer(ram, layer, tables), 'SIM_ACC_RANGE', { channel: 0, x: 1, y: 2 })
  const norm = simpleLayer({ normMul: 2 ** 23 - 1, normAdd: 0, normShift: 0 }, 2 ** 12 - 150)
  await throwsAt(t, () => kpu.runLayer(ram, norm.layer, norm.tables), 'SIM_ACC_RANGE', { x: 1, y: 2 })
  ram[2 * 64 + 1] = 0
  kpu.runLayer(ram, layer, tables)
  t.equal(ram[100 * 64], 255, 'inside the range')
  const top = simpleLayer({ normMul: 1, normAdd: 0, normShift: 0 }, 2 ** 35 - 1)
  kpu.runLayer(ram, top.layer, top.tables)
  t.equal(ram[100 * 64], 0, 'this table falls to 0 at the very top of the range')
})

t.test('layers: what the chip cannot run is refused', async (t) => {
  const kpu = await createKpu()
  const ram = new Uint8Array(RAM_BYTES)
  const { layer, tables } = simpleLayer({ normMul: 1, normAdd: 0, normShift: 0 })
  const refused = (change: Partial<KpuLayer>, code: 'KPU_LIMIT' | 'SIM_UNSUPPORTED') =>
    throwsAt(t, () => kpu.runLayer(ram, { ...layer, ...change }, tables), code)
  await refused({ imageDstAddr: 0 }, 'KPU_LIMIT')
  await refused({ imageDstAddr: 32_767 }, 'KPU_LIMIT')
  await refused({ depthWiseLayer: 1, poolType: 1, oRowWid: 2, oColHigh: 2 }, 'KPU_LIMIT')
  await refused({ poolType: 11 }, 'KPU_LIMIT')
  await refused({ bypassConv: 1 }, 'SIM_UNSUPPORTED')
  const wild = table([{ xStart: 0, yMul: 1, shiftNumber: 32, resultBias: 0 }])
  await throwsAt(t, () => kpu.runLayer(ram, layer, { ...tables, activation: wild }), 'SIM_UNSUPPORTED', { segment: 1 })
})

t.test('layers: pooled outputs below 4x4 run, as files in the field have them', async (t) => {
  const kpu = await createKpu()
  const random = createRandom(5)
  const layer = layerFields({
    in: { channels: 2, height: 5, width: 6 },
    outChannels: 2,
    kernel: 3,
    pool: 1,
    srcRow: 0,
    dstRow: 99,
  })
  const bn = encodeBatchNorm(Array.from({ length: 2 }, () => ({ normMul: 9000, normAdd: 0, normShift: 14 })))
  const tables: KpuTables = { bn, activation: TABLES[0]!(random), weights: random.bytes(36), weightBits: 8 }
  t.ok(compareOnce(kpu, random, { layer, tables, text: '' }))
})

t.test('kpu: words as bytes do the same, changed tables are noticed', async (t) => {
  const kpu = await createKpu()
  const random = createRandom(7)
  const one = randomCase(random)
  const ram = random.bytes(RAM_BYTES)
  const wanted = ram.slice()
  referenceLayer(wanted, one.layer, one.tables)
  kpu.runLayer(ram, encodeLayer({ ...one.layer, bwsxBaseAddr: 123 }), one.tables)
  t.equal(Buffer.compare(ram, wanted), 0)
  const other = { ...one.tables, weights: one.tables.weights.map((weight) => 255 - weight) }
  referenceLayer(wanted, one.layer, other)
  kpu.runLayer(ram, one.layer, other)
  t.equal(Buffer.compare(ram, wanted), 0)
})

t.test('kernels: the committed module is the one that VERSION.json names', async (t) => {
  const file = (name: string): Buffer => readFileSync(packageFile('host', 'simulator', 'kernels', name))
  const { sha256 } = JSON.parse(file('VERSION.json').toString())
  t.equal(createHash('sha256').update(file('kernels.wasm')).digest('hex'), sha256, 'run kernels/build.sh')
})

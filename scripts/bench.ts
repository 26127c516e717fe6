/**
 * Milliseconds a frame of the bit-exact simulator on one thread, beside the chip's forecast. Runs every kmodel of a
 * folder (argument; default ../shared/data/kmodels where it exists) and a synthetic detector that needs no files.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { packageRoot } from '../host/foundation/paths.js'
import { kmodelSummary } from '../host/kmodel/describe.js'
import { readKmodel } from '../host/kmodel/read.js'
import { encodeActivationTable } from '../host/kpu/activation-table.js'
import { encodeBatchNorm } from '../host/kpu/batch-norm.js'
import { layerMs, layerWork } from '../host/kpu/clocks.js'
import { layerFields, layerOutput } from '../host/kpu/layer-fields.js'
import type { KpuLayer } from '../host/kpu/layer-words.js'
import { rowLayout } from '../host/kpu/row-layout.js'
import { createKpu, type KpuTables } from '../host/simulator/kpu.js'
import { prepareModel } from '../host/simulator/model.js'
import type { MapShape } from '../host/tensor/tensor.js'

const WARM_UP = 3
const ROUNDS = 20

interface Row {
  readonly name: string
  readonly mmac: number
  readonly bestMs: number
  readonly medianMs: number
  readonly chipMs: number
}

function measure(run: () => void): { bestMs: number; medianMs: number } {
  for (let round = 0; round < WARM_UP; round++) run()
  const times = Array.from({ length: ROUNDS }, () => {
    const start = performance.now()
    run()
    return performance.now() - start
  }).sort((a, b) => a - b)
  return { bestMs: times[0]!, medianMs: times[ROUNDS >> 1]! }
}

async function benchFile(folder: string, name: string): Promise<Row> {
  const model = readKmodel(new Uint8Array(readFileSync(join(folder, name))))
  const summary = kmodelSummary(model)
  const simulation = await prepareModel(model)
  const inputs = simulation.inputs.map(({ bytes }) => Uint8Array.from({ length: bytes }, (_, k) => (31 * k + 7) % 251))
  const times = measure(() => {
    simulation.run(inputs)
  })
  return { name, mmac: summary.macs / 1e6, ...times, chipMs: summary.predictedMs.vendorV4 }
}

/** Depthwise-separable detector at 320x256: [outChannels, depthwise, kernel, pool] a layer. */
const DETECTOR: readonly (readonly [number, boolean, 1 | 3, number])[] = [
  [16, false, 3, 1],
  [16, true, 3, 0],
  [32, false, 1, 1],
  [32, true, 3, 0],
  [64, false, 1, 1],
  [64, true, 3, 0],
  [128, false, 1, 1],
  [128, true, 3, 0],
  [256, false, 1, 1],
  [256, true, 3, 0],
  [512, false, 1, 9],
  [25, false, 1, 0],
]

/** Leaky ReLU: two lines that meet at 0. */
const LEAKY = encodeActivationTable(
  Array.from({ length: 16 }, (_, index) => ({
    xStart: index === 0 ? -(2 ** 35) : index === 1 ? -60_000 : index === 2 ? 0 : 2 ** 35 - 18 + index,
    yMul: index === 1 ? 102 : index === 2 ? 1024 : 0,
    shiftNumber: index === 1 || index === 2 ? 20 : 0,
    resultBias: index === 2 ? 6 : index > 2 ? 255 : 0,
  })),
)

interface SyntheticLayer {
  readonly layer: KpuLayer
  readonly tables: KpuTables
}

function detectorLayers(): SyntheticLayer[] {
  let input: MapShape = { channels: 3, height: 256, width: 320 }
  let srcRow = 0
  return DETECTOR.map(([outChannels, depthwise, kernel, pool]) => {
    const plan = { in: input, outChannels, depthwise, kernel, pool, padValue: 6, argX: -128 }
    const output = layerOutput(plan)
    const dstRow = srcRow === 0 ? 32_768 - rowLayout(output).rows : 0
    const layer = layerFields({ ...plan, srcRow, dstRow })
    const work = layerWork(layer)
    const weights = Uint8Array.from({ length: work.weightBytes }, (_, k) => 128 + ((k * 73) % 41) - 20)
    const norm = {
      normMul: Math.round(2 ** 20 / Math.sqrt(work.weightBytes / outChannels)),
      normAdd: 500,
      normShift: 15,
    }
    const bn = encodeBatchNorm(Array.from({ length: outChannels }, () => norm))
    srcRow = dstRow
    input = output
    return { layer, tables: { bn, activation: LEAKY, weights, weightBits: 8 } }
  })
}

async function benchDetector(): Promise<Row> {
  const kpu = await createKpu()
  const layers = detectorLayers()
  const ram = Uint8Array.from({ length: 2 << 20 }, (_, k) => (31 * k + 7) % 251)
  const times = measure(() => {
    for (const { layer, tables } of layers) kpu.runLayer(ram, layer, tables)
  })
  const work = layers.map(({ layer }) => layerWork(layer))
  const macs = work.reduce((sum, one) => sum + one.weightBytes * one.in.height * one.in.width, 0)
  const chipMs = work.reduce((sum, one) => sum + layerMs(one), 0)
  return { name: 'detector 320x256 through createKpu', mmac: macs / 1e6, ...times, chipMs }
}

function print(row: Row): void {
  const cells = [row.mmac.toFixed(0), row.bestMs.toFixed(2), row.medianMs.toFixed(2), row.chipMs.toFixed(2)]
  console.log([row.name.padEnd(36), ...cells.map((cell) => cell.padStart(10))].join(' '))
}

const folder = process.argv[2] ?? join(packageRoot, '..', 'shared', 'data', 'kmodels')
console.log(
  ['model'.padEnd(36), ...['MMAC', 'best ms', 'median ms', 'chip ms *'].map((cell) => cell.padStart(10))].join(' '),
)
print(await benchDetector())
if (existsSync(folder)) {
  for (const name of readdirSync(folder).filter((file) => file.endsWith('.kmodel')))
    print(await benchFile(folder, name))
} else {
  console.log(`no kmodels: ${folder} is absent`)
}
console.log('* forecast for the K210 at 400 MHz with the vendor runtime (host/kpu/clocks.ts), not measured')

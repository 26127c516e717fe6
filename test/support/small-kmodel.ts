import type { KmodelV4Model } from '../../host/kmodel/v4/model.js'
import type { MemoryRange } from '../../host/kmodel/v4/values.js'
import { encodeActivationTable } from '../../host/kpu/activation-table.js'
import { encodeBatchNorm } from '../../host/kpu/batch-norm.js'
import { layerFields } from '../../host/kpu/layer-fields.js'
import { rowLayout } from '../../host/kpu/row-layout.js'
import { createRandom } from './random.js'

/** A range of main memory. */
export const main = (start: number, bytes: number, type: MemoryRange['type'] = 'float32'): MemoryRange => ({
  memory: 'main',
  type,
  start,
  bytes,
})

/** Table of one line: code = b / 1024. */
export const lineTable = (): Uint8Array =>
  encodeActivationTable(
    Array.from({ length: 16 }, (_, index) => ({
      xStart: index === 0 ? -(2 ** 35) : index === 1 ? 0 : 2 ** 35 - 17 + index,
      yMul: index === 1 ? 1024 : 0,
      shiftNumber: index === 1 ? 20 : 0,
      resultBias: index > 1 ? 255 : 0,
    })),
  )

const INPUT = { channels: 3, height: 8, width: 12 }

/** Two KPU layers (3x3 with max pool, 1x1 to main memory) and a dequantize: enough for every part of the format. */
export function smallKmodel(): KmodelV4Model {
  const random = createRandom(11)
  const middle = { channels: 4, height: 4, width: 6 }
  const inputRows = rowLayout(INPUT).rows
  const norms = (count: number) =>
    encodeBatchNorm(Array.from({ length: count }, () => ({ normMul: 6000, normAdd: 20_000, normShift: 10 })))
  const first = layerFields({
    in: INPUT,
    outChannels: 4,
    kernel: 3,
    pool: 1,
    srcRow: 0,
    dstRow: inputRows,
    padValue: 3,
    argX: -128,
  })
  const second = layerFields({
    in: middle,
    outChannels: 2,
    kernel: 1,
    srcRow: inputRows,
    dstRow: 0,
    argX: -128,
    sendDataOut: true,
  })
  const codes = main(0, 48, 'uint8')
  const reals = main(64, 192)
  return {
    inputs: [{ range: { memory: 'kpu', type: 'uint8', start: 0, bytes: inputRows * 64 }, shape: [1, 3, 8, 12] }],
    outputs: [reals],
    constants: random.bytes(16),
    mainBytes: 256,
    nodes: [
      {
        op: 'kpuConv2d',
        mainMemOutput: null,
        batches: 1,
        kpu: { layer: first, batchNorm: norms(4), activation: lineTable(), weights: random.bytes(108) },
      },
      {
        op: 'kpuConv2d',
        mainMemOutput: codes,
        batches: 1,
        kpu: { layer: second, batchNorm: norms(2), activation: lineTable(), weights: random.bytes(8) },
      },
      { op: 'dequantize', in: codes, out: reals, zeroPoint: 10, codesPerUnit: 4 },
    ],
  }
}

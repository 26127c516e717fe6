import { decodeActivationTable, evaluateActivation } from '../../host/kpu/activation-table.js'
import { decodeBatchNorm } from '../../host/kpu/batch-norm.js'
import type { KpuLayer } from '../../host/kpu/layer-words.js'
import { downloadMap, uploadMap } from '../../host/kpu/row-layout.js'
import type { KpuTables } from '../../host/simulator/kpu.js'

/** Slow and obvious KPU layer, written from kpu.md sections 4 to 7 with BigInt; reads and writes KPU RAM. */
export function referenceLayer(ram: Uint8Array, layer: KpuLayer, tables: KpuTables): void {
  const shape = { channels: layer.iChNum, height: layer.iColHigh, width: layer.iRowWid }
  const input = downloadMap(ram, layer.imageSrcAddr, shape)
  const output = new Uint8Array(layer.oChNum * layer.oColHigh * layer.oRowWid)
  const norms = decodeBatchNorm(tables.bn)
  const segments = decodeActivationTable(tables.activation)
  for (let oc = 0; oc < layer.oChNum; oc++) {
    const map = new Uint8Array(layer.iColHigh * layer.iRowWid)
    for (let i = 0; i < map.length; i++) {
      const acc = accumulator(input, layer, tables, oc, Math.floor(i / layer.iRowWid), i % layer.iRowWid)
      const { normMul, normShift, normAdd } = norms[oc]!
      const b = ((acc * BigInt(normMul)) >> BigInt(normShift)) + BigInt(normAdd)
      map[i] = evaluateActivation(segments, Number(b))
    }
    for (let y = 0; y < layer.oColHigh; y++) {
      for (let x = 0; x < layer.oRowWid; x++) {
        output[(oc * layer.oColHigh + y) * layer.oRowWid + x] = pooled(map, layer, y, x)
      }
    }
  }
  const outShape = { channels: layer.oChNum, height: layer.oColHigh, width: layer.oRowWid }
  uploadMap(ram, layer.imageDstAddr, output, outShape)
}

function accumulator(input: Uint8Array, layer: KpuLayer, tables: KpuTables, oc: number, y: number, x: number): bigint {
  const k = layer.kernelType === 1 ? 3 : 1
  const depthwise = layer.depthWiseLayer === 1
  const inputs = depthwise ? 1 : layer.iChNum
  let s = 0n
  let sx = 0n
  let sw = 0n
  for (let ic = 0; ic < inputs; ic++) {
    for (let ky = 0; ky < k; ky++) {
      for (let kx = 0; kx < k; kx++) {
        const at = { y: y + ky - (k - 1) / 2, x: x + kx - (k - 1) / 2 }
        const inside = at.y >= 0 && at.x >= 0 && at.y < layer.iColHigh && at.x < layer.iRowWid
        const channel = depthwise ? oc : ic
        const index = (channel * layer.iColHigh + at.y) * layer.iRowWid + at.x
        const value = BigInt(inside ? input[index]! : layer.padValue)
        const weight = BigInt(weightAt(tables, ((oc * inputs + ic) * k + ky) * k + kx))
        s += value * weight
        sx += value
        sw += weight
      }
    }
  }
  const xTerm = (BigInt(layer.argX) * sx) >> BigInt(layer.shrX)
  const wTerm = (BigInt(layer.argW) * sw) >> BigInt(layer.shrW)
  return s + xTerm + wTerm + BigInt(layer.argAdd) * BigInt(inputs)
}

function weightAt(tables: KpuTables, index: number): number {
  if (tables.weightBits === 8) return tables.weights[index]!
  return tables.weights[2 * index]! | (tables.weights[2 * index + 1]! << 8)
}

function pooled(map: Uint8Array, layer: KpuLayer, y: number, x: number): number {
  const at = (py: number, px: number): number => map[py * layer.iRowWid + px]!
  const window = (size: number, stride: number): number[] => {
    const values: number[] = []
    for (let dy = 0; dy < size; dy++) {
      for (let dx = 0; dx < size; dx++) {
        const py = Math.min(y * stride + dy, layer.iColHigh - 1)
        const px = Math.min(x * stride + dx, layer.iRowWid - 1)
        values.push(at(py, px))
      }
    }
    return values
  }
  const mean = (values: number[]): number => Math.floor(values.reduce((a, b) => a + b, 0) / values.length)
  switch (layer.poolType) {
    case 0:
      return at(y, x)
    case 1:
      return Math.max(...window(2, 2))
    case 2:
      return mean(window(2, 2))
    case 3:
      return Math.max(...window(4, 4))
    case 4:
      return mean(window(4, 4))
    case 5:
      return at(2 * y, 2 * x)
    case 6:
      return at(2 * y, 2 * x + 1)
    case 7:
      return at(4 * y, 4 * x)
    case 8:
      return mean(window(2, 1))
    case 9:
      return Math.max(...window(2, 1))
    default:
      throw new Error(`pool ${layer.poolType}`)
  }
}

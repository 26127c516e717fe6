import { toHex } from '../foundation/hex.js'
import { decodeLayer, encodeLayer, type KpuLayer } from '../kpu/layer-words.js'
import { ROW_BYTES, rowLayout } from '../kpu/row-layout.js'
import { Engine, type PreparedLayer } from './layer/engine.js'
import type { LayerTables } from './layer/prepare.js'
import { refuseIllegal } from './layer/refuse.js'

/** Tables of one layer as a driver hands them to the KPU. */
export interface KpuTables {
  /** 8 bytes an output channel; more is ignored. */
  readonly bn: Uint8Array
  /** 144 bytes. */
  readonly activation: Uint8Array
  readonly weights: Uint8Array
  readonly weightBits: 8 | 16
}

/** A KPU that runs one layer at a time on a caller's KPU RAM. */
export interface Kpu {
  /**
   * Runs one layer in place: reads the input map at imageSrcAddr, writes the output map at imageDstAddr. Bytes between
   * a map's width and the end of its rows keep their content.
   * @param kpuRam - 2 MiB in row layout
   * @param layer - fields, or the 96 bytes of the twelve words (table addresses are ignored)
   * @throws BridgeError `KPU_LIMIT`, `SIM_ACC_RANGE`, `SIM_UNSUPPORTED`
   */
  runLayer(kpuRam: Uint8Array, layer: KpuLayer | Uint8Array, tables: KpuTables): void
}

/** Prepared layers are forgotten above this many bytes of tables. */
const CACHE_BYTES = 96 << 20

interface CacheEntry {
  readonly tables: LayerTables
  readonly prepared: PreparedLayer
}

/**
 * Loads the kernels; `runLayer` is synchronous from then on. Layers are prepared once and recognized by their words
 * and the bytes of their tables, so a caller may pass fresh copies every time.
 */
export async function createKpu(): Promise<Kpu> {
  return new CachingKpu(await Engine.load())
}

class CachingKpu implements Kpu {
  private readonly cache = new Map<string, CacheEntry[]>()

  constructor(private readonly engine: Engine) {}

  runLayer(kpuRam: Uint8Array, layer: KpuLayer | Uint8Array, tables: KpuTables): void {
    const words = layer instanceof Uint8Array ? layer : encodeLayer(layer)
    const fields = layer instanceof Uint8Array ? decodeLayer(layer) : layer
    const prepared = this.prepared(words, fields, tables)
    const input = rowLayout({ channels: fields.iChNum, height: fields.iColHigh, width: fields.iRowWid })
    const output = rowLayout({ channels: fields.oChNum, height: fields.oColHigh, width: fields.oRowWid })
    const { ram } = this.engine
    const source = fields.imageSrcAddr * ROW_BYTES
    const target = fields.imageDstAddr * ROW_BYTES
    ram.set(kpuRam.subarray(source, source + input.bytes), source)
    ram.set(kpuRam.subarray(target, target + output.bytes), target)
    this.engine.run(prepared, fields.imageSrcAddr, fields.imageDstAddr)
    kpuRam.set(ram.subarray(target, target + output.bytes), target)
  }

  private prepared(words: Uint8Array, layer: KpuLayer, given: KpuTables): PreparedLayer {
    const key = `${given.weightBits} ${toHex(words.subarray(0, 8))} ${toHex(words.subarray(8))}`
    const tables = ownTables(layer, given)
    const candidates = this.cache.get(key) ?? []
    const known = candidates.find((entry) => sameTables(entry.tables, tables))
    if (known) return known.prepared
    refuseIllegal(layer, given.weightBits)
    if (this.engine.usedBytes > CACHE_BYTES) this.forget()
    const prepared = this.engine.prepare(layer, tables)
    const entry = { tables: copyTables(tables), prepared }
    this.cache.set(key, [...(this.cache.get(key) ?? []), entry])
    return prepared
  }

  private forget(): void {
    this.engine.clear()
    this.cache.clear()
  }
}

/** The parts of the caller's tables that belong to the layer. */
function ownTables(layer: KpuLayer, given: KpuTables): LayerTables {
  const taps = layer.kernelType === 1 ? 9 : 1
  const weightBytes = taps * layer.oChNum * (layer.depthWiseLayer ? 1 : layer.iChNum) * (given.weightBits / 8)
  return {
    batchNorm: given.bn.subarray(0, layer.oChNum * 8),
    activation: given.activation.subarray(0, 144),
    weights: given.weights.subarray(0, weightBytes),
    weightBits: given.weightBits,
  }
}

const TABLE_NAMES = ['batchNorm', 'activation', 'weights'] as const

const sameTables = (a: LayerTables, b: LayerTables): boolean =>
  TABLE_NAMES.every((name) => Buffer.compare(a[name], b[name]) === 0)

const copyTables = (tables: LayerTables): LayerTables => ({
  batchNorm: tables.batchNorm.slice(),
  activation: tables.activation.slice(),
  weights: tables.weights.slice(),
  weightBits: tables.weightBits,
})

import { BridgeError, type ErrorPlace } from '../../foundation/errors.js'
import type { KpuLayer } from '../../kpu/layer-words.js'
import { KPU_LIMITS } from '../../kpu/limits.js'
import { type Kernels, loadKernels } from './kernels.js'
import { encodePlan, PLAN_BYTES, type PlanValues, planOffset } from './plan.js'
import { exactTables, fastTables, type LayerTables } from './prepare.js'

/** A layer whose tables lie in an engine's memory. */
export interface PreparedLayer {
  /** Address of its plan. */
  readonly plan: number
  readonly fast: boolean
  /** Input width in pixels. */
  readonly width: number
}

/** Fixed areas of the engine's memory; sizes hold for any legal layer. */
const AREAS = { ramSlack: 4096, planes: 12 << 20, accumulators: 4 << 20, bytes: 256 * 512 }
const PAGE = 65_536
const align = (value: number, unit: number): number => Math.ceil(value / unit) * unit

/**
 * The kernels with KPU RAM, scratch areas and an arena for prepared layers in one WebAssembly memory.
 * Life cycle: load, prepare layers, run them as often as wanted; `clear` forgets all prepared layers.
 */
export class Engine {
  private readonly ramAt: number
  private readonly planesAt: number
  private readonly accumulatorsAt: number
  private readonly bytesAt: number
  private readonly arenaAt: number
  private next: number

  private constructor(private readonly kernels: Kernels) {
    this.ramAt = align(kernels.heapBase, PAGE)
    this.planesAt = this.ramAt + KPU_LIMITS.ramBytes + AREAS.ramSlack
    this.accumulatorsAt = this.planesAt + AREAS.planes
    this.bytesAt = this.accumulatorsAt + AREAS.accumulators
    this.arenaAt = this.bytesAt + AREAS.bytes
    this.next = this.arenaAt
    this.reserve(this.arenaAt)
  }

  /** A fresh engine. */
  static async load(): Promise<Engine> {
    const kernels = await loadKernels()
    if (kernels.planBytes !== PLAN_BYTES) {
      throw new BridgeError('INTERNAL', {
        what: `kernels.wasm has plans of ${kernels.planBytes} bytes, the program ${PLAN_BYTES}`,
        fix: 'Run host/simulator/kernels/build.sh.',
      })
    }
    return new Engine(kernels)
  }

  /** KPU RAM, 2 MiB in row layout. Ask again after `prepare`: memory may have moved. */
  get ram(): Uint8Array {
    return new Uint8Array(this.kernels.memory.buffer, this.ramAt, KPU_LIMITS.ramBytes)
  }

  /** Bytes of prepared layers. */
  get usedBytes(): number {
    return this.next - this.arenaAt
  }

  /** Forgets all prepared layers. */
  clear(): void {
    this.next = this.arenaAt
  }

  /** Copies a layer's tables into the engine. The layer must satisfy `mustRun`; its addresses are given at each run. */
  prepare(layer: KpuLayer, tables: LayerTables): PreparedLayer {
    const fast = fastTables(layer, tables)
    const exact = fast && !fast.checkRange ? undefined : exactTables(layer, tables)
    const { geometry } = fast ?? {}
    if (geometry && (geometry.planeDataBytes > AREAS.planes || geometry.accumulatorBytes > AREAS.accumulators)) {
      throw new BridgeError('INTERNAL', { what: 'a layer needs more scratch memory than the simulator has' })
    }
    const values: PlanValues = {
      ...this.layerValues(layer, tables),
      convHeight: geometry?.convHeight ?? layer.iColHigh,
      convWidth: geometry?.convWidth ?? layer.iRowWid,
      stride: geometry?.stride ?? 1,
      border: geometry?.border ?? 0,
      pitch: geometry?.pitch ?? 0,
      planeRows: geometry?.planeRows ?? 0,
      planeBytes: geometry?.planeBytes ?? 0,
      planeCount: geometry?.planes.length ?? 0,
      planes: this.store(Uint32Array.from((geometry?.planes ?? []).flatMap((plane) => Object.values(plane)))),
      entryCount: geometry?.entries.length ?? 0,
      entries: this.store(Uint32Array.from(geometry?.entries ?? [], (entry) => entry.offsetBytes)),
      weights: this.store(fast?.weights),
      stripRows: geometry?.stripRows ?? 0,
      guess: fast?.guess.kind ?? 0,
      checkRange: fast?.checkRange ? 1 : 0,
      certain: fast?.guess.certain ?? 0,
      channel: this.store(fast?.channelRecords),
      thresholds: this.store(fast?.thresholds),
      windows: this.store(fast?.windows),
      rawWeights: this.store(exact && tables.weights),
      rawTables: this.store(exact?.tables),
      segments: this.store(exact?.segments),
    }
    const plan = this.store(encodePlan(values))
    return { plan, fast: fast !== null, width: layer.iRowWid }
  }

  private layerValues(layer: KpuLayer, tables: LayerTables) {
    return {
      ram: this.ramAt,
      srcRow: 0,
      dstRow: 0,
      inChannels: layer.iChNum,
      outChannels: layer.oChNum,
      inHeight: layer.iColHigh,
      inWidth: layer.iRowWid,
      outHeight: layer.oColHigh,
      outWidth: layer.oRowWid,
      padValue: layer.padValue,
      pool: layer.poolType,
      depthwise: layer.depthWiseLayer,
      kernel: layer.kernelType === 1 ? 3 : 1,
      planeData: this.planesAt,
      accumulators: this.accumulatorsAt,
      bytes: this.bytesAt,
      weightBits: tables.weightBits,
      argX: layer.argX,
      shrX: layer.shrX,
      errorChannel: 0,
      errorPixel: 0,
    }
  }

  /** Runs a prepared layer from `srcRow` to `dstRow` of KPU RAM. @throws BridgeError `SIM_ACC_RANGE` */
  run(layer: PreparedLayer, srcRow: number, dstRow: number, where: ErrorPlace = {}): void {
    const view = new DataView(this.kernels.memory.buffer, layer.plan)
    view.setUint32(planOffset('srcRow'), srcRow, true)
    view.setUint32(planOffset('dstRow'), dstRow, true)
    if (layer.fast && this.kernels.runFast(layer.plan) === 0) return
    if (this.kernels.runExact(layer.plan) === 0) return
    const channel = view.getInt32(planOffset('errorChannel'), true)
    const pixel = view.getInt32(planOffset('errorPixel'), true)
    const y = Math.floor(pixel / layer.width)
    const x = pixel % layer.width
    throw new BridgeError('SIM_ACC_RANGE', {
      what: `channel ${channel} leaves the 36 bits of the KPU at pixel (${x}, ${y})`,
      where: { ...where, channel, x, y },
      fix: 'The layer was quantized with too large factors: compile it again.',
    })
  }

  private store(data: Int16Array | Int32Array | Uint32Array | Uint8Array | BigInt64Array | undefined): number {
    const at = align(this.next, 64)
    if (data === undefined) return at
    this.next = at + data.byteLength
    this.reserve(this.next + PAGE)
    const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength)
    new Uint8Array(this.kernels.memory.buffer).set(bytes, at)
    return at
  }

  private reserve(end: number): void {
    const missing = end - this.kernels.memory.buffer.byteLength
    if (missing > 0) this.kernels.memory.grow(Math.ceil(missing / PAGE) + 64)
  }
}

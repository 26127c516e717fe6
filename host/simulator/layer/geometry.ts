import type { KpuLayer } from '../../kpu/layer-words.js'
import { POOLS } from '../../kpu/pool.js'

/** Output channels that the kernel computes at once, and pixels of a tile (kernels/layer.h). */
export const CHANNELS_AT_ONCE = 4
const TILE = 8
/** Pixels of a strip: its sums of four channels stay in the first-level cache. */
const STRIP_PIXELS = 1024

/** Where one operand pair of the dot product comes from; plane_t of kernels/layer.h. */
export interface Plane {
  readonly channelA: number
  readonly channelB: number
  /** 1: operand B lies one image row below A. */
  readonly rowStepB: 0 | 1
  readonly phaseY: number
  readonly phaseX: number
}

/** One step of the dot product: where its pair lies, and which weights it meets (-1: none, weight 0). */
export interface Entry {
  readonly offsetBytes: number
  /** Index in [ic][ky][kx] of one output channel. */
  readonly weightA: number
  readonly weightB: number
}

/** How the fast path lays a layer out in memory. */
export interface Geometry {
  /** 2 or 4 when the pool picks single pixels: the others are not computed. */
  readonly stride: number
  readonly border: 0 | 1
  /** Columns of one plane row. A row's left border is the right border of the row above. */
  readonly pitch: number
  readonly convHeight: number
  readonly convWidth: number
  readonly planeRows: number
  readonly planeBytes: number
  readonly planes: readonly Plane[]
  readonly entries: readonly Entry[]
  readonly stripRows: number
  readonly accumulatorBytes: number
  /** Bytes of all planes (one plane of words for depthwise layers). */
  readonly planeDataBytes: number
}

/** Memory layout of the fast path for a layer (its pool id and sizes must be legal). */
export function layerGeometry(layer: KpuLayer): Geometry {
  const pool = POOLS[layer.poolType]!
  const picks = pool.kind === 'pick'
  const stride = picks ? pool.stride : 1
  const border = layer.kernelType === 1 ? 1 : 0
  const pitch = Math.ceil(layer.iRowWid / stride) + border
  const convHeight = picks ? layer.oColHigh : layer.iColHigh
  const convWidth = picks ? layer.oRowWid : layer.iRowWid
  const planeRows = Math.ceil(layer.iColHigh / stride) + 2 * border
  const planeBytes = oddLines((planeRows * pitch + 8 * TILE) * 4)
  const lists = new PlaneList(layer, stride, pool.column, pitch, planeBytes)
  if (!layer.depthWiseLayer) lists.addAll()
  const wholeHeight = layer.depthWiseLayer === 1 || (layer.poolType > 1 && !picks)
  const stripRows = wholeHeight ? convHeight : rowsOfStrip(pitch, convHeight)
  const tiles = Math.ceil((stripRows * pitch) / TILE) + 4
  return {
    stride,
    border,
    pitch,
    convHeight,
    convWidth,
    planeRows,
    planeBytes,
    planes: lists.planes,
    entries: lists.entries,
    stripRows,
    accumulatorBytes: tiles * TILE * 4 * CHANNELS_AT_ONCE,
    planeDataBytes: planeBytes * Math.max(1, lists.planes.length),
  }
}

/** An odd number of 64-byte lines, so that planes do not meet in the same cache sets. */
const oddLines = (bytes: number): number => (Math.ceil(bytes / 64) | 1) * 64

/** Even, for 2x2 pools. */
const rowsOfStrip = (pitch: number, height: number): number =>
  Math.min(height + (height % 2), Math.max(2, Math.floor(STRIP_PIXELS / pitch / 2) * 2))

const floorMod = (value: number, unit: number): number => ((value % unit) + unit) % unit

/** Collects planes and entries: channels in pairs; the last of an odd count is paired with itself one row below. */
class PlaneList {
  readonly planes: Plane[] = []
  readonly entries: Entry[] = []
  private readonly known = new Map<string, number>()
  private readonly kernel: 1 | 3

  constructor(
    private readonly layer: KpuLayer,
    private readonly stride: number,
    private readonly column: number,
    private readonly pitch: number,
    private readonly planeBytes: number,
  ) {
    this.kernel = layer.kernelType === 1 ? 3 : 1
  }

  addAll(): void {
    const channels = this.layer.iChNum
    for (let channel = 0; channel + 1 < channels; channel += 2) this.addPair(channel)
    if (channels % 2 === 1) this.addLast(channels - 1)
  }

  private addPair(channel: number): void {
    const half = (this.kernel - 1) / 2
    for (let ky = 0; ky < this.kernel; ky++) {
      for (let kx = 0; kx < this.kernel; kx++) {
        const weightA = this.weight(channel, ky, kx)
        this.add(channel, channel + 1, 0, ky - half, kx - half, weightA, this.weight(channel + 1, ky, kx))
      }
    }
  }

  private addLast(channel: number): void {
    if (this.kernel === 1) {
      this.add(channel, channel, 0, 0, 0, channel, -1)
      return
    }
    for (let kx = 0; kx < 3; kx++) {
      this.add(channel, channel, 1, -1, kx - 1, this.weight(channel, 0, kx), this.weight(channel, 1, kx))
      this.add(channel, channel, 1, 1, kx - 1, this.weight(channel, 2, kx), -1)
    }
  }

  private weight(channel: number, ky: number, kx: number): number {
    return (channel * this.kernel + ky) * this.kernel + kx
  }

  private add(a: number, b: number, rowStepB: 0 | 1, dy: number, dx: number, weightA: number, weightB: number): void {
    const x = dx + this.column
    const phaseY = floorMod(dy, this.stride)
    const phaseX = floorMod(x, this.stride)
    const plane = this.planeIndex({ channelA: a, channelB: b, rowStepB, phaseY, phaseX })
    const border = this.kernel === 3 ? 1 : 0
    const row = Math.floor(dy / this.stride) + border
    const column = Math.floor(x / this.stride) + border
    this.entries.push({ offsetBytes: plane * this.planeBytes + (row * this.pitch + column) * 4, weightA, weightB })
  }

  private planeIndex(plane: Plane): number {
    const key = Object.values(plane).join()
    const known = this.known.get(key)
    if (known !== undefined) return known
    this.known.set(key, this.planes.length)
    return this.planes.push(plane) - 1
  }
}

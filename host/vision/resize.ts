/*
 * Resizing of planar 8-bit pictures in integer arithmetic, so that every machine gets the same bytes. Hot loops over
 * typed arrays: long-hand on purpose.
 */
import type { PlanarPicture } from '../tensor/tensor.js'

/** Part of a picture in its own pixels; may be fractional. */
export interface PictureWindow {
  readonly x: number
  readonly y: number
  readonly width: number
  readonly height: number
}

/** Fixed point of the weights: 11 bits, as in OpenCV's 8-bit INTER_LINEAR. */
const WEIGHT_BITS = 11
const WEIGHT_ONE = 1 << WEIGHT_BITS

interface LinearAxis {
  readonly first: Int32Array
  readonly second: Int32Array
  readonly weight: Int32Array
}

/** Half-pixel centres, edge pixels repeated, no antialiasing: two source positions and the weight of the second. */
function linearAxis(from: number, length: number, sourceSize: number, size: number): LinearAxis {
  const first = new Int32Array(size)
  const second = new Int32Array(size)
  const weight = new Int32Array(size)
  const step = length / size
  for (let i = 0; i < size; i++) {
    const position = Math.min(Math.max(from + (i + 0.5) * step - 0.5, 0), sourceSize - 1)
    const left = Math.floor(position)
    first[i] = left
    second[i] = Math.min(left + 1, sourceSize - 1)
    weight[i] = Math.round((position - left) * WEIGHT_ONE)
  }
  return { first, second, weight }
}

/** One source row, scaled along x, values times 2^11. */
function linearRow(source: Uint8Array, rowOffset: number, axis: LinearAxis, out: Int32Array): void {
  for (let x = 0; x < out.length; x++) {
    const left = source[rowOffset + axis.first[x]!]!
    const right = source[rowOffset + axis.second[x]!]!
    out[x] = left * WEIGHT_ONE + (right - left) * axis.weight[x]!
  }
}

const wholePicture = ({ width, height }: PlanarPicture): PictureWindow => ({ x: 0, y: 0, width, height })

/**
 * Bilinear resize as OpenCV's INTER_LINEAR does it on 8-bit pictures (half-pixel centres, no antialiasing).
 * @param window - part to be resized; outside the picture its edge repeats
 */
export function resizeBilinear(
  picture: PlanarPicture,
  width: number,
  height: number,
  window?: PictureWindow,
): PlanarPicture {
  if (!window && picture.width === width && picture.height === height) return picture
  const part = window ?? wholePicture(picture)
  const xs = linearAxis(part.x, part.width, picture.width, width)
  const ys = linearAxis(part.y, part.height, picture.height, height)
  const data = new Uint8Array(picture.channels * width * height)
  const upper = new Int32Array(width)
  const lower = new Int32Array(width)
  let out = 0
  for (let channel = 0; channel < picture.channels; channel++) {
    const plane = channel * picture.width * picture.height
    for (let y = 0; y < height; y++) {
      linearRow(picture.data, plane + ys.first[y]! * picture.width, xs, upper)
      linearRow(picture.data, plane + ys.second[y]! * picture.width, xs, lower)
      const lowerWeight = ys.weight[y]!
      const upperWeight = WEIGHT_ONE - lowerWeight
      // OpenCV's VResizeLinear: each product loses 4 + 16 bits, the sum two more with rounding.
      for (let x = 0; x < width; x++) {
        const above = ((upper[x]! >> 4) * upperWeight) >> 16
        const below = ((lower[x]! >> 4) * lowerWeight) >> 16
        data[out++] = (above + below + 2) >> 2
      }
    }
  }
  return { width, height, channels: picture.channels, data }
}

interface AreaAxis {
  /** First source position of each target position; one more entry than targets. */
  readonly start: Int32Array
  /** How many source positions a target position covers. */
  readonly count: Int32Array
  /** Weights, `span` of them a target position; they sum to 1. */
  readonly weight: Float64Array
  readonly span: number
}

function areaAxis(from: number, length: number, sourceSize: number, size: number): AreaAxis {
  const step = length / size
  const span = Math.ceil(step) + 1
  const start = new Int32Array(size)
  const count = new Int32Array(size)
  const weight = new Float64Array(size * span)
  for (let i = 0; i < size; i++) {
    const begin = from + i * step
    const end = Math.min(from + (i + 1) * step, sourceSize)
    const first = Math.min(Math.floor(begin), sourceSize - 1)
    const last = Math.min(Math.max(Math.ceil(end), first + 1), first + span)
    start[i] = first
    count[i] = last - first
    for (let s = first; s < last; s++) {
      weight[i * span + s - first] = Math.max(0, Math.min(end, s + 1) - Math.max(begin, s)) / (end - begin)
    }
  }
  return { start, count, weight, span }
}

/** Source rows of one target row, weighed and summed; `out` holds the columns from `left` on. */
function areaRows(picture: PlanarPicture, plane: number, left: number, ys: AreaAxis, y: number, out: Float64Array) {
  out.fill(0)
  for (let k = 0; k < ys.count[y]!; k++) {
    const weight = ys.weight[y * ys.span + k]!
    const row = plane + (ys.start[y]! + k) * picture.width + left
    for (let x = 0; x < out.length; x++) out[x] = out[x]! + picture.data[row + x]! * weight
  }
}

/**
 * Cuts a window out of a picture and scales it down by area averaging, as a camera's optics would (antialiased).
 * Where the window is smaller than the target, pixels repeat. The window must lie inside the picture.
 */
export function resizeArea(
  picture: PlanarPicture,
  width: number,
  height: number,
  window: PictureWindow = wholePicture(picture),
): PlanarPicture {
  const xs = areaAxis(window.x, window.width, picture.width, width)
  const ys = areaAxis(window.y, window.height, picture.height, height)
  const data = new Uint8Array(picture.channels * width * height)
  const left = xs.start[0]!
  const columns = new Float64Array(xs.start[width - 1]! + xs.count[width - 1]! - left)
  let out = 0
  for (let channel = 0; channel < picture.channels; channel++) {
    for (let y = 0; y < height; y++) {
      areaRows(picture, channel * picture.width * picture.height, left, ys, y, columns)
      for (let x = 0; x < width; x++) {
        let sum = 0
        for (let k = 0; k < xs.count[x]!; k++) sum += columns[xs.start[x]! - left + k]! * xs.weight[x * xs.span + k]!
        data[out++] = Math.round(sum)
      }
    }
  }
  return { width, height, channels: picture.channels, data }
}

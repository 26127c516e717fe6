import { BridgeError } from '../foundation/errors.js'
import type { PlanarPicture } from '../tensor/tensor.js'
import { type Random, seededRandom } from './random.js'

/** Size of the sensor's picture. */
export const CAMERA_SIZE = { width: 320, height: 240 } as const
/** Most pictures a second of the sensor, in virtual time. */
export const CAMERA_FPS = 30

/** Where pictures come from: frame `index` is the same picture every time it is asked for. */
export interface FrameSource {
  /** Planar RGB, 320x240. */
  frame(index: number): PlanarPicture
}

/** A crop of a photograph, 4:3, to be seen by the camera. Key frame of a {@link sceneSource}. */
export interface SceneShot {
  /** Index into the scene's pictures. */
  readonly picture: number
  /** Left edge in pixels of that picture. */
  readonly x: number
  /** Top edge in pixels of that picture. */
  readonly y: number
  /** Width of the crop in pixels; the height is three quarters of it. */
  readonly width: number
  /** Seen in a mirror. */
  readonly mirrored: boolean
  /** Factor on the brightness, 1 = as it is. */
  readonly gain: number
}

/** A scene: everything that {@link sceneSource} needs, as plain data (it travels to a worker thread). */
export interface Scene {
  /** Large photographs, planar RGB. */
  readonly pictures: readonly PlanarPicture[]
  readonly shots: readonly SceneShot[]
  /** Frames from one shot to the next; default 60. */
  readonly framesPerShot?: number
  readonly seed?: number
}

type View = Omit<SceneShot, 'picture'>

/**
 * Pans and zooms over photographs: from each shot to the next one of the same picture in a straight line, else a slow
 * seeded drift and a cut. Hand and light tremble by up to a pixel and a percent, so every frame differs.
 * @throws BridgeError `USAGE` for a scene without shots or with a shot of a picture that is not there
 */
export function sceneSource(scene: Scene): FrameSource {
  const { pictures, shots, framesPerShot = 60, seed = 1 } = scene
  if (shots.length === 0) throw new BridgeError('USAGE', { what: 'a camera scene needs at least one shot' })
  for (const [index, shot] of shots.entries()) {
    if (pictures[shot.picture]?.channels === 3) continue
    throw new BridgeError('USAGE', {
      what: `scene shot ${index} shows picture ${shot.picture}, which is absent or not RGB`,
      where: { shot: index, pictures: pictures.length },
    })
  }
  return {
    frame(index) {
      const step = Math.floor(index / framesPerShot)
      const shot = shots[step % shots.length]!
      const next = shots[(step + 1) % shots.length]!
      const goOn = shots.length > 1 && next.picture === shot.picture && next.mirrored === shot.mirrored
      const target = goOn ? next : drift(shot, seed + step)
      const view = between(shot, target, (index % framesPerShot) / framesPerShot)
      return crop(pictures[shot.picture]!, tremble(view, seededRandom(seed * 31 + index)))
    },
  }
}

function drift(shot: SceneShot, seed: number): View {
  const random = seededRandom(seed)
  const width = shot.width * (0.97 + 0.06 * random.next())
  const x = shot.x + shot.width * 0.06 * (random.next() - 0.5)
  return { ...shot, width, x, y: shot.y + shot.width * 0.04 * (random.next() - 0.5) }
}

function tremble(view: View, random: Random): View {
  const pixel = view.width / CAMERA_SIZE.width
  const swing = () => random.next() * 2 - 1
  return {
    ...view,
    x: view.x + pixel * swing(),
    y: view.y + pixel * swing(),
    gain: view.gain * (1 + 0.01 * swing()),
  }
}

function between(from: View, to: View, share: number): View {
  const mix = (a: number, b: number) => a + (b - a) * share
  return {
    x: mix(from.x, to.x),
    y: mix(from.y, to.y),
    width: mix(from.width, to.width),
    gain: mix(from.gain, to.gain),
    mirrored: from.mirrored,
  }
}

interface Axis {
  readonly low: Int32Array
  readonly high: Int32Array
  /** Weight of `high` in 256ths. */
  readonly weight: Int32Array
}

/** Source positions of `size` samples at pixel centres; outside the picture its edge repeats. */
function axis(size: number, start: number, step: number, limit: number, reversed: boolean): Axis {
  const low = new Int32Array(size)
  const high = new Int32Array(size)
  const weight = new Int32Array(size)
  for (let i = 0; i < size; i++) {
    const at = reversed ? size - 1 - i : i
    const position = Math.min(Math.max(start + (at + 0.5) * step - 0.5, 0), limit - 1)
    low[i] = Math.floor(position)
    high[i] = Math.min(low[i]! + 1, limit - 1)
    weight[i] = Math.round((position - low[i]!) * 256)
  }
  return { low, high, weight }
}

/** Bilinear samples of a view at camera size. Long-hand over typed arrays: it runs for every frame. */
function crop(picture: PlanarPicture, view: View): PlanarPicture {
  const { width, height } = CAMERA_SIZE
  const step = view.width / width
  const columns = axis(width, view.x, step, picture.width, view.mirrored)
  const rows = axis(height, view.y, step, picture.height, false)
  const bright = Uint8ClampedArray.from({ length: 256 }, (_, code) => code * view.gain)
  const data = new Uint8Array(3 * width * height)
  let at = 0
  for (let channel = 0; channel < 3; channel++) {
    const plane = channel * picture.width * picture.height
    for (let y = 0; y < height; y++) {
      const upper = plane + rows.low[y]! * picture.width
      const lower = plane + rows.high[y]! * picture.width
      const down = rows.weight[y]!
      for (let x = 0; x < width; x++) {
        const left = columns.low[x]!
        const right = columns.high[x]!
        const across = columns.weight[x]!
        const top = picture.data[upper + left]! * (256 - across) + picture.data[upper + right]! * across
        const bottom = picture.data[lower + left]! * (256 - across) + picture.data[lower + right]! * across
        data[at++] = bright[(top * (256 - down) + bottom * down + 32_768) >> 16]!
      }
    }
  }
  return { width, height, channels: 3, data }
}

/** Moving colour bars with the frame number as a bright square: a camera for boards without photographs. */
export function testPatternSource(): FrameSource {
  return {
    frame(index) {
      const { width, height } = CAMERA_SIZE
      const data = new Uint8Array(3 * width * height)
      const squareX = (index * 3) % (width - 32)
      for (let y = 0; y < height; y++) {
        for (let x = 0; x < width; x++) {
          const bar = ((x + index) >> 5) & 7
          const inSquare = x >= squareX && x < squareX + 32 && y >= 104 && y < 136
          const at = y * width + x
          for (let channel = 0; channel < 3; channel++) {
            data[channel * width * height + at] = inSquare ? 255 : (bar >> channel) & 1 ? 40 + (y >> 1) : 16
          }
        }
      }
      return { width, height, channels: 3, data }
    },
  }
}

/** A camera as plain data. */
export type CameraSpec = { readonly kind: 'pattern' } | ({ readonly kind: 'scene' } & Scene)

/** The source that a description means; default is the test pattern. */
export function frameSource(spec: CameraSpec = { kind: 'pattern' }): FrameSource {
  return spec.kind === 'scene' ? sceneSource(spec) : testPatternSource()
}

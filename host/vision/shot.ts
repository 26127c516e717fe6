import { BridgeError } from '../foundation/errors.js'
import type { PlanarPicture } from '../tensor/tensor.js'
import { resizeBilinear } from './resize.js'

/** A crop as a camera sees it. */
export interface Shot {
  /** Index into the pictures. */
  readonly picture: number
  readonly x: number
  readonly y: number
  /** Width of the crop in pixels of the picture; its height follows from the target's shape. */
  readonly width: number
  readonly mirrored: boolean
  /** Factor on the brightness. */
  readonly gain: number
}

/** Mirrors and brightens in place. */
function finish({ width, data }: PlanarPicture, shot: Shot): void {
  if (shot.gain !== 1) {
    const bright = Uint8ClampedArray.from({ length: 256 }, (_, code) => code * shot.gain)
    for (let i = 0; i < data.length; i++) data[i] = bright[data[i]!]!
  }
  if (shot.mirrored) for (let row = 0; row < data.length; row += width) data.subarray(row, row + width).reverse()
}

/** Cuts one shot out of its picture and scales it to width x height. @throws BridgeError `NOT_FOUND` without picture */
export function renderShot(pictures: readonly PlanarPicture[], shot: Shot, width = 320, height = 240): PlanarPicture {
  const picture = pictures[shot.picture]
  if (!picture) {
    throw new BridgeError('NOT_FOUND', {
      what: `there is no picture ${shot.picture}`,
      where: { pictures: pictures.length },
    })
  }
  const window = { x: shot.x, y: shot.y, width: shot.width, height: (shot.width * height) / width }
  const seen = resizeBilinear(picture, width, height, window)
  finish(seen, shot)
  return seen
}

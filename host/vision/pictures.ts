import sharp, { type Sharp } from 'sharp'
import { asBridgeError, BridgeError } from '../foundation/errors.js'
import { readFileBytes } from '../foundation/files.js'
import type { PlanarPicture } from '../tensor/tensor.js'
import type { Detection } from './detection.js'
import { isPnm, readPnm } from './pnm.js'

/** Largest picture that is decoded, in pixels: 64 megapixels. */
const MAX_PIXELS = 64 * 1024 * 1024

/**
 * JPEG, PNG, WebP, PGM or PPM bytes to a planar RGB picture, turned upright by its EXIF orientation. Colour profiles
 * are ignored, as the networks' own tools (OpenCV) ignore them.
 * @param name - file name for error texts
 * @throws BridgeError `PICTURE_FORMAT` with the name
 */
export async function decodePicture(bytes: Uint8Array, name = 'picture'): Promise<PlanarPicture> {
  if (isPnm(bytes)) return readPnm(bytes, name)
  try {
    const { data, info } = await sharp(bytes, { ignoreIcc: true, limitInputPixels: MAX_PIXELS })
      .rotate()
      .flatten({ background: '#000' })
      .toColourspace('srgb')
      .raw({ depth: 'uchar' })
      .toBuffer({ resolveWithObject: true })
    return fromInterleaved(data, info.width, info.height, info.channels)
  } catch (error) {
    throw asBridgeError(error, 'PICTURE_FORMAT', {
      what: `cannot decode the picture: ${error instanceof Error ? error.message : String(error)}`,
      where: { file: name },
      fix: 'Use a JPEG, PNG, WebP, PGM or PPM file of at most 64 megapixels.',
    })
  }
}

/** Reads and decodes a picture file. @throws BridgeError `FILE_READ`, `PICTURE_FORMAT` */
export async function loadPicture(path: string): Promise<PlanarPicture> {
  return decodePicture(await readFileBytes(path), path)
}

/** Interleaved bytes to planar RGB; one or two channels become grey RGB, a fourth channel is dropped. */
function fromInterleaved(data: Uint8Array, width: number, height: number, channels: number): PlanarPicture {
  const plane = width * height
  const planar = new Uint8Array(3 * plane)
  const [red, green, blue] = channels >= 3 ? [0, 1, 2] : [0, 0, 0]
  for (let i = 0, from = 0; i < plane; i++, from += channels) {
    planar[i] = data[from + red]!
    planar[plane + i] = data[from + green]!
    planar[2 * plane + i] = data[from + blue]!
  }
  return { width, height, channels: 3, data: planar }
}

function toInterleaved(picture: PlanarPicture): Uint8Array {
  if (picture.channels === 1) return picture.data
  const plane = picture.width * picture.height
  const data = new Uint8Array(3 * plane)
  for (let i = 0; i < plane; i++) {
    data[3 * i] = picture.data[i]!
    data[3 * i + 1] = picture.data[plane + i]!
    data[3 * i + 2] = picture.data[2 * plane + i]!
  }
  return data
}

function sharpOf(picture: PlanarPicture): Sharp {
  const { width, height, channels } = picture
  if (picture.data.length !== width * height * channels) {
    throw new BridgeError('PICTURE_FORMAT', {
      what: `a ${width}x${height} picture of ${channels} channels has ${picture.data.length} bytes`,
    })
  }
  return sharp(toInterleaved(picture), { raw: { width, height, channels } })
}

/** Planar RGB or grey picture as JPEG. @param quality - 1..100 */
export async function encodeJpeg(picture: PlanarPicture, quality = 85): Promise<Uint8Array> {
  return sharpOf(picture).jpeg({ quality }).toBuffer()
}

/** Planar RGB or grey picture as PNG. */
export async function encodePng(picture: PlanarPicture): Promise<Uint8Array> {
  return sharpOf(picture).png().toBuffer()
}

/** How boxes are drawn: a stroke colour, and labels by index in place of `label N`. */
export interface DrawStyle {
  readonly colour?: string
  readonly labels?: readonly string[]
}

const escapeXml = (text: string): string => text.replace(/[<>&"']/g, (c) => `&#${c.charCodeAt(0)};`)

function detectionSvg(detection: Detection, style: DrawStyle): string {
  const [x, y, width, height] = detection.box.map((value) => value.toFixed(1))
  const colour = escapeXml(style.colour ?? '#39ff14')
  const name = style.labels?.[detection.label] ?? ''
  const text = escapeXml(`${name} ${detection.score.toFixed(2)}`.trim())
  return (
    `<rect x="${x}" y="${y}" width="${width}" height="${height}" fill="none" stroke="${colour}" stroke-width="2"/>` +
    `<text x="${x}" y="${Math.max(10, detection.box[1] - 3).toFixed(1)}" fill="${colour}" font-size="11" ` +
    `font-family="sans-serif">${text}</text>`
  )
}

/**
 * A picture with boxes drawn over it, as PNG, for reports and for people.
 * @param detections - boxes in pixels of `picture`
 */
export async function drawDetections(
  picture: PlanarPicture,
  detections: readonly Detection[],
  style: DrawStyle = {},
): Promise<Uint8Array> {
  const { width, height } = picture
  const shapes = detections.map((one) => detectionSvg(one, style)).join('')
  const svg = `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}">${shapes}</svg>`
  return sharpOf(picture)
    .toColourspace('srgb')
    .composite([{ input: Buffer.from(svg), left: 0, top: 0 }])
    .png()
    .toBuffer()
}

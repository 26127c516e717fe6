import { readdir, stat } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import { asBridgeError, BridgeError } from '../foundation/errors.js'
import { readFileBytes } from '../foundation/files.js'
import type { PlanarPicture } from '../tensor/tensor.js'
import { type InputRule, placePicture } from '../vision/letterbox.js'
import { decodePicture, loadPicture } from '../vision/pictures.js'
import { resizeArea } from '../vision/resize.js'
import { renderShot, type Shot } from '../vision/shot.js'

const PICTURE_NAME = /\.(jpe?g|png|webp|pgm|ppm)$/i

/** Spreads `count` choices evenly over a list, so that a sorted folder is not only sampled at its beginning. */
function spread<T>(items: readonly T[], count: number): T[] {
  if (items.length <= count) return [...items]
  return Array.from({ length: count }, (_, i) => items[Math.floor((i * items.length) / count)]!)
}

async function listedFiles(source: string): Promise<string[]> {
  try {
    if ((await stat(source)).isDirectory()) {
      const names = (await readdir(source)).filter((name) => PICTURE_NAME.test(name)).sort()
      return names.map((name) => join(source, name))
    }
  } catch (error) {
    throw asBridgeError(error, 'FILE_READ', { where: { file: source }, fix: 'Check the path and its permissions.' })
  }
  const lines = new TextDecoder().decode(await readFileBytes(source)).split(/\r?\n/)
  const names = lines.map((line) => line.trim()).filter((line) => line !== '' && !line.startsWith('#'))
  return names.map((name) => resolve(dirname(source), name))
}

/**
 * Paths of the pictures that a calibration takes: of a folder those named as pictures, in order of name; of a text file
 * one path a line, relative to the file. When there are more than `count`, evenly spread.
 * @throws BridgeError `FILE_READ`, or `COMPILE_CALIBRATION` when there is none
 */
export async function calibrationFiles(source: string, count: number): Promise<string[]> {
  const files = await listedFiles(source)
  if (files.length > 0) return spread(files, count)
  throw new BridgeError('COMPILE_CALIBRATION', {
    what: 'there are no pictures to calibrate with',
    where: { file: source },
    fix: 'Name a folder with JPEG, PNG, WebP, PGM or PPM files, or a text file with one path a line.',
  })
}

/**
 * Calibration pictures at the network's size and in its channel order.
 * @param source - a folder, a text file with one path a line, or the bytes of picture files
 * @param input - the card's input rule
 * @param count - how many at most
 * @throws BridgeError `FILE_READ`, `PICTURE_FORMAT`, or `COMPILE_CALIBRATION` when there is none
 */
export async function loadCalibration(
  source: string | readonly Uint8Array[],
  input: InputRule,
  count = 100,
): Promise<PlanarPicture[]> {
  const pictures: PlanarPicture[] = []
  if (typeof source === 'string') {
    for (const file of await calibrationFiles(source, count)) pictures.push(await place(loadPicture(file), input))
  } else {
    for (const [i, bytes] of spread(source, count).entries()) {
      pictures.push(await place(decodePicture(bytes, `calibration picture ${i}`), input))
    }
  }
  return pictures
}

async function place(picture: Promise<PlanarPicture>, input: InputRule): Promise<PlanarPicture> {
  return placePicture(await picture, input).picture
}

/**
 * Photographs of a scene, scaled to one width with antialiasing: what shots are cut out of.
 * @throws BridgeError `FILE_READ`, `PICTURE_FORMAT`
 */
export async function loadScenePictures(
  pictures: readonly { readonly file: string }[],
  width: number,
): Promise<PlanarPicture[]> {
  const scaled: PlanarPicture[] = []
  for (const { file } of pictures) {
    const picture = await loadPicture(file)
    scaled.push(resizeArea(picture, width, Math.round((picture.height * width) / picture.width)))
  }
  return scaled
}

/** Shots of a scene as calibration pictures: seen by a 320x240 camera, then placed by the card's input rule. */
export function calibrationFromShots(
  pictures: readonly PlanarPicture[],
  shots: readonly Shot[],
  input: InputRule,
): PlanarPicture[] {
  return shots.map((shot) => placePicture(renderShot(pictures, shot), input).picture)
}

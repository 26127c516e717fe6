import { BridgeError } from '../foundation/errors.js'
import type { PlanarPicture } from '../tensor/tensor.js'

/** True for binary PGM (P5) or PPM (P6) bytes. */
export function isPnm(bytes: Uint8Array): boolean {
  return bytes.length > 2 && bytes[0] === 0x50 && (bytes[1] === 0x35 || bytes[1] === 0x36)
}

const isSpace = (byte: number): boolean => byte === 0x20 || (byte >= 0x09 && byte <= 0x0d)

/** Width, height and maximum value after the magic number, and where the pixels start. */
function readHeader(bytes: Uint8Array): { values: number[]; start: number } {
  const values: number[] = []
  let at = 2
  while (values.length < 3 && at < bytes.length) {
    if (bytes[at] === 0x23) {
      while (at < bytes.length && bytes[at] !== 0x0a) at++
    } else if (isSpace(bytes[at]!)) {
      at++
    } else {
      let text = ''
      while (at < bytes.length && !isSpace(bytes[at]!)) text += String.fromCharCode(bytes[at++]!)
      values.push(Number(text))
    }
  }
  return { values, start: at + 1 }
}

/**
 * Binary PGM or PPM with 8 bits a value to planar RGB. Here because the picture library's own build has no reader.
 * @throws BridgeError `PICTURE_FORMAT` with the name
 */
export function readPnm(bytes: Uint8Array, name: string): PlanarPicture {
  const { values, start } = readHeader(bytes)
  const [width, height, maximum] = values
  const channels = bytes[1] === 0x36 ? 3 : 1
  const valid = [width, height].every((size) => Number.isInteger(size) && size! > 0) && maximum === 255
  const plane = (width ?? 0) * (height ?? 0)
  if (!valid || bytes.length - start < plane * channels) {
    throw new BridgeError('PICTURE_FORMAT', {
      what: 'the PGM or PPM file is cut short or not 8 bits a value',
      where: { file: name },
    })
  }
  const data = new Uint8Array(3 * plane)
  for (let channel = 0; channel < 3; channel++) {
    const from = start + (channels === 3 ? channel : 0)
    for (let i = 0; i < plane; i++) data[channel * plane + i] = bytes[from + i * channels]!
  }
  return { width: width!, height: height!, channels: 3, data }
}

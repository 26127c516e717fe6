import { BridgeError } from '../foundation/errors.js'
import type { KmodelV3 } from './v3/model.js'
import { readKmodelV3 } from './v3/reader.js'
import type { KmodelV4 } from './v4/model.js'
import { readKmodelV4 } from './v4/reader.js'
import { KMODEL_IDENTIFIER } from './v4/writer.js'

/** A kmodel of either version; `version` tells them apart. */
export type Kmodel = KmodelV3 | KmodelV4

const HEADER_BYTES = { v3: 28, v4: 40 }

/**
 * Reads a kmodel v3 or v4.
 * @throws BridgeError `KMODEL_FORMAT` (no kmodel, byte-swapped, text), `KMODEL_VERSION` (v1, v5, unknown),
 *   `KMODEL_TRUNCATED`, `KMODEL_INVALID`; each with file offsets and what to do
 */
export function readKmodel(file: Uint8Array): Kmodel {
  if (file.length < 8) throw truncated(file, 8)
  const view = new DataView(file.buffer, file.byteOffset, file.byteLength)
  const first = view.getUint32(0, true)
  if (first === KMODEL_IDENTIFIER) return readIdentified(file, view.getUint32(4, true))
  if (first === 3) {
    if (file.length < HEADER_BYTES.v3) throw truncated(file, HEADER_BYTES.v3)
    return readKmodelV3(file)
  }
  throw unrecognized(file, first)
}

function readIdentified(file: Uint8Array, version: number): Kmodel {
  if (version !== 4) {
    throw new BridgeError('KMODEL_VERSION', {
      what: `kmodel version ${version}${version === 5 ? ' (nncase 1.x)' : ''}; versions 3 and 4 are supported`,
      where: { offset: 4, version },
      fix: 'Compile the ONNX or TFLite model again with k210-bridge compile, or with nncase 0.2.',
    })
  }
  if (file.length < HEADER_BYTES.v4) throw truncated(file, HEADER_BYTES.v4)
  return readKmodelV4(file)
}

function truncated(file: Uint8Array, wanted: number): BridgeError {
  return new BridgeError('KMODEL_TRUNCATED', {
    what: `the file has ${file.length} bytes, a kmodel header has ${wanted}`,
    where: { offset: 0, fileBytes: file.length },
    fix: 'The file is empty or cut: copy it again.',
  })
}

const swap = (word: number): number =>
  ((word >>> 24) | ((word >>> 8) & 0xff00) | ((word & 0xff00) << 8) | (word << 24)) >>> 0

function unrecognized(file: Uint8Array, first: number): BridgeError {
  const where = { offset: 0, firstWord: `0x${first.toString(16).padStart(8, '0')}` }
  if (swap(first) === 3 || swap(first) === KMODEL_IDENTIFIER) {
    return new BridgeError('KMODEL_FORMAT', {
      what: 'the kmodel has every 32-bit word byte-swapped (a MaixPy "be" model for use from SPI flash)',
      where,
      fix: 'Swap the bytes of every 32-bit word (objcopy --reverse-bytes=4), or use the model without "be" in its name.',
    })
  }
  if (first === 1 || first === 2) {
    return new BridgeError('KMODEL_VERSION', {
      what: `kmodel version ${first}; versions 3 and 4 are supported`,
      where,
      fix: 'Compile the original model again.',
    })
  }
  return new BridgeError('KMODEL_FORMAT', { what: `the file is no kmodel${guess(file)}`, where, fix: fixFor(file) })
}

const startsWith = (file: Uint8Array, text: string): boolean =>
  file.length >= text.length && [...text].every((letter, index) => file[index] === letter.charCodeAt(0))

const isText = (file: Uint8Array): boolean =>
  file.subarray(0, 64).every((byte) => byte === 9 || byte === 10 || byte === 13 || (byte >= 32 && byte < 127))

function guess(file: Uint8Array): string {
  if (startsWith(file, 'PK')) return ' but a zip archive (a kfpkg?)'
  if (startsWith(file, 'version https://git-lfs')) return ' but a Git LFS pointer'
  if (isText(file)) return ' but text'
  if (file[0] === 0x08) return ' but perhaps an ONNX model'
  return ''
}

function fixFor(file: Uint8Array): string {
  if (startsWith(file, 'PK')) return 'Unpack it: a kfpkg holds the kmodel beside its flash-list.json.'
  if (startsWith(file, 'version https://git-lfs')) return 'Fetch the file itself with git lfs pull.'
  if (file[0] === 0x08) return 'Compile it first: k210-bridge compile MODEL -o OUT.kmodel.'
  return 'Give a kmodel of version 3 or 4; encrypted smodel and emodel files cannot be read.'
}

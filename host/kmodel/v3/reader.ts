import { BridgeError } from '../../foundation/errors.js'
import { ByteReader } from '../bytes.js'
import { readFields } from '../fields.js'
import type { Place } from '../v4/model.js'
import { LAYER_NAMES, LAYERS } from './layers.js'
import type { KmodelV3, V3Layer, V3UnknownLayer } from './model.js'

/** The last body's padding may be missing in the file: nncase seeks over it. */
const MISSING_PADDING = 7

/**
 * Reads a kmodel v3. Trailing data is allowed, up to 7 bytes of final padding may be missing.
 * @throws BridgeError `KMODEL_VERSION` (another chip), `KMODEL_TRUNCATED`, `KMODEL_INVALID` with file offsets
 * @see kmodel-v3.md section 1
 */
export function readKmodelV3(file: Uint8Array): KmodelV3 {
  const reader = new ByteReader(file, 4, file.length)
  const weightBits = reader.u32() & 1 ? 8 : 16
  const arch = reader.u32()
  if (arch !== 0) {
    throw new BridgeError('KMODEL_VERSION', {
      what: `kmodel v3 is for architecture ${arch}, the K210 is 0`,
      where: { offset: 8 },
      fix: 'Compile the model for the K210.',
    })
  }
  const layerCount = reader.u32()
  const maxStartRow = reader.u32()
  const mainBytes = reader.u32()
  const outputCount = reader.u32()
  checkCounts(reader, layerCount, outputCount)
  const outputs = Array.from({ length: outputCount }, () => ({ address: reader.u32(), bytes: reader.u32() }))
  const headers = Array.from({ length: layerCount }, () => ({ id: reader.u32(), bytes: reader.u32() }))
  const { layers, places, end } = readLayers(file, headers, reader.offset, weightBits)
  const usedBytes = Math.min(end, file.length)
  return { version: 3, weightBits, maxStartRow, mainBytes, outputs, layers, places, usedBytes }
}

function checkCounts(reader: ByteReader, layers: number, outputs: number): void {
  if ((layers + outputs) * 8 <= reader.left) return
  throw new BridgeError('KMODEL_TRUNCATED', {
    what: `${layers} layers and ${outputs} outputs need ${(layers + outputs) * 8} bytes of tables, ${reader.left} are left`,
    where: { offset: reader.offset, fileBytes: reader.file.length },
    fix: 'The file is cut or damaged: copy it again, or compile it again.',
  })
}

function readLayers(
  file: Uint8Array,
  headers: readonly { id: number; bytes: number }[],
  start: number,
  weightBits: 8 | 16,
) {
  const layers: (V3Layer | V3UnknownLayer)[] = []
  const places: Place[] = []
  let offset = start
  headers.forEach((header, index) => {
    const end = offset + header.bytes
    if (end > file.length + (index === headers.length - 1 ? MISSING_PADDING : 0)) {
      throw new BridgeError('KMODEL_TRUNCATED', {
        what: `body of layer ${index} ends at ${end}, the file has ${file.length} bytes`,
        where: { layer: index, offset, fileBytes: file.length },
        fix: 'The file is cut: copy it again, or compile it again.',
      })
    }
    layers.push(readLayer(new ByteReader(file, offset, Math.min(end, file.length)), header.id, weightBits))
    places.push({ offset, bytes: header.bytes })
    offset = end
  })
  return { layers, places, end: offset }
}

function readLayer(reader: ByteReader, id: number, weightBits: 8 | 16): V3Layer | V3UnknownLayer {
  const type = LAYER_NAMES.get(id)
  if (type === undefined) return { type: 'unknown', id, data: reader.bytes(reader.left) }
  return { type, ...readFields(LAYERS[type].fields, reader, { weightBits }) } as V3Layer // fields of this type's own row
}

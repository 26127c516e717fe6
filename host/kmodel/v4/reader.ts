import { BridgeError } from '../../foundation/errors.js'
import { ByteReader } from '../bytes.js'
import { readFields } from '../fields.js'
import type { KmodelV4, KmodelV4Node, Place, UnknownNode } from './model.js'
import { OP_NAMES, OPS, range, shape4 } from './ops.js'

const NODE_HEADER_BYTES = 8
/** The last body's padding may be missing in the file: nncase seeks over it. */
const MISSING_PADDING = 7

/**
 * Reads a kmodel v4. Trailing data is allowed (see `usedBytes`), up to 7 bytes of final padding may be missing.
 * @throws BridgeError `KMODEL_TRUNCATED`, `KMODEL_INVALID` with file offsets
 * @see kmodel-v4.md section 1
 */
export function readKmodelV4(file: Uint8Array): KmodelV4 {
  const reader = new ByteReader(file, 16, file.length)
  const constantBytes = reader.u32()
  const mainBytes = reader.u32()
  const nodeCount = reader.u32()
  const inputCount = reader.u32()
  const outputCount = reader.u32()
  reader.take(4)
  checkCounts(reader, nodeCount, inputCount, outputCount)
  const inputRanges = Array.from({ length: inputCount }, () => range.read(reader, {}))
  const shapes = Array.from({ length: inputCount }, () => shape4.read(reader, {}))
  const outputs = Array.from({ length: outputCount }, () => range.read(reader, {}))
  const constants = reader.bytes(constantBytes)
  const headers = Array.from({ length: nodeCount }, () => ({ opcode: reader.u32(), bytes: reader.u32() }))
  const { nodes, places, end } = readNodes(file, headers, reader.offset)
  const inputs = inputRanges.map((input, index) => ({ range: input, shape: shapes[index]! }))
  const usedBytes = Math.min(end, file.length)
  return { version: 4, inputs, outputs, constants, mainBytes, nodes, places, usedBytes }
}

function checkCounts(reader: ByteReader, nodes: number, inputs: number, outputs: number): void {
  const wanted = nodes * NODE_HEADER_BYTES + inputs * 32 + outputs * 16
  if (wanted <= reader.left) return
  throw new BridgeError('KMODEL_TRUNCATED', {
    what: `${nodes} nodes, ${inputs} inputs and ${outputs} outputs need ${wanted} bytes of tables, ${reader.left} are left`,
    where: { offset: reader.offset, fileBytes: reader.file.length },
    fix: 'The file is cut or damaged: copy it again, or compile it again.',
  })
}

function readNodes(file: Uint8Array, headers: readonly { opcode: number; bytes: number }[], start: number) {
  const nodes: (KmodelV4Node | UnknownNode)[] = []
  const places: Place[] = []
  let offset = start
  headers.forEach((header, index) => {
    const isLast = index === headers.length - 1
    const end = offset + header.bytes
    if (end > file.length + (isLast ? MISSING_PADDING : 0)) {
      throw new BridgeError('KMODEL_TRUNCATED', {
        what: `body of node ${index} ends at ${end}, the file has ${file.length} bytes`,
        where: { node: index, offset, fileBytes: file.length },
        fix: 'The file is cut: copy it again, or compile it again.',
      })
    }
    nodes.push(readNode(new ByteReader(file, offset, Math.min(end, file.length)), header.opcode))
    places.push({ offset, bytes: header.bytes })
    offset = end
  })
  return { nodes, places, end: offset }
}

function readNode(reader: ByteReader, opcode: number): KmodelV4Node | UnknownNode {
  const op = OP_NAMES.get(opcode)
  if (op === undefined) return { op: 'unknown', opcode, data: reader.bytes(reader.left) }
  return { op, ...readFields(OPS[op].fields, reader) } as KmodelV4Node // fields come from this op's own row
}

import { BridgeError } from '../../foundation/errors.js'
import { ByteWriter } from '../bytes.js'
import { writeFields } from '../fields.js'
import { weightBytesOf } from './kpu-blocks.js'
import type { KmodelV4Model, KmodelV4Node } from './model.js'
import { OPS, range, shape4 } from './ops.js'

/** First word of a kmodel v4 and later. */
export const KMODEL_IDENTIFIER = 0x4b4d444c
/** Bodies and the constant area. */
const BODY_ALIGNMENT = 8
const HEADER = { version: 4, flags: 0, targetK210: 1 }

/**
 * A kmodel v4 file. Bodies begin at multiples of 8, tables of KPU layers at multiples of 256 of the file.
 * @throws BridgeError `KPU_LIMIT` when a register value does not fit, `KMODEL_INVALID` when a table has a wrong size
 * @see kmodel-v4.md sections 1 and 3
 */
export function writeKmodelV4(model: KmodelV4Model): Uint8Array {
  const writer = new ByteWriter()
  writeHeader(model, writer)
  const headers = model.nodes.map((node) => {
    const at = writer.offset
    writer.u32(OPS[node.op].opcode)
    writer.u32(0)
    return at
  })
  model.nodes.forEach((node, index) => {
    checkTables(node, index)
    const start = writer.offset
    writeFields(OPS[node.op].fields, { ...node }, writer)
    writer.align(BODY_ALIGNMENT)
    writer.patchU32(headers[index]! + 4, writer.offset - start)
  })
  return writer.finish()
}

function writeHeader(model: KmodelV4Model, writer: ByteWriter): void {
  const constantBytes = Math.ceil(model.constants.length / BODY_ALIGNMENT) * BODY_ALIGNMENT
  const words = [KMODEL_IDENTIFIER, HEADER.version, HEADER.flags, HEADER.targetK210, constantBytes, model.mainBytes]
  for (const word of [...words, model.nodes.length, model.inputs.length, model.outputs.length, 0]) writer.u32(word)
  for (const input of model.inputs) range.write(writer, input.range, {})
  for (const input of model.inputs) shape4.write(writer, input.shape, {})
  for (const output of model.outputs) range.write(writer, output, {})
  writer.bytes(model.constants)
  writer.align(BODY_ALIGNMENT)
}

function checkTables(node: KmodelV4Node, index: number): void {
  if (node.op !== 'kpuConv2d') return
  const { layer, batchNorm, activation, weights } = node.kpu
  const wanted = { batchNorm: layer.oChNum * 8, activation: 144, weights: weightBytesOf(layer, 8, 0) }
  const given = { batchNorm: batchNorm.length, activation: activation.length, weights: weights.length }
  for (const name of ['batchNorm', 'activation', 'weights'] as const) {
    if (wanted[name] === given[name]) continue
    throw new BridgeError('KMODEL_INVALID', {
      what: `${name} of a KPU layer has ${given[name]} bytes, its words ask for ${wanted[name]}`,
      where: { node: index },
    })
  }
}

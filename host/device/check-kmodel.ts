import type { HelloAnswer } from '../../protocol/index.js'
import { BridgeError } from '../foundation/errors.js'
import type { Kmodel } from '../kmodel/read.js'
import { OPS } from '../kmodel/v4/ops.js'

/** What of HELLO says which kmodels a shim takes. */
export type Abilities = Pick<HelloAnswer, 'kmodelVersions' | 'opcodes' | 'limitBytes' | 'buildId'>

/** Bit of `opcodes` that stands for all KPU layers (protocol/messages/system.ts). */
const KPU_BIT = 31
const KPU_OPCODES = 0x1000

function hasBit(word: number, bit: number): boolean {
  return ((word >>> bit) & 1) === 1
}

/** Names of the layers that a shim has no code for; v3 layers are not announced one by one. */
function missingLayers(model: Kmodel, opcodes: number): string[] {
  if (model.version === 3) return []
  const missing = model.nodes.flatMap((node) => {
    const opcode = node.op === 'unknown' ? node.opcode : OPS[node.op].opcode
    const isKnown = opcode >= KPU_OPCODES ? node.op !== 'unknown' && hasBit(opcodes, KPU_BIT) : hasBit(opcodes, opcode)
    return isKnown ? [] : [node.op === 'unknown' ? `opcode 0x${opcode.toString(16)}` : node.op]
  })
  return [...new Set(missing)]
}

/**
 * Refuses a kmodel that a running shim cannot load or hold, before its first byte is sent.
 * @param fileBytes - the file stays in memory whole while the model is loaded
 * @throws BridgeError `KMODEL_VERSION`, `LINK_REFUSED` for layers without code, `COMPILE_MEMORY`
 */
export function refuseUnloadable(model: Kmodel, fileBytes: number, board: Abilities): void {
  const where = { firmware: board.buildId }
  if (!hasBit(board.kmodelVersions, model.version)) {
    throw new BridgeError('KMODEL_VERSION', {
      what: `the board's firmware does not load kmodel version ${model.version}`,
      where: { ...where, version: model.version },
      fix: 'Flash newer firmware with k210-bridge flash, or compile for another version.',
    })
  }
  const missing = missingLayers(model, board.opcodes)
  if (missing.length > 0) {
    throw new BridgeError('LINK_REFUSED', {
      what: `the board's firmware has no code for ${missing.join(', ')}`,
      where: { ...where, status: 'MODEL_UNSUPPORTED' },
      fix: 'Flash newer firmware, or compile the model without these layers; k210-bridge inspect shows them.',
    })
  }
  const bytes = fileBytes + model.mainBytes
  if (bytes <= board.limitBytes) return
  throw new BridgeError('COMPILE_MEMORY', {
    what: `the model needs ${fileBytes} bytes and ${model.mainBytes} of working memory, the board has ${board.limitBytes} for models`,
    where: { ...where, bytes, limitBytes: board.limitBytes },
    fix: 'Use a smaller network or input; k210-bridge inspect shows what takes the memory.',
  })
}

import { BridgeError, type ErrorPlace } from '../../foundation/errors.js'
import type { KpuLayer } from '../../kpu/layer-words.js'
import { checkLimits, type LimitViolation } from '../../kpu/limits.js'

/**
 * Limits that files in the field break although chips run them: nncase 0.2 checks sizes before pooling only.
 * They become warnings; all others refuse the layer.
 */
const TOLERATED: readonly LimitViolation['limit'][] = ['outputWidth', 'outputHeight']

/**
 * Refuses a layer that the KPU cannot run.
 * @returns sentences about tolerated violations
 * @throws BridgeError `KPU_LIMIT` that names every violation
 */
export function refuseIllegal(layer: KpuLayer, weightBits: 8 | 16, where: ErrorPlace = {}): string[] {
  const violations = checkLimits(layer, { weightBits })
  const fatal = violations.filter((violation) => !TOLERATED.includes(violation.limit))
  if (layer.oRowWid < 1 || layer.oColHigh < 1 || fatal.length > 0) {
    throw new BridgeError('KPU_LIMIT', {
      what: fatal.map((violation) => violation.what).join('; ') || 'the output is empty',
      where,
      fix: 'Compile the model again: the chip cannot run this layer.',
    })
  }
  if (layer.bypassConv || layer.fullAdd || layer.firstStride || layer.padType) {
    throw new BridgeError('SIM_UNSUPPORTED', {
      what: 'bypass_conv, full_add, first_stride or pad_type is set; nobody documents what they do',
      where,
    })
  }
  return violations.map((violation) => violation.what)
}

import type { CardMemory, ModelCard } from '../../card/card.js'
import { MODEL_LIMIT_BYTES } from '../../compiler/report.js'
import { sha256Hex } from '../../foundation/sha256.js'
import { kmodelSummary, type LayerSummary } from '../../kmodel/describe.js'
import { type Kmodel, readKmodel } from '../../kmodel/read.js'
import type { Violation } from '../../kmodel/validate/report.js'
import { validateKmodelV4 } from '../../kmodel/validate/validate-v4.js'
import { type FirmwareSupport, firmwareSupport } from './firmware-support.js'

/** One layer of an inspected kmodel; keys as `compile --json` has them. */
export interface InspectedLayer {
  readonly index: number
  readonly name: string
  readonly op: string
  readonly where: 'kpu' | 'cpu'
  /** Output map [channels, height, width] of KPU layers; null where the file does not say. */
  readonly shape: readonly number[] | null
  readonly text: string
  readonly macs: number
  readonly clocks: number
  readonly weightBytes: number
  /** Forecast with our firmware, and with the vendor's v4 runtime. */
  readonly predictedMs: number
  readonly vendorMs: number
  readonly reason: string
  readonly snrDb: null
  readonly cosine: null
}

/** An output; scale and zero point are the card's, null without one. */
export interface InspectedOutput {
  readonly name: string
  readonly shape: readonly number[] | null
  readonly type: string
  readonly bytes: number
  readonly scale: number | null
  readonly zeroPoint: number | null
}

/** Broken rules of one kind. */
export interface ViolationGroup {
  readonly rule: Violation['rule']
  readonly count: number
  readonly first: Violation
}

/** What `inspect` says of a kmodel. Times are forecasts, not measured on a chip. */
export interface InspectedKmodel {
  readonly kind: 'kmodel'
  readonly kmodel: string
  readonly bytes: number
  readonly sha256: string
  readonly target: 'v3' | 'v4'
  readonly weightBits: 8 | 16
  readonly card: string | null
  readonly input: {
    readonly shape: readonly number[] | null
    readonly type: string
    readonly bytes: number
    readonly scale: number | null
    readonly zeroPoint: number | null
  }
  readonly outputs: readonly InspectedOutput[]
  readonly layers: readonly InspectedLayer[]
  readonly macs: number
  readonly memory: CardMemory
  readonly predictedMs: number
  readonly vendorMs: number
  readonly violations: readonly ViolationGroup[]
  /** False when the file breaks a rule that loading or running depends on. */
  readonly isValid: boolean
  readonly firmware: readonly FirmwareSupport[]
}

/** Rules that vendor files break without harm: reserved bits, and bytes behind the model. */
const HARMLESS: ReadonlySet<Violation['rule']> = new Set(['reserved', 'size'])

function shapesOf(model: Kmodel): (readonly number[] | null)[] {
  const layers = model.version === 3 ? model.layers : model.nodes
  return layers.map((layer) => {
    if (!('kpu' in layer)) return null
    const { oChNum, oColHigh, oRowWid } = layer.kpu.layer
    return [oChNum, oColHigh, oRowWid]
  })
}

function inspectedLayer({ predictedMs, ...layer }: LayerSummary, shape: readonly number[] | null): InspectedLayer {
  return {
    ...layer,
    name: `${layer.op} ${layer.index}`,
    shape,
    predictedMs: predictedMs.ours,
    vendorMs: predictedMs.vendorV4,
    reason: '',
    snrDb: null,
    cosine: null,
  }
}

/** Violations by rule, most frequent first: vendor files repeat one of them hundreds of times. */
function groupViolations(violations: readonly Violation[]): ViolationGroup[] {
  const groups = new Map<string, ViolationGroup>()
  for (const first of violations) {
    const known = groups.get(first.rule)
    groups.set(first.rule, { rule: first.rule, first: known?.first ?? first, count: (known?.count ?? 0) + 1 })
  }
  return [...groups.values()].sort((a, b) => b.count - a.count)
}

/**
 * Describes a kmodel v3 or v4.
 * @param card - gives names, scales and zero points where it describes as many outputs as the file has
 * @throws BridgeError `KMODEL_*` for a file that is none, damaged or of another version
 */
export function inspectKmodel(name: string, file: Uint8Array, card?: ModelCard): InspectedKmodel {
  const model = readKmodel(file)
  const summary = kmodelSummary(model)
  const shapes = shapesOf(model)
  const peakBytes = summary.memory.modelBytes + summary.memory.mainBytes
  const fits = peakBytes <= MODEL_LIMIT_BYTES
  const violations = groupViolations(model.version === 4 ? validateKmodelV4(file) : [])
  const described = card?.outputs.length === summary.outputs.length ? card.outputs : undefined
  const input = summary.inputs[0]
  return {
    kind: 'kmodel',
    kmodel: name,
    bytes: file.length,
    sha256: sha256Hex(file),
    target: `v${summary.version}`,
    weightBits: summary.weightBits,
    card: card?.name ?? null,
    input: {
      shape: input?.shape ?? null,
      type: input?.type ?? 'uint8',
      bytes: input?.bytes ?? 0,
      scale: card?.input.scale ?? null,
      zeroPoint: card?.input.zeroPoint ?? null,
    },
    outputs: summary.outputs.map(({ shape, type, bytes }, index) => ({
      name: described?.[index]?.name ?? `output${index}`,
      shape: shape ?? described?.[index]?.shape ?? null,
      type,
      bytes,
      scale: described?.[index]?.scale ?? null,
      zeroPoint: described?.[index]?.zeroPoint ?? null,
    })),
    layers: summary.layers.map((layer, index) => inspectedLayer(layer, shapes[index]!)),
    macs: summary.macs,
    memory: { ...summary.memory, peakBytes, limitBytes: MODEL_LIMIT_BYTES, fits },
    predictedMs: summary.predictedMs.ours,
    vendorMs: summary.predictedMs.vendorV4,
    violations,
    isValid: violations.every(({ rule }) => HARMLESS.has(rule)),
    firmware: firmwareSupport(model, fits),
  }
}

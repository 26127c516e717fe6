import type { Kmodel } from '../../kmodel/read.js'

/** Whether one firmware can load a kmodel. */
export interface FirmwareSupport {
  readonly firmware: string
  readonly loads: boolean
  /** Condition or reason; empty when there is nothing to say. */
  readonly note: string
}

/** v4 opcodes without code in the shim (firmware-shim/src/opcodes.c lists those that it has). */
export const SHIM_LACKS_V4: ReadonlySet<string> = new Set([
  'conv2d',
  'reduceWindow2d',
  'resizeImage',
  'quantizedConv2d',
  'quantizedMatmul',
  'conv2dTranspose',
  'nnilUnary',
])

/** v3 layers that early SDKs lack. Source: kmodel-v3.md section 2. */
const SDK_LACKS_V3 = [
  { version: '0.5.4', layers: ['resizeNearest', 'quantizedResizeNearest', 'channelwiseDequantize', 'logistic'] },
  { version: '0.5.5', layers: ['quantizedResizeNearest', 'logistic'] },
] as const

const layerNames = (model: Kmodel): readonly string[] =>
  model.version === 3 ? model.layers.map((layer) => layer.type) : model.nodes.map((node) => node.op)

function shimSupport(model: Kmodel, fits: boolean): FirmwareSupport {
  const names = layerNames(model)
  const missing = [...new Set(names.filter((name) => name === 'unknown' || SHIM_LACKS_V4.has(name)))]
  const notes = [
    missing.length > 0 ? `it has no code for ${missing.join(', ')}` : '',
    fits ? '' : 'model and working memory do not fit the RAM that the shim leaves',
  ].filter((note) => note !== '')
  return { firmware: 'k210-bridge shim', loads: notes.length === 0, note: notes.join('; ') }
}

function firstSdk(model: Kmodel): string {
  const names = new Set(layerNames(model))
  const lacking = SDK_LACKS_V3.filter(({ layers }) => layers.some((layer) => names.has(layer)))
  if (lacking.length === SDK_LACKS_V3.length) return '0.5.6'
  return lacking.length === 1 ? '0.5.5' : '0.5.4'
}

/**
 * Which firmware families load this kmodel. Source: kmodel-v4.md section 7 (published loaders; none was tried here).
 * @param fits - true when model and working memory fit what the shim leaves
 */
export function firmwareSupport(model: Kmodel, fits: boolean): FirmwareSupport[] {
  const hasUnknown = layerNames(model).includes('unknown')
  const others: FirmwareSupport[] =
    model.version === 3
      ? [
          { firmware: `Kendryte standalone SDK ${firstSdk(model)} and later`, loads: !hasUnknown, note: '' },
          { firmware: 'RT-Thread with RT-AK', loads: !hasUnknown, note: '' },
          { firmware: 'MaixPy v1', loads: !hasUnknown, note: 'minimum builds too' },
        ]
      : [
          { firmware: 'Kendryte standalone SDK 0.5.7 and later', loads: !hasUnknown, note: '0.5.6 and older: no' },
          { firmware: 'RT-Thread with RT-AK', loads: !hasUnknown, note: '' },
          {
            firmware: 'MaixPy v1',
            loads: !hasUnknown,
            note: 'full builds; output shapes are set by hand; minimum builds: no',
          },
        ]
  return [shimSupport(model, fits), ...others]
}

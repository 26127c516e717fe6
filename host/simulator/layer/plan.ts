/** Fields of layer_t in kernels/layer.h, in order; each is 4 bytes. */
export const PLAN_FIELDS = [
  'ram',
  'srcRow',
  'dstRow',
  'inChannels',
  'outChannels',
  'inHeight',
  'inWidth',
  'convHeight',
  'convWidth',
  'outHeight',
  'outWidth',
  'padValue',
  'pool',
  'depthwise',
  'kernel',
  'stride',
  'border',
  'pitch',
  'planeRows',
  'planeBytes',
  'planeCount',
  'planes',
  'planeData',
  'entryCount',
  'entries',
  'weights',
  'accumulators',
  'stripRows',
  'guess',
  'checkRange',
  'certain',
  'channel',
  'thresholds',
  'windows',
  'bytes',
  'rawWeights',
  'rawTables',
  'segments',
  'weightBits',
  'argX',
  'shrX',
  'errorChannel',
  'errorPixel',
] as const

/** One field of the kernels' plan. */
export type PlanField = (typeof PLAN_FIELDS)[number]

/** Bytes of an encoded plan. */
export const PLAN_BYTES = PLAN_FIELDS.length * 4

/** Byte offset of a field. */
export const planOffset = (field: PlanField): number => PLAN_FIELDS.indexOf(field) * 4

/** Values of all fields; `certain` is a float. */
export type PlanValues = { readonly [F in PlanField]: number }

/** Bytes of a plan. */
export function encodePlan(values: PlanValues): Uint8Array {
  const bytes = new Uint8Array(PLAN_BYTES)
  const view = new DataView(bytes.buffer)
  PLAN_FIELDS.forEach((field, index) => {
    if (field === 'certain') view.setFloat32(index * 4, values[field], true)
    else view.setUint32(index * 4, values[field] >>> 0, true)
  })
  return bytes
}

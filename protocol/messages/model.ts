import { MODEL } from '../limits.js'
import { fixedBytes, list, record, request, text, u8, u32 } from '../schema.js'

/** State of a model slot, `modelList` entry field `state`. */
export const SLOT_STATE = { empty: 0, stored: 1, loaded: 2, failed: 3 } as const

/** One slot of the model store. */
export const modelSlot = record('modelSlot', {
  slot: u8('Slot number.'),
  state: u8('0 empty, 1 stored, 2 loaded, 3 failed to load.'),
  status: u8('Why it failed, else 0.'),
  size: u32('Bytes of the kmodel.'),
  sha256: fixedBytes('SHA-256 of the kmodel.', 32),
  name: text('Name given on transfer.', { maxLength: MODEL.nameBytes }),
})

/** Lists the slots. */
export const modelList = request({
  name: 'modelList',
  id: 0x10,
  doc: 'Lists the model slots, empty ones included.',
  fields: {},
  answer: { entries: list('All slots.', modelSlot, { maxLength: 8 }) },
})

/** Makes a stored model ready to run. */
export const modelLoad = request({
  name: 'modelLoad',
  id: 0x11,
  doc: 'Reads a stored model into memory; loading a loaded model does nothing.',
  fields: { slot: u8('Slot number.') },
  answer: { mainBytes: u32('Working memory of the model.'), freeBytes: u32('Memory left.') },
})

/** Removes a model. */
export const modelRemove = request({
  name: 'modelRemove',
  id: 0x12,
  doc: 'Unloads the model and frees its slot; an empty slot is no error.',
  fields: { slot: u8('Slot number.') },
  answer: {},
})

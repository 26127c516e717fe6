import { createHash } from 'node:crypto'
import { encode } from '../../protocol/codec.js'
import { crc32 } from '../../protocol/framing/crc32.js'
import { FLASH_MAP, MODEL, STORE } from '../../protocol/limits.js'
import { storeEntry, storeHeader } from '../../protocol/messages/store.js'
import { BridgeError } from '../foundation/errors.js'
import type { FlashItem } from './plan.js'

/** A model for one slot of the board's model store. */
export interface StoreModel {
  /** 0..3, each at most once. */
  readonly slot: number
  /** At most 32 bytes of UTF-8. */
  readonly name: string
  readonly kmodel: Uint8Array
  /** The card's binary form, at most 880 bytes. */
  readonly card: Uint8Array
}

/**
 * Flash items that replace the whole model store: the models from 64 KiB boundaries on, then the directory. The second
 * directory sector is left blank, as an old one of a higher sequence would win.
 * @throws BridgeError `FLASH_PLAN` when slots, names, cards or sizes break a limit
 */
export function modelStoreItems(models: readonly StoreModel[]): FlashItem[] {
  checkModels(models)
  const sorted = [...models].sort((a, b) => a.slot - b.slot)
  const entries = Array.from({ length: MODEL.slots }, () => emptyEntry())
  const items: FlashItem[] = []
  let address: number = FLASH_MAP.storeModels
  for (const model of sorted) {
    entries[model.slot] = entryOf(model, address)
    items.push({ name: `model ${model.name}`, address, bytes: model.kmodel, role: 'data' })
    address += Math.ceil(model.kmodel.length / FLASH_MAP.blockBytes) * FLASH_MAP.blockBytes
  }
  if (address > FLASH_MAP.storeEnd) {
    throw planError('the models do not fit the model store', { bytes: address - FLASH_MAP.storeModels })
  }
  items.push({
    name: 'model directory',
    address: FLASH_MAP.storeDirectoryA,
    bytes: directorySectors(entries),
    role: 'directory',
  })
  return items
}

function directorySectors(entries: readonly Uint8Array[]): Uint8Array {
  const sectors = new Uint8Array(2 * FLASH_MAP.sectorBytes).fill(0xff)
  const first = sectors.subarray(0, FLASH_MAP.sectorBytes).fill(0)
  const header = { magic: STORE.magic, version: STORE.version, slotCount: MODEL.slots, sequence: 1 }
  first.set(encode(storeHeader, header), 0)
  for (const [slot, entry] of entries.entries()) first.set(entry, STORE.headerBytes + slot * STORE.entryBytes)
  new DataView(first.buffer).setUint32(STORE.crcOffset, crc32(first.subarray(0, STORE.crcOffset)), true)
  return sectors
}

function entryOf(model: StoreModel, address: number): Uint8Array {
  const card = new Uint8Array(MODEL.cardBytes)
  card.set(model.card)
  return encode(storeEntry, {
    used: 1,
    flags: 0,
    cardLength: model.card.length,
    name: model.name,
    address,
    size: model.kmodel.length,
    sha256: new Uint8Array(createHash('sha256').update(model.kmodel).digest()),
    card,
    reserved: 0,
  })
}

/** An unused slot is all zero. */
function emptyEntry(): Uint8Array {
  return new Uint8Array(STORE.entryBytes)
}

function checkModels(models: readonly StoreModel[]): void {
  const slots = new Set<number>()
  for (const { slot, name, card, kmodel } of models) {
    const where = { slot, name }
    if (!Number.isInteger(slot) || slot < 0 || slot >= MODEL.slots) {
      throw planError(`slots are 0 to ${MODEL.slots - 1}`, where)
    }
    if (slots.has(slot)) throw planError('two models want the same slot', where)
    if (Buffer.byteLength(name) > MODEL.nameBytes) throw planError(`a name has at most ${MODEL.nameBytes} bytes`, where)
    if (card.length > MODEL.cardBytes) throw planError(`the card has more than ${MODEL.cardBytes} bytes`, where)
    if (kmodel.length === 0) throw planError('the kmodel is empty', where)
    slots.add(slot)
  }
}

function planError(what: string, where: Readonly<Record<string, string | number>>): BridgeError {
  return new BridgeError('FLASH_PLAN', { what, where, fix: 'Choose other slots, names or smaller models.' })
}

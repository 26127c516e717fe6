import { decode } from '../../protocol/codec.js'
import { crc32 } from '../../protocol/framing/crc32.js'
import { FLASH_MAP, MODEL, STORE } from '../../protocol/limits.js'
import { storeEntry, storeHeader } from '../../protocol/messages/store.js'
import { toHex } from '../foundation/hex.js'
import { sha256Hex } from '../foundation/sha256.js'

/** One model of a board's model store, as found in a copy of its flash. */
export interface StoredModel {
  readonly slot: number
  readonly name: string
  /** Flash address of the kmodel. */
  readonly address: number
  readonly bytes: number
  readonly cardBytes: number
  /** What the directory says, hex. */
  readonly sha256: string
  /** True when the bytes in the flash have that hash. */
  readonly isIntact: boolean
  /** The kmodel as it lies in the flash. */
  readonly kmodel: Uint8Array
}

/** State of one directory sector. */
export type SectorState = 'blank' | 'damaged' | 'valid'

/** The model store of a copy of the flash. */
export interface ModelStore {
  readonly sectors: { readonly a: SectorState; readonly b: SectorState }
  /** The sector that counts; undefined when neither is valid. */
  readonly current?: { readonly sector: 'a' | 'b'; readonly sequence: number }
  readonly models: readonly StoredModel[]
}

interface Directory {
  readonly state: SectorState
  readonly sequence: number
  readonly bytes: Uint8Array
}

function readDirectory(flash: Uint8Array, address: number): Directory {
  const bytes = flash.subarray(address, address + FLASH_MAP.sectorBytes)
  if (bytes.every((byte) => byte === 0xff)) return { state: 'blank', sequence: 0, bytes }
  const crc = new DataView(bytes.buffer, bytes.byteOffset).getUint32(STORE.crcOffset, true)
  const { magic, version, slotCount, sequence } = decode(storeHeader, bytes.subarray(0, STORE.headerBytes))
  const isValid =
    magic === STORE.magic &&
    version === STORE.version &&
    slotCount === MODEL.slots &&
    crc === crc32(bytes.subarray(0, STORE.crcOffset))
  return { state: isValid ? 'valid' : 'damaged', sequence, bytes }
}

function readEntry(flash: Uint8Array, directory: Directory, slot: number): StoredModel | undefined {
  const at = STORE.headerBytes + slot * STORE.entryBytes
  const entry = decode(storeEntry, directory.bytes.subarray(at, at + STORE.entryBytes))
  if (entry.used !== 1) return undefined
  const kmodel = flash.subarray(entry.address, entry.address + entry.size)
  const sha256 = toHex(entry.sha256)
  return {
    slot,
    name: entry.name,
    address: entry.address,
    bytes: entry.size,
    cardBytes: entry.cardLength,
    sha256,
    isIntact: kmodel.length === entry.size && sha256Hex(kmodel) === sha256,
    kmodel,
  }
}

/**
 * Reads the model store out of a copy of a board's flash and checks the hash of every model. Of two valid directory
 * sectors the higher sequence wins, as on the board.
 * @returns undefined when the copy ends before the store
 */
export function readModelStore(flash: Uint8Array): ModelStore | undefined {
  if (flash.length < FLASH_MAP.storeModels) return undefined
  const a = readDirectory(flash, FLASH_MAP.storeDirectoryA)
  const b = readDirectory(flash, FLASH_MAP.storeDirectoryB)
  const sectors = { a: a.state, b: b.state }
  const useB = b.state === 'valid' && (a.state !== 'valid' || b.sequence > a.sequence)
  const current = useB ? b : a
  if (current.state !== 'valid') return { sectors, models: [] }
  const slots = Array.from({ length: MODEL.slots }, (_, slot) => readEntry(flash, current, slot))
  return {
    sectors,
    current: { sector: useB ? 'b' : 'a', sequence: current.sequence },
    models: slots.filter((model) => model !== undefined),
  }
}

import { IMAGE_HEADER_BYTES } from '../../flasher/image.js'
import { type ModelStore, readModelStore, type StoredModel } from '../../flasher/read-store.js'
import type { BridgeError } from '../../foundation/errors.js'
import { toAddress } from '../../foundation/hex.js'
import { sha256Hex } from '../../foundation/sha256.js'
import { type InspectedFirmware, inspectFirmware } from './firmware.js'
import { guessContent } from './package.js'

/** A run of sectors. */
export interface FlashArea {
  readonly address: string
  readonly bytes: number
  readonly isBlank: boolean
}

/** A model of the store, without its bytes. */
export interface InspectedSlot extends Omit<StoredModel, 'kmodel' | 'address'> {
  readonly address: string
  readonly holds: string
}

/** What `inspect` says of a copy of a board's flash. */
export interface InspectedFlash {
  readonly kind: 'flash'
  readonly file: string
  readonly bytes: number
  readonly sha256: string
  /** Null when address 0 is blank: the ROM waits for ISP. */
  readonly firmware: InspectedFirmware | null
  readonly store: Omit<ModelStore, 'models'> | null
  readonly models: readonly InspectedSlot[]
  readonly areas: readonly FlashArea[]
  /** What is damaged, one sentence each. */
  readonly problems: readonly string[]
  /** Why the ROM refuses the firmware at address 0, in the form of every error. */
  readonly error?: BridgeError
}

const MIB = 1024 * 1024
const CHIP_SIZES: ReadonlySet<number> = new Set([4, 8, 16, 32].map((size) => size * MIB))
const AREA_STEP = 64 * 1024
const SECTOR = 4096
const HASH_BYTES = 32

/** True for a file as long as a flash chip. */
export const looksLikeFlash = (bytes: Uint8Array): boolean => CHIP_SIZES.has(bytes.length)

const isBlank = (bytes: Uint8Array): boolean => bytes.every((byte) => byte === 0xff)

/** Blank and used runs of 64 KiB steps. */
function areasOf(flash: Uint8Array): FlashArea[] {
  const areas: { start: number; bytes: number; isBlank: boolean }[] = []
  for (let start = 0; start < flash.length; start += AREA_STEP) {
    const blank = isBlank(flash.subarray(start, start + AREA_STEP))
    const last = areas.at(-1)
    if (last?.isBlank === blank) last.bytes += AREA_STEP
    else areas.push({ start, bytes: AREA_STEP, isBlank: blank })
  }
  return areas.map(({ start, ...area }) => ({ address: toAddress(start), ...area }))
}

/** The image at address 0, as far as its length says, or all there is where the length is nonsense. */
function firmwareAt0(file: string, flash: Uint8Array): InspectedFirmware | null {
  if (isBlank(flash.subarray(0, SECTOR))) return null
  const length = new DataView(flash.buffer, flash.byteOffset).getUint32(1, true)
  const end = IMAGE_HEADER_BYTES + length + HASH_BYTES
  return inspectFirmware(file, flash.subarray(0, Math.min(end, flash.length)))
}

function problemsOf(firmware: InspectedFirmware | null, store: ModelStore | undefined): string[] {
  const problems: string[] = []
  if (firmware?.error) problems.push(`the ROM refuses to boot the firmware: ${firmware.error.what}`)
  const { a = 'blank', b = 'blank' } = store?.sectors ?? {}
  if (!store?.current && (a === 'damaged' || b === 'damaged')) problems.push('no directory of the model store is valid')
  for (const { slot, name, isIntact } of store?.models ?? []) {
    if (!isIntact) problems.push(`model ${name} in slot ${slot} has another SHA-256 than its directory says`)
  }
  return problems
}

/** Describes a copy of a board's flash or the flash file of a virtual board. */
export function inspectFlash(file: string, flash: Uint8Array): InspectedFlash {
  const firmware = firmwareAt0(file, flash)
  const store = readModelStore(flash)
  const models = (store?.models ?? []).map(({ kmodel, address, ...model }) => ({
    ...model,
    address: toAddress(address),
    holds: model.isIntact ? guessContent(kmodel) : 'damaged bytes',
  }))
  return {
    kind: 'flash',
    file,
    bytes: flash.length,
    sha256: sha256Hex(flash),
    firmware,
    store: store ? { sectors: store.sectors, ...(store.current && { current: store.current }) } : null,
    models,
    areas: areasOf(flash),
    problems: problemsOf(firmware, store),
    ...(firmware?.error && { error: firmware.error }),
  }
}

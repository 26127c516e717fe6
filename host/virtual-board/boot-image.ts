import { createHash } from 'node:crypto'

/** Bytes around the payload: cipher flag, length, SHA-256 trailer. isp.md 3.1. */
const HEADER_BYTES = 5
const HASH_BYTES = 32

/** What the ROM makes of the flash: a payload to run, or the reason why it stays in ISP. */
export type BootCheck =
  | { readonly ok: true; readonly payload: Uint8Array }
  | { readonly ok: false; readonly reason: string }

const refused = (reason: string): BootCheck => ({ ok: false, reason })

/**
 * Checks the firmware image at the start of the flash as the ROM does: flag, length, SHA-256 trailer over all before.
 * @param flash - the flash from address 0
 * @param maxPayload - bytes of RAM that the payload may take
 */
export function checkBootImage(flash: Uint8Array, maxPayload: number): BootCheck {
  const view = new DataView(flash.buffer, flash.byteOffset, flash.byteLength)
  const flag = view.getUint8(0)
  if (flag === 1) return refused('image is encrypted, no key in OTP')
  if (flag !== 0) return refused(`no image: cipher flag is 0x${flag.toString(16)}`)
  const length = view.getUint32(1, true)
  if (length === 0 || length > maxPayload) return refused(`image length ${length} is out of range`)
  const end = HEADER_BYTES + length
  const hash = createHash('sha256').update(flash.subarray(0, end)).digest()
  if (!hash.equals(flash.subarray(end, end + HASH_BYTES))) return refused('SHA-256 of the image is wrong')
  return { ok: true, payload: flash.subarray(HEADER_BYTES, end) }
}

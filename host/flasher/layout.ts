import { IMAGE_HEADER_BYTES, MAX_PAYLOAD_BYTES } from './image.js'
import type { IspSession } from './isp-session.js'
import type { FlashPlan } from './plan.js'
import { readFlash } from './ranges.js'

/** Where the second stage of a two-stage boot lies (ktool, Krux). isp.md section 3.3 */
const SECOND_STAGE = 0x1000

/**
 * Warns before a firmware image goes over another layout: boards with a two-stage boot hold small images at 0 and
 * 0x1000 and their application behind; writing over them has cost users their set-up (odudex/krux #24).
 */
export async function layoutWarnings(session: IspSession, plan: FlashPlan): Promise<readonly string[]> {
  if (!plan.regions.some(({ role }) => role === 'firmware')) return []
  const first = payloadLength(await readFlash(session, 0, IMAGE_HEADER_BYTES))
  if (first === undefined || first > SECOND_STAGE) return []
  const second = payloadLength(await readFlash(session, SECOND_STAGE, IMAGE_HEADER_BYTES))
  if (second === undefined) return []
  return ['the board held a two-stage boot (images at 0x0 and 0x1000, as Krux and ktool use); it is replaced']
}

function payloadLength(header: Uint8Array): number | undefined {
  const length = new DataView(header.buffer, header.byteOffset, header.byteLength).getUint32(1, true)
  return header[0] === 0 && length > 0 && length <= MAX_PAYLOAD_BYTES ? length : undefined
}

import { STUB_VERSION } from '../../protocol/isp/commands.js'
import { CAPABILITIES, decodeFields, INFO_FIELDS, type IspFields } from '../../protocol/isp/payloads.js'
import { BridgeError } from '../foundation/errors.js'
import type { IspSession } from './isp-session.js'

/** Answer of our stub to `info`. */
export type StubInfo = IspFields<typeof INFO_FIELDS>

/**
 * Asks our stub who it is.
 * @throws BridgeError `FLASH_REPLY` on silence or a foreign answer
 */
export async function readStubInfo(session: IspSession, attempts = 5): Promise<StubInfo> {
  const info = decodeFields(INFO_FIELDS, await session.requestPacket('info', {}, { attempts }))
  if (info === undefined || info.version !== STUB_VERSION) {
    throw new BridgeError('FLASH_REPLY', {
      what: `the running flash stub has version ${info?.version ?? 'unknown'}; this flasher needs ${STUB_VERSION}`,
      where: { port: session.port.url },
      fix: 'Reset the board, so that the right stub is loaded.',
    })
  }
  return info
}

/** Bytes of the flash chip by its id; 0 when the id is none. isp.md section 2.5, 0xDE. */
export function flashBytes(flashId: number): number {
  const log2 = flashId & 0xff
  return log2 >= 16 && log2 <= 26 ? 2 ** log2 : 0
}

/** True when the stub has a capability. */
export function can(info: StubInfo, capability: keyof typeof CAPABILITIES): boolean {
  return (info.capabilities & CAPABILITIES[capability]) !== 0
}

const BLOCK_PROTECTION = 0b0001_1100 // status 1, BP0..BP2
const COMPLEMENT = 1 << 14 // status 2, bit 6
const PROTECTION_SCHEME = 1 << 18 // status 3, bit 2 (WPS)

/**
 * Erases and writes of a protected chip are silently ignored while all looks normal, so the bits are checked first.
 * @throws BridgeError `FLASH_PROTECTED`, or `FLASH_REPLY` when no flash chip answers. Source: isp.md section 4.5
 */
export function checkFlash(info: StubInfo, port: string): void {
  const id = `0x${info.flashId.toString(16).padStart(6, '0')}`
  if (flashBytes(info.flashId) === 0) {
    throw new BridgeError('FLASH_REPLY', {
      what: `the flash chip does not answer (id ${id})`,
      where: { port, flashId: id },
      fix: 'Power the board off and on; if the id stays, the flash chip or its wiring is damaged.',
    })
  }
  const protectedBits = info.flashStatus & (BLOCK_PROTECTION | COMPLEMENT | PROTECTION_SCHEME)
  if (protectedBits === 0) return
  throw new BridgeError('FLASH_PROTECTED', {
    what: 'the flash chip is write protected: it would ignore erase and write without an error',
    where: { port, flashId: id, status: `0x${info.flashStatus.toString(16).padStart(6, '0')}` },
    fix: 'Clear the protection bits (status 1 BP0..BP2, status 2 CMP, status 3 WPS) with the tool that set them.',
  })
}

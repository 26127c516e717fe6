import { readKfpkg } from '../../flasher/kfpkg.js'
import type { FlashItem } from '../../flasher/plan.js'
import { toAddress } from '../../foundation/hex.js'
import { sha256Hex } from '../../foundation/sha256.js'
import { readKmodel } from '../../kmodel/read.js'
import { inspectProgram, isWebAssembly } from './firmware.js'

/** One file of a kfpkg package. */
export interface PackageEntry {
  readonly name: string
  /** As 0x00000000. */
  readonly address: string
  readonly bytes: number
  readonly sha256: string
  /** True: header and SHA-256 are put around it on flashing. */
  readonly wrapped: boolean
  readonly reverse4Bytes: boolean
  /** A guess what it holds. */
  readonly holds: string
}

/** What `inspect` says of a kfpkg package. */
export interface InspectedPackage {
  readonly kind: 'kfpkg'
  readonly file: string
  readonly bytes: number
  readonly sha256: string
  readonly entries: readonly PackageEntry[]
}

/** A few words about data in a package or in flash. */
export function guessContent(bytes: Uint8Array): string {
  try {
    return `kmodel v${readKmodel(bytes).version}`
  } catch {
    return isWebAssembly(bytes) ? 'program (webassembly)' : 'data'
  }
}

function entryOf({ name, address, bytes, wrap = false, reverse4Bytes = false }: FlashItem): PackageEntry {
  const holds = wrap ? `program (${inspectProgram(name, bytes).payload.kind})` : guessContent(bytes)
  return {
    name,
    address: toAddress(address),
    bytes: bytes.length,
    sha256: sha256Hex(bytes),
    wrapped: wrap,
    reverse4Bytes,
    holds,
  }
}

/** Describes a kfpkg package. @throws BridgeError `KFPKG_FORMAT` */
export function inspectPackage(file: string, bytes: Uint8Array): InspectedPackage {
  const entries = readKfpkg(bytes).map(entryOf)
  return { kind: 'kfpkg', file, bytes: bytes.length, sha256: sha256Hex(bytes), entries }
}

import { unzipSync } from 'fflate'
import { asBridgeError, BridgeError } from '../foundation/errors.js'
import { DEFAULT_FLASH_BYTES, type FlashItem, planFlash } from './plan.js'

const LIST_NAME = 'flash-list.json'
const VERSIONS = ['0.1.0', '0.1.1']

interface ListEntry {
  readonly address: number
  readonly bin: string
  readonly sha256Prefix: boolean
  readonly swap: boolean
}

/** True when the bytes are a ZIP archive. */
export function isZip(bytes: Uint8Array): boolean {
  return bytes[0] === 0x50 && bytes[1] === 0x4b && bytes[2] === 3 && bytes[3] === 4
}

/**
 * Reads a kfpkg package, tolerant of what the vendor's own packages contain: bare hex addresses, hex strings, trailing
 * commas, a byte order mark. Source: isp.md section 3.3.
 * @returns the files as flash items, not yet wrapped
 * @throws BridgeError `KFPKG_FORMAT`, before any board is touched
 */
export function readKfpkg(bytes: Uint8Array, flashBytes = DEFAULT_FLASH_BYTES): FlashItem[] {
  const entries = unpack(bytes, flashBytes)
  const list = entries[LIST_NAME]
  if (list === undefined) throw missingList(Object.keys(entries))
  const items = readFlashList(new TextDecoder().decode(list)).map((entry) => toItem(entry, entries))
  try {
    planFlash(items, { flashBytes, force: true })
  } catch (error) {
    if (error instanceof BridgeError) throw formatError(error.what, error.where)
    throw error
  }
  return items
}

/**
 * Reads flash-list.json.
 * @throws BridgeError `KFPKG_FORMAT` with the entry and the rule
 */
export function readFlashList(text: string): ListEntry[] {
  const list = parseTolerant(text)
  if (!isRecord(list) || !Array.isArray(list.files)) throw formatError(`${LIST_NAME} has no list "files"`)
  if (list.version !== undefined && !VERSIONS.includes(String(list.version))) {
    throw formatError(`${LIST_NAME} has version ${String(list.version)}; ${VERSIONS.join(' and ')} are known`)
  }
  if (list.files.length === 0) throw formatError(`${LIST_NAME} names no files`)
  return list.files.map(readEntry)
}

function readEntry(value: unknown, index: number): ListEntry {
  const where = { file: `files[${index}]` }
  if (!isRecord(value)) throw formatError('an entry is no object', where)
  const address = readAddress(value.address)
  if (address === undefined) throw formatError('an entry has no valid address', where)
  if (typeof value.bin !== 'string' || value.bin === '') throw formatError('an entry has no "bin"', where)
  checkEntryName(value.bin)
  return {
    address,
    bin: value.bin,
    sha256Prefix: value.sha256Prefix === true,
    swap: value.reverse4Bytes === true || value.swap === true,
  }
}

function readAddress(value: unknown): number | undefined {
  const number = typeof value === 'string' && value.trim() !== '' ? Number(value) : value
  return typeof number === 'number' && Number.isInteger(number) && number >= 0 && number <= 0xffff_ffff
    ? number
    : undefined
}

function checkEntryName(name: string): void {
  const parts = name.split(/[\\/]/)
  if (!parts.includes('..') && parts[0] !== '' && !/^[A-Za-z]:/.test(name)) return
  throw formatError('an entry name leaves the package', { bin: name })
}

function toItem(entry: ListEntry, entries: Readonly<Record<string, Uint8Array>>): FlashItem {
  const bytes = Object.hasOwn(entries, entry.bin) ? entries[entry.bin] : undefined
  if (bytes === undefined) throw formatError('a listed file is not in the package', { bin: entry.bin })
  return {
    name: entry.bin,
    address: entry.address,
    bytes,
    role: entry.address === 0 && entry.sha256Prefix ? 'firmware' : 'data',
    wrap: entry.sha256Prefix,
    reverse4Bytes: entry.swap,
  }
}

/** Unpacks the archive; entries larger than the flash are refused before they are inflated. */
function unpack(bytes: Uint8Array, flashBytes: number): Readonly<Record<string, Uint8Array>> {
  if (!isZip(bytes)) throw formatError('this is no ZIP archive', { bytes: bytes.length })
  let total = 0
  const filter = (file: { name: string; originalSize: number }) => {
    total += file.originalSize
    if (total > 2 * flashBytes) throw formatError('the package is larger than any flash', { file: file.name })
    return !file.name.endsWith('/')
  }
  try {
    return unzipSync(bytes, { filter })
  } catch (error) {
    throw asBridgeError(error, 'KFPKG_FORMAT', {
      what: 'the ZIP archive is damaged',
      fix: 'Download or pack it again.',
    })
  }
}

/** JSON with a byte order mark, bare hex literals outside strings and trailing commas. */
function parseTolerant(text: string): unknown {
  const pieces = text.replace(/^\uFEFF/, '').match(/"(?:[^"\\]|\\.)*"|[^"]+|"/gs) ?? []
  const clean = pieces.map((piece) => (piece.startsWith('"') ? piece : plainJson(piece))).join('')
  try {
    return JSON.parse(dropTrailingCommas(clean))
  } catch (error) {
    const what = `${LIST_NAME} is no JSON: ${error instanceof Error ? error.message : String(error)}`
    throw asBridgeError(error, 'KFPKG_FORMAT', { what, fix: 'Repair flash-list.json or pack the package again.' })
  }
}

function plainJson(piece: string): string {
  return piece.replace(/\b0[xX]([0-9a-fA-F]+)\b/g, (_, digits: string) => String(Number.parseInt(digits, 16)))
}

function dropTrailingCommas(text: string): string {
  return text.replace(/("(?:[^"\\]|\\.)*")|,(\s*[}\]])/gs, (_, quoted?: string, end?: string) => quoted ?? end ?? '')
}

function missingList(names: readonly string[]): BridgeError {
  const elsewhere = names.find((name) => name.endsWith(`/${LIST_NAME}`))
  if (elsewhere === undefined) return formatError(`the package has no ${LIST_NAME}`)
  return formatError(`${LIST_NAME} must lie at the top of the package`, { found: elsewhere })
}

function formatError(what: string, where: Readonly<Record<string, string | number>> = {}): BridgeError {
  return new BridgeError('KFPKG_FORMAT', {
    what,
    where,
    fix: 'Pack the package again, with flash-list.json and the files that it names at the top.',
  })
}

function isRecord(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

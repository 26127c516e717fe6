/** Data of the extension commands as rows: field name and kind in wire order, little endian, no padding. */

type Kind = 'u16' | 'u32' | 'rest'

/** One field: its kind and what it means. */
interface Field {
  readonly kind: Kind
  readonly doc: string
}

type Row = Readonly<Record<string, Field>>

/** The object that a row reads into. */
export type IspFields<R extends Row> = {
  readonly [K in keyof R]: R[K]['kind'] extends 'rest' ? Uint8Array : number
}

const u16 = (doc: string) => ({ kind: 'u16', doc }) as const
const u32 = (doc: string) => ({ kind: 'u32', doc }) as const
const rest = (doc: string) => ({ kind: 'rest', doc }) as const

/** Data of `setBaud` and `romSetBaud`. */
export const BAUD_FIELDS = { baud: u32('Wanted rate in baud.') } as const

/** Data of `info`'s reply. */
export const INFO_FIELDS = {
  version: u16('Version of the extensions.'),
  windowSectors: u16('Sectors that the stub can hold before they are programmed.'),
  capabilities: u32('Bit 0: hashes, 1: windowed write, 2: read, 3: RAM write and execute.'),
  flashId: u32('JEDEC maker << 16 | type << 8 | log2 of the size.'),
  flashStatus: u32('Status registers 1 | 2 << 8 | 3 << 16.'),
  rxOverruns: u32('Received bytes lost since the start.'),
  badFrames: u32('Frames refused since the start.'),
} as const

/** Data of `hashSectors`. */
export const HASH_SECTORS_FIELDS = { count: u32('Sectors, 1..512; the reply has one CRC-32 (u32) for each.') } as const

/** Data of `hashRange` and `flashRead`. */
export const LENGTH_FIELDS = { length: u32('Bytes.') } as const

/** Data of `writeOpen`. */
export const WRITE_OPEN_FIELDS = {
  count: u16('Sectors of the session, 1..512.'),
  reserved: u16('0.'),
  bitmaps: rest(
    'ceil(count/8) bytes: bit n = sector n will be sent; then as many: bit n = sector n is blank (0xFF) now.',
  ),
} as const

/** Data of `writeStatus`. */
export const WRITE_STATUS_FIELDS = {
  received: u16('Sectors that arrived in this session.'),
  programmed: u16('Sectors of them that are in the flash.'),
  freeSectors: u16('Sectors that the stub can take now.'),
  badFrames: u16('Frames refused since the start, modulo 65536.'),
  bitmap: rest('ceil(count/8) bytes: bit n = sector n arrived or was not to be sent.'),
} as const

/** Bits of `info`'s capabilities. */
export const CAPABILITIES = { hashes: 1, windowedWrite: 2, read: 4, ramExecute: 8 } as const

const BYTES: Readonly<Record<Kind, number>> = { u16: 2, u32: 4, rest: 0 }

/** Bytes of a row without its last variable field. */
export function fixedBytes(row: Row): number {
  return Object.values(row).reduce((sum, field) => sum + BYTES[field.kind], 0)
}

/** A row's bytes. */
export function encodeFields<R extends Row>(row: R, values: IspFields<R>): Uint8Array {
  const given = values as Readonly<Record<string, number | Uint8Array>>
  const parts = Object.entries(row).map(([name, field]) => {
    const value = given[name]!
    return typeof value === 'number' ? encodeNumber(field.kind, value) : value
  })
  return new Uint8Array(Buffer.concat(parts))
}

function encodeNumber(kind: Kind, value: number): Uint8Array {
  const bytes = new Uint8Array(BYTES[kind])
  for (let i = 0; i < bytes.length; i++) bytes[i] = Math.floor(value / 2 ** (8 * i)) & 0xff
  return bytes
}

/** Reads a row; undefined when the bytes are too few. */
export function decodeFields<R extends Row>(row: R, bytes: Uint8Array): IspFields<R> | undefined {
  if (bytes.length < fixedBytes(row)) return undefined
  const values: Record<string, number | Uint8Array> = {}
  let offset = 0
  for (const [name, field] of Object.entries(row)) {
    values[name] = field.kind === 'rest' ? bytes.subarray(offset) : decodeNumber(bytes, offset, BYTES[field.kind])
    offset += BYTES[field.kind]
  }
  return values as IspFields<R> // each field was just read by its own kind
}

function decodeNumber(bytes: Uint8Array, offset: number, size: number): number {
  let value = 0
  for (let i = size - 1; i >= 0; i--) value = value * 256 + bytes[offset + i]!
  return value
}

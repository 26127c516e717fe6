import { BridgeError } from '../host/foundation/errors.js'
import {
  type Field,
  type Fields,
  type ListField,
  maxBytes,
  type Payload,
  prefixBytes,
  SCALAR_BYTES,
  type ScalarKind,
} from './schema.js'

/** What encode and decode need of a row. */
export interface Encodable<F extends Fields = Fields> {
  readonly name: string
  readonly fields: F
}

type FieldValue = number | string | Uint8Array | readonly unknown[]
interface RecordValue {
  [name: string]: FieldValue
}

const utf8 = new TextEncoder()
const fromUtf8 = new TextDecoder()

const INTEGER_RANGE: Readonly<Record<Exclude<ScalarKind, 'f32'>, readonly [number, number]>> = {
  u8: [0, 0xff],
  u16: [0, 0xffff],
  u32: [0, 0xffff_ffff],
  u64: [0, Number.MAX_SAFE_INTEGER],
  i8: [-0x80, 0x7f],
  i16: [-0x8000, 0x7fff],
  i32: [-0x8000_0000, 0x7fff_ffff],
}

function refuse(path: string, what: string): never {
  throw new BridgeError('LINK_MESSAGE', {
    what,
    where: { field: path },
    fix: 'Check that host and firmware are of the same version.',
  })
}

/** Writes little endian into a buffer that never has to grow: rows know their largest size. */
class Writer {
  readonly #bytes: Uint8Array
  readonly #view: DataView
  #offset = 0

  constructor(capacity: number) {
    this.#bytes = new Uint8Array(capacity)
    this.#view = new DataView(this.#bytes.buffer)
  }

  scalar(kind: ScalarKind, value: number): void {
    const at = this.#offset
    this.#offset += SCALAR_BYTES[kind]
    switch (kind) {
      case 'u8':
        this.#view.setUint8(at, value)
        break
      case 'u16':
        this.#view.setUint16(at, value, true)
        break
      case 'u32':
        this.#view.setUint32(at, value, true)
        break
      case 'u64':
        this.#view.setBigUint64(at, BigInt(value), true)
        break
      case 'i8':
        this.#view.setInt8(at, value)
        break
      case 'i16':
        this.#view.setInt16(at, value, true)
        break
      case 'i32':
        this.#view.setInt32(at, value, true)
        break
      case 'f32':
        this.#view.setFloat32(at, value, true)
        break
    }
  }

  /** `data`, then zero bytes up to `length`. */
  bytes(data: Uint8Array, length = data.length): void {
    this.#bytes.set(data, this.#offset)
    this.#offset += length
  }

  prefix(maxLength: number, length: number): void {
    this.scalar(prefixBytes(maxLength) === 1 ? 'u8' : 'u16', length)
  }

  result(): Uint8Array {
    return this.#bytes.slice(0, this.#offset)
  }
}

/** Reads little endian; every read is checked against the end. */
class Reader {
  readonly #bytes: Uint8Array
  readonly #view: DataView
  #offset = 0

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength)
  }

  get offset(): number {
    return this.#offset
  }

  #take(length: number, path: string): number {
    const at = this.#offset
    if (at + length > this.#bytes.length) {
      refuse(path, `the message ends after ${this.#bytes.length} bytes, ${path} needs ${length} from byte ${at}`)
    }
    this.#offset += length
    return at
  }

  scalar(kind: ScalarKind, path: string): number {
    const at = this.#take(SCALAR_BYTES[kind], path)
    switch (kind) {
      case 'u8':
        return this.#view.getUint8(at)
      case 'u16':
        return this.#view.getUint16(at, true)
      case 'u32':
        return this.#view.getUint32(at, true)
      case 'u64':
        return safeNumber(this.#view.getBigUint64(at, true), path)
      case 'i8':
        return this.#view.getInt8(at)
      case 'i16':
        return this.#view.getInt16(at, true)
      case 'i32':
        return this.#view.getInt32(at, true)
      case 'f32':
        return this.#view.getFloat32(at, true)
    }
  }

  bytes(length: number, path: string): Uint8Array {
    const at = this.#take(length, path)
    return this.#bytes.slice(at, at + length)
  }

  prefix(maxLength: number, path: string): number {
    const length = this.scalar(prefixBytes(maxLength) === 1 ? 'u8' : 'u16', path)
    if (length > maxLength) refuse(path, `${path} announces ${length} items, at most ${maxLength} are allowed`)
    return length
  }
}

function safeNumber(value: bigint, path: string): number {
  if (value > BigInt(Number.MAX_SAFE_INTEGER)) refuse(path, `${path} is ${value}, more than 2^53 - 1`)
  return Number(value)
}

function checkScalar(kind: ScalarKind, value: unknown, path: string): number {
  if (typeof value !== 'number') return refuse(path, `${path} is no number`)
  if (kind === 'f32') return value
  const [low, high] = INTEGER_RANGE[kind]
  if (!Number.isInteger(value) || value < low || value > high) {
    refuse(path, `${path} is ${value}; ${kind} takes integers from ${low} to ${high}`)
  }
  return value
}

function checkLength(length: number, allowed: number, exact: boolean, path: string): void {
  if (exact ? length !== allowed : length > allowed) {
    refuse(path, `${path} has length ${length}, ${exact ? 'exactly' : 'at most'} ${allowed} allowed`)
  }
}

function writeList(writer: Writer, field: ListField, value: unknown, path: string): void {
  if (!Array.isArray(value)) refuse(path, `${path} is no list`)
  const items: readonly unknown[] = value
  checkLength(items.length, field.maxLength, false, path)
  writer.prefix(field.maxLength, items.length)
  const { item } = field
  items.forEach((entry, index) => {
    const at = `${path}[${index}]`
    if (typeof item === 'string') writer.scalar(item, checkScalar(item, entry, at))
    else writeFields(writer, item.fields, entry, at)
  })
}

function writeField(writer: Writer, field: Field, value: unknown, path: string): void {
  switch (field.kind) {
    case 'list':
      writeList(writer, field, value, path)
      break
    case 'bytes':
    case 'fixedBytes': {
      if (!(value instanceof Uint8Array)) refuse(path, `${path} is no Uint8Array`)
      const fixed = field.kind === 'fixedBytes'
      checkLength(value.length, fixed ? field.length : field.maxLength, fixed, path)
      if (field.kind === 'bytes') writer.prefix(field.maxLength, value.length)
      writer.bytes(value)
      break
    }
    case 'text':
    case 'fixedText': {
      if (typeof value !== 'string') refuse(path, `${path} is no string`)
      const data = utf8.encode(value)
      checkLength(data.length, field.kind === 'text' ? field.maxLength : field.length, false, path)
      if (field.kind === 'text') writer.prefix(field.maxLength, data.length)
      writer.bytes(data, field.kind === 'text' ? data.length : field.length)
      break
    }
    default:
      writer.scalar(field.kind, checkScalar(field.kind, value, path))
  }
}

function writeFields(writer: Writer, fields: Fields, value: unknown, path: string): void {
  if (typeof value !== 'object' || value === null) refuse(path, `${path} is no object`)
  const values = value as Readonly<Record<string, unknown>> // checked above; each member is checked on its own
  for (const [name, field] of Object.entries(fields)) writeField(writer, field, values[name], `${path}.${name}`)
}

function readList(reader: Reader, field: ListField, path: string): readonly unknown[] {
  const count = reader.prefix(field.maxLength, path)
  const { item } = field
  return Array.from({ length: count }, (_, index) => {
    const at = `${path}[${index}]`
    return typeof item === 'string' ? reader.scalar(item, at) : readFields(reader, item.fields, at)
  })
}

function readField(reader: Reader, field: Field, path: string): FieldValue {
  switch (field.kind) {
    case 'list':
      return readList(reader, field, path)
    case 'fixedBytes':
      return reader.bytes(field.length, path)
    case 'bytes':
      return reader.bytes(reader.prefix(field.maxLength, path), path)
    case 'text':
      return fromUtf8.decode(reader.bytes(reader.prefix(field.maxLength, path), path))
    case 'fixedText': {
      const data = reader.bytes(field.length, path)
      const end = data.indexOf(0)
      return fromUtf8.decode(end < 0 ? data : data.subarray(0, end))
    }
    default:
      return reader.scalar(field.kind, path)
  }
}

function readFields(reader: Reader, fields: Fields, path: string): RecordValue {
  const value: RecordValue = {}
  for (const [name, field] of Object.entries(fields)) value[name] = readField(reader, field, `${path}.${name}`)
  return value
}

/**
 * Encodes one payload.
 * @throws BridgeError `LINK_MESSAGE` with the field when a value does not fit its kind or length
 */
export function encode<F extends Fields>(row: Encodable<F>, payload: Payload<Encodable<F>>): Uint8Array {
  const writer = new Writer(maxBytes(row.fields))
  writeFields(writer, row.fields, payload, row.name)
  return writer.result()
}

/**
 * Decodes one payload. Bytes after the last field are ignored: a newer minor version may append fields.
 * @throws BridgeError `LINK_MESSAGE` with the field when the bytes end early or a length is too large
 */
export function decode<F extends Fields>(row: Encodable<F>, bytes: Uint8Array): Payload<Encodable<F>> {
  return decodePrefix(row, bytes).value
}

/** As {@link decode}, and says how many bytes the payload took: for rows that stand one after the other. */
export function decodePrefix<F extends Fields>(
  row: Encodable<F>,
  bytes: Uint8Array,
): { readonly value: Payload<Encodable<F>>; readonly length: number } {
  const reader = new Reader(bytes)
  // readFields builds exactly the members that the row lists, each of the field's type.
  const value = readFields(reader, row.fields, row.name) as Payload<Encodable<F>>
  return { value, length: reader.offset }
}

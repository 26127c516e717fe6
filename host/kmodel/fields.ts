import { BridgeError } from '../foundation/errors.js'
import type { ByteReader, ByteWriter } from './bytes.js'

/** Fields of a body that were read so far, or all of them when writing. */
export type Values = Readonly<Record<string, unknown>>

/** How one field of a body is read and written. */
export interface FieldKind<T> {
  read(reader: ByteReader, values: Values): T
  write(writer: ByteWriter, value: T, values: Values): void
}

/** A body: its fields in file order. */
export type Fields = Readonly<Record<string, FieldKind<unknown>>>

/** The plain object that a body's fields decode to. */
export type Payload<F extends Fields> = {
  readonly [K in keyof F]: F[K] extends FieldKind<infer T> ? T : never
}

/** A number among the fields read so far. */
export const numberOf = (values: Values, name: string): number => Number(values[name])

/** A shape among the fields read so far. */
export const shapeOf = (values: Values, name: string): readonly number[] => values[name] as readonly number[]

export const u32: FieldKind<number> = { read: (r) => r.u32(), write: (w, v) => w.u32(v) }
export const i32: FieldKind<number> = { read: (r) => r.i32(), write: (w, v) => w.i32(v) }
export const f32: FieldKind<number> = { read: (r) => r.f32(), write: (w, v) => w.f32(v) }

/** A u8 truth value and three bytes of padding. */
export const flag32: FieldKind<boolean> = {
  read(r) {
    const value = r.u8() !== 0
    r.take(3)
    return value
  },
  write(w, v) {
    w.u32(v ? 1 : 0)
  },
}

/** A u32 that stands for a name. @throws BridgeError `KMODEL_INVALID` on a number without a name */
export const choice = <N extends string>(names: readonly N[]): FieldKind<N> => ({
  read(r) {
    const at = r.offset
    const code = r.u32()
    const name = names[code]
    if (name === undefined) {
      throw new BridgeError('KMODEL_INVALID', {
        what: `code ${code} is none of ${names.join(', ')}`,
        where: { offset: at },
      })
    }
    return name
  },
  write(w, v) {
    w.u32(names.indexOf(v))
  },
})

type Count = (values: Values) => number

/** Counts come from untrusted fields: each is checked against the bytes that are left before anything is allocated. */
function checkedCount(r: ByteReader, count: number, unit: number): number {
  if (!(count >= 0 && Number.isSafeInteger(count) && count * unit <= r.left)) {
    throw new BridgeError('KMODEL_TRUNCATED', {
      what: `an array of ${count} elements of ${unit} bytes does not fit the ${r.left} bytes left`,
      where: { offset: r.offset, end: r.end },
      fix: 'The file is cut or damaged: copy it again, or compile it again.',
    })
  }
  return count
}

/** `count` 32-bit integers. */
export const i32s = (count: Count): FieldKind<readonly number[]> => ({
  read: (r, values) => Array.from({ length: checkedCount(r, count(values), 4) }, () => r.i32()),
  write(w, v) {
    for (const value of v) w.i32(value)
  },
})

/** `count` floats. */
export const f32s = (count: Count): FieldKind<Float32Array> => ({
  read: (r, values) => Float32Array.from({ length: checkedCount(r, count(values), 4) }, () => r.f32()),
  write(w, v) {
    for (const value of v) w.f32(value)
  },
})

/** `count` bytes; a view into the file when read. */
export const u8s = (count: Count): FieldKind<Uint8Array> => ({
  read: (r, values) => r.bytes(checkedCount(r, count(values), 1)),
  write: (w, v) => w.bytes(v),
})

/** Bytes to the end of the body. */
export const rest: FieldKind<Uint8Array> = { read: (r) => r.bytes(r.left), write: (w, v) => w.bytes(v) }

/** `count` times the same kind. */
export const repeat = <T>(kind: FieldKind<T>, count: Count, unit: number): FieldKind<readonly T[]> => ({
  read: (r, values) => Array.from({ length: checkedCount(r, count(values), unit) }, () => kind.read(r, values)),
  write(w, v, values) {
    for (const value of v) kind.write(w, value, values)
  },
})

/**
 * Reads a body's fields in order.
 * @param context - values of the file header that kinds look up beside the fields read so far
 * @throws BridgeError `KMODEL_TRUNCATED`, `KMODEL_INVALID`
 */
export function readFields<F extends Fields>(fields: F, reader: ByteReader, context: Values = {}): Payload<F> {
  const seen: Record<string, unknown> = { ...context }
  const values: Record<string, unknown> = {}
  for (const [name, kind] of Object.entries(fields)) {
    values[name] = kind.read(reader, seen)
    seen[name] = values[name]
  }
  return values as Payload<F> // every field was just read by its own kind
}

/** Writes a body's fields in order. */
export function writeFields(fields: Fields, values: Values, writer: ByteWriter): void {
  for (const [name, kind] of Object.entries(fields)) kind.write(writer, values[name], values)
}

/**
 * Field kinds of wire rows. A row is plain data; codec.ts encodes and decodes it, scripts/generate.ts turns it into C.
 * Little endian, no padding. Lengths and counts stand before the value: one byte where `maxLength` is at most 255,
 * else two.
 */

/** Numbers on the wire. `u64` is a JavaScript number too: values above 2^53 - 1 are refused. */
export type ScalarKind = 'u8' | 'u16' | 'u32' | 'u64' | 'i8' | 'i16' | 'i32' | 'f32'

/** One number. */
export interface ScalarField {
  readonly kind: ScalarKind
  readonly doc: string
}

/** Exactly `length` bytes, no prefix. */
export interface FixedBytesField {
  readonly kind: 'fixedBytes'
  readonly length: number
  readonly doc: string
}

/** UTF-8 in exactly `length` bytes, padded with zero bytes, no prefix. */
export interface FixedTextField {
  readonly kind: 'fixedText'
  readonly length: number
  readonly doc: string
}

/** Length, then that many bytes. */
export interface BytesField {
  readonly kind: 'bytes'
  readonly maxLength: number
  readonly doc: string
}

/** Length in bytes, then UTF-8. */
export interface TextField {
  readonly kind: 'text'
  readonly maxLength: number
  readonly doc: string
}

/** A struct that repeats inside a list; the name becomes the C type. */
export interface RecordRow {
  readonly name: string
  readonly fields: Fields
}

/** Count, then that many scalars or records. */
export interface ListField {
  readonly kind: 'list'
  readonly item: ScalarKind | RecordRow
  readonly maxLength: number
  readonly doc: string
}

/** Any field. */
export type Field = ScalarField | FixedBytesField | FixedTextField | BytesField | TextField | ListField

/** Fields of a row in wire order. */
export interface Fields {
  readonly [name: string]: Field
}

/** Anything with fields: half of a message, the binary card, a store entry. */
export interface Row {
  readonly name: string
  readonly doc: string
  readonly fields: Fields
}

type ItemValue<I> = I extends ScalarKind ? number : I extends { readonly fields: infer F } ? Values<F> : never

/** TypeScript value of one field. */
export type ValueOf<F> = F extends { readonly kind: 'list'; readonly item: infer I }
  ? readonly ItemValue<I>[]
  : F extends { readonly kind: 'bytes' | 'fixedBytes' }
    ? Uint8Array
    : F extends { readonly kind: 'text' | 'fixedText' }
      ? string
      : F extends { readonly kind: ScalarKind }
        ? number
        : never

/** TypeScript value of a field table. */
export type Values<F> = { readonly [K in keyof F]: ValueOf<F[K]> }

/** The object that a row encodes and decodes. */
export type Payload<R extends { readonly fields: Fields }> = Values<R['fields']>

type Scalar<K extends ScalarKind> = { readonly kind: K; readonly doc: string }
const scalar =
  <K extends ScalarKind>(kind: K) =>
  (doc: string): Scalar<K> => ({ kind, doc })

export const u8 = scalar('u8')
export const u16 = scalar('u16')
export const u32 = scalar('u32')
export const u64 = scalar('u64')
export const i8 = scalar('i8')
export const i16 = scalar('i16')
export const i32 = scalar('i32')
export const f32 = scalar('f32')

export const fixedBytes = (doc: string, length: number) => ({ kind: 'fixedBytes', doc, length }) as const
export const fixedText = (doc: string, length: number) => ({ kind: 'fixedText', doc, length }) as const
export const bytes = (doc: string, options: { readonly maxLength: number }) =>
  ({ kind: 'bytes', doc, maxLength: options.maxLength }) as const
export const text = (doc: string, options: { readonly maxLength: number }) =>
  ({ kind: 'text', doc, maxLength: options.maxLength }) as const
export const list = <const I extends ScalarKind | RecordRow>(
  doc: string,
  item: I,
  options: { readonly maxLength: number },
) => ({ kind: 'list', doc, item, maxLength: options.maxLength }) as const

/** A named struct for lists. */
export const record = <const F extends Fields>(name: string, fields: F) => ({ name, fields })

/** A row that is no message of its own. */
export const row = <const F extends Fields>(options: { name: string; doc: string; fields: F }) => options

/** Frame kinds, header byte 0. */
export const FRAME_KIND = { request: 0, response: 1, datagram: 2, transferBlock: 3, transferStatus: 4 } as const

/** Name of a frame kind. */
export type FrameKind = keyof typeof FRAME_KIND

/** A message of the link: its row, the frame kind it travels in and, for requests, the row of its answer. */
export interface Message extends Row {
  readonly id: number
  readonly kind: FrameKind
}

/** A request together with its answer. Every answer begins with `status`; see protocol/README.md. */
export interface RequestMessage<F extends Fields = Fields, A extends Fields = Fields> extends Message {
  readonly kind: 'request'
  readonly fields: F
  readonly answer: { readonly name: string; readonly doc: string; readonly fields: A }
}

const status = u8('Status code, 0 = OK. An answer with another status may end here.')

/** Declares a request and its answer; `status` is put in front of the answer's fields. */
export function request<const F extends Fields, const A extends Fields>(options: {
  name: string
  id: number
  doc: string
  fields: F
  answer: A
}): RequestMessage<F, { readonly status: Scalar<'u8'> } & A> {
  const { answer, ...rest } = options
  return {
    ...rest,
    kind: 'request',
    answer: { name: `${options.name}Answer`, doc: `Answer to ${options.name}.`, fields: { status, ...answer } },
  }
}

/** Declares a message that is never answered. */
export const oneWay = <const K extends Exclude<FrameKind, 'request' | 'response'>, const F extends Fields>(
  kind: K,
  options: { name: string; id: number; doc: string; fields: F },
) => ({ ...options, kind })

/** Bytes of one scalar on the wire. */
export const SCALAR_BYTES: Readonly<Record<ScalarKind, number>> = {
  u8: 1,
  u16: 2,
  u32: 4,
  u64: 8,
  i8: 1,
  i16: 2,
  i32: 4,
  f32: 4,
}

/** Bytes of the length or count before a value that may hold up to `maxLength`. */
export const prefixBytes = (maxLength: number): 1 | 2 => (maxLength <= 255 ? 1 : 2)

/** Encoded size of the smallest payload: every list, text and byte string empty. */
export function minBytes(fields: Fields): number {
  return Object.values(fields).reduce((sum, field) => sum + fieldBytes(field, 'min'), 0)
}

/** Encoded size of the largest payload. */
export function maxBytes(fields: Fields): number {
  return Object.values(fields).reduce((sum, field) => sum + fieldBytes(field, 'max'), 0)
}

function fieldBytes(field: Field, which: 'min' | 'max'): number {
  switch (field.kind) {
    case 'fixedBytes':
    case 'fixedText':
      return field.length
    case 'bytes':
    case 'text':
      return prefixBytes(field.maxLength) + (which === 'max' ? field.maxLength : 0)
    case 'list': {
      const item = typeof field.item === 'string' ? SCALAR_BYTES[field.item] : maxBytes(field.item.fields)
      return prefixBytes(field.maxLength) + (which === 'max' ? field.maxLength * item : 0)
    }
    default:
      return SCALAR_BYTES[field.kind]
  }
}

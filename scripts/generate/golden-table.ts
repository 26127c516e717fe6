import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { ALL_ROWS, type Field, type Fields, isRequest, MESSAGES, type Row } from '../../protocol/index.js'
import { countName, rowName, snake, structName } from './c-names.js'

type Json = number | string | boolean | readonly Json[] | { readonly [name: string]: Json }
interface FieldsJson {
  readonly [name: string]: Json
}
interface FrameCase {
  readonly case: string
  readonly message: string
  readonly answer: boolean
  readonly fields: FieldsJson
  readonly payloadHex: string
  readonly frameHex: string
}
interface RowCase {
  readonly case: string
  readonly row: string
  readonly fields: FieldsJson
  readonly hex: string
}
interface StuffCase {
  readonly case: string
  readonly decodedHex: string
  readonly encodedHex: string
}
interface CrcCase {
  readonly case: string
  readonly hex: string
  readonly crc32: number
}

// The shape of our own golden files; the TypeScript tests read the same files and would fail first.
const read = <T>(folder: string, name: string): readonly T[] =>
  JSON.parse(readFileSync(join(folder, name), 'utf8')) as readonly T[]

const cText = (text: string): string =>
  `"${[...new TextEncoder().encode(text)].map((byte) => (byte >= 0x20 && byte < 0x7f && byte !== 0x22 && byte !== 0x5c ? String.fromCharCode(byte) : `\\${byte.toString(8).padStart(3, '0')}`)).join('')}"`

const cBytes = (hex: string): string => (hex.match(/../g) ?? []).map((pair) => `0x${pair}`).join(', ')

/** Wraps a long list of bytes. */
const wrap = (text: string): string =>
  (text.match(/.{1,96}(?:, |$)/g) ?? []).map((line) => `    ${line.trim()}`).join('\n')

const array = (name: string, hex: string): string[] =>
  hex === ''
    ? [`static const uint8_t ${name}[1] = { 0 };`]
    : [`static const uint8_t ${name}[] = {`, wrap(cBytes(hex)), '};']

function itemInitializer(item: string | { readonly fields: Fields }, value: Json): string {
  return typeof item === 'string' ? scalar(item, value) : initializer(item.fields, value as FieldsJson)
}

function scalar(kind: string, value: Json): string {
  if (kind === 'f32') return `${Number.isInteger(value) ? `${value}.0` : value}f`
  if (kind === 'u64') return `${value}ull`
  return kind.startsWith('i') ? `${value}` : `${value}u`
}

function memberInitializer(name: string, field: Field, value: Json): string {
  const count = (length: number) => `.${countName(name, field)} = ${length}`
  switch (field.kind) {
    case 'fixedBytes':
      return `.${snake(name)} = { ${cBytes(String(value))} }`
    case 'fixedText':
      return `.${snake(name)} = ${cText(String(value))}`
    case 'bytes':
      return `.${snake(name)} = (const uint8_t[]){ ${cBytes(String(value)) || '0'} }, ${count(String(value).length / 2)}`
    case 'text':
      return `.${snake(name)} = ${cText(String(value))}, ${count(new TextEncoder().encode(String(value)).length)}`
    case 'list': {
      const items = (value as readonly Json[]).map((item) => itemInitializer(field.item, item))
      return items.length === 0 ? count(0) : `.${snake(name)} = { ${items.join(', ')} }, ${count(items.length)}`
    }
    default:
      return `.${snake(name)} = ${scalar(field.kind, value)}`
  }
}

function initializer(fields: Fields, values: FieldsJson): string {
  const members = Object.entries(fields).map(([name, field]) => memberInitializer(name, field, values[name]!))
  return members.length === 0 ? '{ 0 }' : `{ ${members.join(', ')} }`
}

function rowOf(frame: FrameCase): Row {
  const message = MESSAGES.find((candidate) => candidate.name === frame.message)
  if (message === undefined) throw new Error(`golden frame ${frame.case}: no message ${frame.message}`)
  return frame.answer && isRequest(message) ? message.answer : message
}

interface PayloadCase {
  readonly case: string
  readonly row: Row
  readonly fields: FieldsJson
  readonly payloadHex: string
  readonly frameHex: string
}

function payloadCases(folder: string): readonly PayloadCase[] {
  const stored = read<RowCase>(folder, 'rows.json').map((entry) => ({
    case: entry.case,
    row: ALL_ROWS.find((row) => row.name === entry.row)!,
    fields: entry.fields,
    payloadHex: entry.hex,
    frameHex: '',
  }))
  return [...read<FrameCase>(folder, 'frames.json').map((entry) => ({ ...entry, row: rowOf(entry) })), ...stored]
}

function payloadTable(cases: readonly PayloadCase[]): string[] {
  const data = cases.flatMap((entry, i) => [
    `static const ${structName(entry.row)} golden_value_${i} =`,
    `    ${initializer(entry.row.fields, entry.fields)};`,
    ...array(`golden_payload_${i}`, entry.payloadHex),
    ...array(`golden_frame_${i}`, entry.frameHex),
  ])
  const rows = cases.map(
    (entry, i) =>
      `    { ${cText(entry.case)}, &${rowName(entry.row)}, &golden_value_${i}, golden_payload_${i}, ${entry.payloadHex.length / 2}, golden_frame_${i}, ${entry.frameHex.length / 2} },`,
  )
  return [...data, '', 'static const golden_payload_t golden_payloads[] = {', ...rows, '};', '']
}

function stuffTable(name: string, cases: readonly StuffCase[]): string[] {
  const data = cases.flatMap((entry, i) => [
    ...array(`golden_${name}_decoded_${i}`, entry.decodedHex),
    ...array(`golden_${name}_encoded_${i}`, entry.encodedHex),
  ])
  const rows = cases.map(
    (entry, i) =>
      `    { ${cText(entry.case)}, golden_${name}_decoded_${i}, ${entry.decodedHex.length / 2}, golden_${name}_encoded_${i}, ${entry.encodedHex.length / 2} },`,
  )
  return [...data, '', `static const golden_stuffed_t golden_${name}[] = {`, ...rows, '};', '']
}

function crcTable(cases: readonly CrcCase[]): string[] {
  const data = cases.flatMap((entry, i) => array(`golden_crc_${i}`, entry.hex))
  const rows = cases.map(
    (entry, i) => `    { ${cText(entry.case)}, golden_crc_${i}, ${entry.hex.length / 2}, ${entry.crc32}u },`,
  )
  return [...data, '', 'static const golden_crc_t golden_crcs[] = {', ...rows, '};', '']
}

/**
 * Text of firmware-shim/generated/k210b_golden.h: test/golden/*.json as C, for tests only.
 * @param folder - test/golden
 */
export function goldenTable(folder: string): string {
  return [
    '/** Golden vectors of test/golden as C tables. Written by scripts/generate; do not edit. For tests only. */',
    '#ifndef K210B_GOLDEN_H',
    '#define K210B_GOLDEN_H',
    '',
    '#include "k210b_protocol.h"',
    '',
    '/** `value` encodes to `payload`; as a message it travels in `frame` (frame_bytes 0 for stored rows). */',
    'typedef struct golden_payload {',
    '    const char *name; const k210b_row_t *row; const void *value;',
    '    const uint8_t *payload; uint32_t payload_bytes; const uint8_t *frame; uint32_t frame_bytes;',
    '} golden_payload_t;',
    'typedef struct golden_stuffed {',
    '    const char *name; const uint8_t *decoded; uint32_t decoded_bytes; const uint8_t *encoded; uint32_t encoded_bytes;',
    '} golden_stuffed_t;',
    'typedef struct golden_crc { const char *name; const uint8_t *data; uint32_t bytes; uint32_t crc; } golden_crc_t;',
    '',
    ...payloadTable(payloadCases(folder)),
    ...stuffTable('cobs', read<StuffCase>(folder, 'cobs.json')),
    ...stuffTable('slip', read<StuffCase>(folder, 'slip.json')),
    ...crcTable(read<CrcCase>(folder, 'crc32.json')),
    '#endif',
    '',
  ].join('\n')
}

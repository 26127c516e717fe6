import {
  ALL_ROWS,
  type Field,
  type Fields,
  isRequest,
  MESSAGES,
  minBytes,
  prefixBytes,
  type ScalarKind,
} from '../../protocol/index.js'
import { countName, recordsOf, rowName, snake, structName, upper } from './c-names.js'

const SCALAR: Readonly<Record<ScalarKind, string>> = {
  u8: 'U8',
  u16: 'U16',
  u32: 'U32',
  u64: 'U64',
  i8: 'U8',
  i16: 'U16',
  i32: 'U32',
  f32: 'F32',
}

/** kind, prefix, limit and record of one descriptor. */
function shape(field: Field): readonly [string, number, number, string] {
  switch (field.kind) {
    case 'fixedBytes':
    case 'fixedText':
      return ['FIXED', 0, field.length, 'NULL']
    case 'bytes':
    case 'text':
      return [field.kind.toUpperCase(), prefixBytes(field.maxLength), field.maxLength, 'NULL']
    case 'list': {
      const { item } = field
      const [kind, record] = typeof item === 'string' ? [SCALAR[item], 'NULL'] : ['RECORDS', `&${rowName(item)}`]
      return [kind, prefixBytes(field.maxLength), field.maxLength, record]
    }
    default:
      return [SCALAR[field.kind], 0, 0, 'NULL']
  }
}

function descriptor(type: string, name: string, field: Field): string {
  const [kind, prefix, limit, record] = shape(field)
  const count = prefix === 0 ? '0' : `offsetof(${type}, ${countName(name, field)})`
  return `    { K210B_FIELD_${kind}, ${prefix}, ${limit}, offsetof(${type}, ${snake(name)}), ${count}, ${record} },`
}

function table(row: { readonly name: string; readonly fields: Fields }): string[] {
  const type = structName(row)
  const entries = Object.entries(row.fields)
  const fields = `${snake(row.name)}_fields`
  const size = `sizeof(${type}), ${minBytes(row.fields)}`
  if (entries.length === 0) return [`const k210b_row_t ${rowName(row)} = { NULL, 0, ${size} };`, '']
  return [
    `static const k210b_field_t ${fields}[] = {`,
    ...entries.map(([name, field]) => descriptor(type, name, field)),
    '};',
    `const k210b_row_t ${rowName(row)} = { ${fields}, ${entries.length}, ${size} };`,
    '',
  ]
}

/** Text of firmware-shim/generated/k210b_protocol.c. */
export function protocolTables(): string {
  const messages = MESSAGES.map((message) => {
    const answer = isRequest(message) ? `&${rowName(message.answer)}` : 'NULL'
    return `    { K210B_ID_${upper(message.name)}, K210B_KIND_${upper(message.kind)}, &${rowName(message)}, ${answer} },`
  })
  return [
    '/** Descriptor tables of the link messages. Written by scripts/generate from protocol/; do not edit. */',
    '#include "k210b_protocol.h"',
    '',
    '#include <stddef.h>',
    '',
    ...[...recordsOf(ALL_ROWS), ...ALL_ROWS].flatMap(table),
    'const k210b_message_t k210b_messages[K210B_MESSAGE_COUNT] = {',
    ...messages,
    '};',
    '',
  ].join('\n')
}

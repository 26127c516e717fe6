import {
  ALL_ROWS,
  type Field,
  type Fields,
  FLASH_MAP,
  FRAME,
  FRAME_KIND,
  LINK,
  MESSAGES,
  MODEL,
  minBytes,
  PAYLOAD,
  PROTOCOL_VERSION,
  STATUS,
  STORE,
  TRANSFER,
} from '../../protocol/index.js'
import { CARD_CODES } from '../../protocol/messages/card.js'
import { SLOT_STATE } from '../../protocol/messages/model.js'
import { INFER_SOURCE, PICTURE_FORMAT } from '../../protocol/messages/stream.js'
import { TRANSFER_TARGET } from '../../protocol/messages/transfer.js'
import { C_TYPE, countName, recordsOf, rowName, snake, structName, upper } from './c-names.js'

const number = (value: number): string => (value > 255 ? `0x${value.toString(16).toUpperCase()}u` : `${value}u`)

function defines(prefix: string, table: Readonly<Record<string, number>>): string[] {
  return Object.entries(table).map(([name, value]) => `#define K210B_${prefix}_${upper(name)} ${number(value)}`)
}

function enumeration(prefix: string, table: Readonly<Record<string, number>>): string[] {
  const rows = Object.entries(table).map(([name, value]) => `    K210B_${prefix}_${upper(name)} = ${value}`)
  return ['enum {', rows.join(',\n'), '};', '']
}

function member(name: string, field: Field): string[] {
  const doc = ` /**< ${field.doc} */`
  const c = snake(name)
  switch (field.kind) {
    case 'fixedBytes':
      return [`    uint8_t ${c}[${field.length}];${doc}`]
    case 'fixedText':
      return [`    char ${c}[${field.length}];${doc}`]
    case 'bytes':
      return [`    const uint8_t *${c};${doc}`, `    uint16_t ${countName(name, field)};`]
    case 'text':
      return [`    const char *${c};${doc}`, `    uint16_t ${countName(name, field)};`]
    case 'list': {
      const type = typeof field.item === 'string' ? C_TYPE[field.item] : structName(field.item)
      return [`    ${type} ${c}[${field.maxLength}];${doc}`, `    uint16_t ${countName(name, field)};`]
    }
    default:
      return [`    ${C_TYPE[field.kind]} ${c};${doc}`]
  }
}

function struct(row: { readonly name: string; readonly doc?: string; readonly fields: Fields }): string[] {
  const members = Object.entries(row.fields).flatMap(([name, field]) => member(name, field))
  return [
    ...(row.doc ? [`/** ${row.doc} */`] : []),
    `typedef struct ${structName(row).replace(/_t$/, '')} {`,
    ...(members.length > 0 ? members : ['    uint8_t none; /**< no fields */']),
    `} ${structName(row)};`,
    '',
  ]
}

const limits = (): string[] => [
  ...defines('VERSION', PROTOCOL_VERSION),
  ...defines('FRAME', FRAME),
  ...defines('PAYLOAD', PAYLOAD),
  ...defines('LINK', LINK),
  ...defines('TRANSFER', TRANSFER),
  ...defines('MODEL', MODEL),
  ...defines('FLASH', FLASH_MAP),
  ...defines('STORE', STORE),
  '',
]

const codes = (): string[] => [
  ...enumeration('KIND', FRAME_KIND),
  ...enumeration('ID', Object.fromEntries(MESSAGES.map((message) => [message.name, message.id]))),
  ...enumeration(
    'STATUS',
    Object.fromEntries(Object.entries(STATUS).map(([name, row]) => [name.toLowerCase(), row.code])),
  ),
  ...enumeration('SLOT', SLOT_STATE),
  ...enumeration('TARGET', TRANSFER_TARGET),
  ...enumeration('SOURCE', INFER_SOURCE),
  ...enumeration('PICTURE', PICTURE_FORMAT),
  ...Object.entries(CARD_CODES).flatMap(([name, table]) => enumeration(`CARD_${upper(name)}`, table)),
]

/** Text of firmware-shim/generated/k210b_protocol.h. */
export function protocolHeader(): string {
  const records = recordsOf(ALL_ROWS)
  return [
    '/** Messages, limits and codes of the link. Written by scripts/generate from protocol/; do not edit. */',
    '#ifndef K210B_PROTOCOL_H',
    '#define K210B_PROTOCOL_H',
    '',
    '#include <stdint.h>',
    '',
    '#include "../include/k210b/codec.h"',
    '',
    ...limits(),
    ...codes(),
    ...records.flatMap(struct),
    ...ALL_ROWS.flatMap(struct),
    '/* Encoded size with every list, text and byte string empty. */',
    ...ALL_ROWS.map((row) => `#define K210B_${upper(row.name)}_MIN_BYTES ${minBytes(row.fields)}u`),
    '',
    ...[...records, ...ALL_ROWS].map((row) => `extern const k210b_row_t ${rowName(row)};`),
    '',
    '/** All messages by rising id. */',
    `#define K210B_MESSAGE_COUNT ${MESSAGES.length}u`,
    'extern const k210b_message_t k210b_messages[K210B_MESSAGE_COUNT];',
    '',
    '#endif',
    '',
  ].join('\n')
}

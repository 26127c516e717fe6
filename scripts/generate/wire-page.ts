import {
  type Field,
  type Fields,
  FRAME_KIND,
  isRequest,
  MESSAGES,
  maxBytes,
  minBytes,
  prefixBytes,
  type Row,
  STATUS,
  STORED_ROWS,
} from '../../protocol/index.js'
import { recordsOf } from './c-names.js'

function typeText(field: Field): string {
  const prefix = (maxLength: number) => `u${8 * prefixBytes(maxLength)}`
  switch (field.kind) {
    case 'fixedBytes':
      return `${field.length} bytes`
    case 'fixedText':
      return `${field.length} bytes UTF-8, zero padded`
    case 'bytes':
      return `${prefix(field.maxLength)} length, bytes (≤ ${field.maxLength})`
    case 'text':
      return `${prefix(field.maxLength)} length, UTF-8 (≤ ${field.maxLength})`
    case 'list': {
      const item =
        typeof field.item === 'string' ? field.item : `[${field.item.name}](#${field.item.name.toLowerCase()})`
      return `${prefix(field.maxLength)} count, ${item} (≤ ${field.maxLength})`
    }
    default:
      return field.kind
  }
}

/** A table with padded columns, as the formatter wants it; the first row is the head. */
function table(texts: readonly (readonly string[])[]): string[] {
  const rows = texts.map((cells) => cells.map((cell) => cell.replaceAll('|', '\\|')))
  const widths = rows[0]!.map((_, column) => Math.max(3, ...rows.map((cells) => cells[column]!.length)))
  const line = (cells: readonly string[]) => `| ${cells.map((cell, i) => cell.padEnd(widths[i]!)).join(' | ')} |`
  const [head, ...body] = rows
  return [line(head!), line(widths.map((width) => '-'.repeat(width))), ...body.map(line)]
}

function fieldTable(fields: Fields): string[] {
  const rows = Object.entries(fields).map(([name, field]) => [name, typeText(field), field.doc])
  if (rows.length === 0) return ['No fields.', '']
  return [...table([['field', 'type', 'meaning'], ...rows]), '']
}

const sizes = (fields: Fields): string => {
  const [low, high] = [minBytes(fields), maxBytes(fields)]
  return low === high ? `${low} bytes` : `${low} to ${high} bytes`
}

function messageSection(message: (typeof MESSAGES)[number]): string[] {
  const id = `0x${message.id.toString(16).padStart(2, '0')}`
  return [
    `### ${message.name} (${id}, ${message.kind})`,
    '',
    `${message.doc} Payload: ${sizes(message.fields)}.`,
    '',
    ...fieldTable(message.fields),
    ...(isRequest(message)
      ? [`Answer, ${sizes(message.answer.fields)}:`, '', ...fieldTable(message.answer.fields)]
      : []),
  ]
}

const storedSection = (row: Row): string[] => [
  `### ${row.name}`,
  '',
  `${row.doc} ${sizes(row.fields)}.`,
  '',
  ...fieldTable(row.fields),
]

/** Text of protocol/wire.md: every message byte for byte. */
export function wirePage(): string {
  const records = recordsOf([...MESSAGES.flatMap((m) => (isRequest(m) ? [m, m.answer] : [m])), ...STORED_ROWS])
  return [
    '# Wire page',
    '',
    'Written by `npm run generate` from protocol/; do not edit. How frames, transfers and streams behave: README.md.',
    'Little endian, no padding. A length or count is one byte where its limit is at most 255, else two.',
    '',
    '## Frame kinds',
    '',
    ...table([['kind', 'value'], ...Object.entries(FRAME_KIND).map(([name, value]) => [name, String(value)])]),
    '',
    '## Status codes',
    '',
    ...table([
      ['code', 'name', 'meaning'],
      ...Object.entries(STATUS).map(([name, row]) => [String(row.code), name, row.doc]),
    ]),
    '',
    '## Messages',
    '',
    ...MESSAGES.flatMap(messageSection),
    '## Structs in lists',
    '',
    ...records.flatMap((record) => [`### ${record.name}`, '', ...fieldTable(record.fields)]),
    '## Stored rows',
    '',
    ...STORED_ROWS.flatMap(storedSection),
  ].join('\n')
}

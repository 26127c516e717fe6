import { readFileSync } from 'node:fs'
import t from 'tap'
import { toHex } from '../../host/foundation/hex.js'
import { packageFile } from '../../host/foundation/paths.js'
import {
  ALL_ROWS,
  cobsDecode,
  cobsEncode,
  crc32,
  decode,
  encode,
  encodeFrame,
  type Fields,
  type FrameKind,
  isRequest,
  MESSAGES,
  type Row,
  readSegment,
  slipDecode,
  slipEncode,
  type Values,
} from '../../protocol/index.js'
import { generatedFiles } from '../../scripts/generate/files.js'

const golden = (name: string) => JSON.parse(readFileSync(packageFile('test', 'golden', name), 'utf8'))
const bytesOf = (hex: string) => Uint8Array.from(Buffer.from(hex, 'hex'))

/** Golden files write bytes as hex. */
function fromJson(fields: Fields, json: Record<string, unknown>): Values<Fields> {
  const entries = Object.entries(fields).map(([name, field]) => {
    const value = json[name]
    if (field.kind === 'bytes' || field.kind === 'fixedBytes') return [name, bytesOf(String(value))]
    if (field.kind !== 'list' || typeof field.item === 'string') return [name, value]
    const { item } = field
    return [name, (value as Record<string, unknown>[]).map((entry) => fromJson(item.fields, entry))]
  })
  return Object.fromEntries(entries)
}

t.test('golden frames: encode to the same bytes and decode to the same fields', async (t) => {
  for (const entry of golden('frames.json')) {
    const message = MESSAGES.find((candidate) => candidate.name === entry.message)!
    const row: Row = entry.answer && isRequest(message) ? message.answer : message
    const fields = fromJson(row.fields, entry.fields)
    const payload = encode(row, fields)
    t.equal(toHex(payload), entry.payloadHex, `${entry.case}: payload`)
    const frame = {
      ...{ kind: entry.kind as FrameKind, id: message.id, number: entry.number, epoch: entry.epoch },
      ...{ fragment: 0, last: true, budgetBytes: entry.budgetBytes, payload },
    }
    t.equal(toHex(encodeFrame(frame)), entry.frameHex, `${entry.case}: frame`)
    const segment = readSegment(bytesOf(entry.frameHex).slice(1, -1))
    t.same(segment, { kind: 'frame', frame }, `${entry.case}: read back`)
    t.same(decode(row, payload), fields, `${entry.case}: decoded`)
  }
})

t.test('golden rows: card and store directory keep their bytes', async (t) => {
  for (const entry of golden('rows.json')) {
    const row = ALL_ROWS.find((candidate) => candidate.name === entry.row)!
    const fields = fromJson(row.fields, entry.fields)
    t.equal(toHex(encode(row, fields)), entry.hex, entry.case)
    t.same(decode(row, bytesOf(entry.hex)), fields, entry.case)
  }
})

t.test('golden stuffing: COBS, SLIP and CRC-32', async (t) => {
  for (const entry of golden('cobs.json')) {
    t.equal(toHex(cobsEncode(bytesOf(entry.decodedHex))), entry.encodedHex, `COBS ${entry.case}`)
    t.equal(toHex(cobsDecode(bytesOf(entry.encodedHex))!), entry.decodedHex, `COBS back ${entry.case}`)
  }
  for (const entry of golden('slip.json')) {
    t.equal(toHex(slipEncode(bytesOf(entry.decodedHex))), entry.encodedHex, `SLIP ${entry.case}`)
    t.equal(toHex(slipDecode(bytesOf(entry.encodedHex).slice(1, -1))!), entry.decodedHex, `SLIP back ${entry.case}`)
  }
  for (const entry of golden('crc32.json')) t.equal(crc32(bytesOf(entry.hex)), entry.crc32, `CRC ${entry.case}`)
})

t.test('generated files: what is committed is what the rows say (else: npm run generate)', async (t) => {
  for (const file of generatedFiles()) {
    t.ok(readFileSync(packageFile(file.path), 'utf8') === file.text, file.path)
  }
})

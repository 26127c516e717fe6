import t from 'tap'
import { isBridgeError } from '../host/foundation/errors.js'
import {
  ALL_ROWS,
  card,
  decode,
  decodePrefix,
  encode,
  type Field,
  type Fields,
  hello,
  isRequest,
  MESSAGES,
  MODEL,
  maxBytes,
  minBytes,
  PAYLOAD,
  picture,
  STORE,
  statusName,
  statusText,
  storeEntry,
  storeHeader,
  transferBlock,
  u64,
  type Values,
} from '../protocol/index.js'
import { createRandom, type Random } from './support/random.js'

const INTEGERS: Readonly<Record<string, readonly [number, number]>> = {
  u8: [0, 255],
  u16: [0, 65_535],
  u32: [0, 2 ** 32 - 1],
  u64: [0, Number.MAX_SAFE_INTEGER],
  i8: [-128, 127],
  i16: [-32_768, 32_767],
  i32: [-(2 ** 31), 2 ** 31 - 1],
}

function randomScalar(kind: string, random: Random): number {
  if (kind === 'f32') return Math.fround((random.next() - 0.5) * 1e6)
  const [low, high] = INTEGERS[kind]!
  const edge = random.integer(0, 3)
  return edge === 0 ? low : edge === 1 ? high : low + Math.floor(random.next() * (high - low))
}

function randomValue(field: Field, random: Random): unknown {
  switch (field.kind) {
    case 'fixedBytes':
      return random.bytes(field.length)
    case 'bytes':
      return random.bytes(random.integer(0, field.maxLength))
    case 'text':
      return 'ä'.repeat(random.integer(0, Math.floor(field.maxLength / 2)))
    case 'fixedText':
      return 'z'.repeat(random.integer(0, field.length))
    case 'list': {
      const { item } = field
      return Array.from({ length: random.integer(0, field.maxLength) }, () =>
        typeof item === 'string' ? randomScalar(item, random) : randomPayload(item.fields, random),
      )
    }
    default:
      return randomScalar(field.kind, random)
  }
}

function randomPayload<F extends Fields>(fields: F, random: Random): Values<F> {
  const entries = Object.entries(fields).map(([name, field]) => [name, randomValue(field, random)])
  return Object.fromEntries(entries) as Values<F> // built from the same fields
}

t.test('codec: every row decodes to what was encoded', async (t) => {
  const random = createRandom()
  t.comment(`seed ${random.seed}`)
  for (const row of ALL_ROWS) {
    for (let round = 0; round < 20; round++) {
      const payload = randomPayload(row.fields, random)
      const bytes = encode(row, payload)
      t.ok(bytes.length >= minBytes(row.fields) && bytes.length <= maxBytes(row.fields), `${row.name} size`)
      const back = decodePrefix(row, bytes)
      if (back.length !== bytes.length) t.fail(`${row.name} used ${back.length} of ${bytes.length}`)
      t.same(back.value, payload, row.name)
    }
  }
})

t.test('codec: a payload cut anywhere is refused with LINK_MESSAGE and the field', async (t) => {
  const random = createRandom()
  t.comment(`seed ${random.seed}`)
  for (const row of ALL_ROWS) {
    const bytes = encode(row, randomPayload(row.fields, random))
    for (let length = 0; length < bytes.length; length += 1 + Math.floor(bytes.length / 50)) {
      try {
        decode(row, bytes.subarray(0, length))
        t.fail(`${row.name} of ${length} bytes was accepted`)
      } catch (error) {
        if (!isBridgeError(error, 'LINK_MESSAGE')) throw error
        if (!String(error.where.field).startsWith(row.name)) t.fail(`${row.name}: where is ${error.where.field}`)
      }
    }
  }
})

t.test('codec: bytes after the last field are ignored, for fields of later minor versions', async (t) => {
  t.same(decode(storeHeader, Uint8Array.of(1, 0, 0, 0, 2, 0, 3, 0, 4, 0, 0, 0, 99, 99)), {
    magic: 1,
    version: 2,
    slotCount: 3,
    sequence: 4,
  })
})

t.test('codec: values out of range are refused with the field that is wrong', async (t) => {
  const wrong = (fields: Record<string, unknown>) => () =>
    encode(transferBlock, { transferId: 1, offset: 0, data: new Uint8Array(1), ...fields })
  t.throws(wrong({ transferId: 65_536 }), { code: 'LINK_MESSAGE', where: { field: 'transferBlock.transferId' } })
  t.throws(wrong({ offset: -1 }), { code: 'LINK_MESSAGE', where: { field: 'transferBlock.offset' } })
  t.throws(wrong({ offset: 1.5 }), { code: 'LINK_MESSAGE' })
  t.throws(wrong({ data: new Uint8Array(4000) }), { code: 'LINK_MESSAGE', where: { field: 'transferBlock.data' } })
  t.throws(wrong({ data: 'text' }), { code: 'LINK_MESSAGE' })
})

t.test('codec: a u64 above 2^53 - 1 is refused, the limit itself passes', async (t) => {
  const row = { name: 'clock', doc: '', fields: { us: u64('Time.') } }
  const limit = Number.MAX_SAFE_INTEGER
  t.equal(decode(row, encode(row, { us: limit })).us, limit)
  t.throws(() => decode(row, Uint8Array.of(0, 0, 0, 0, 0, 0, 0x20, 0)), { code: 'LINK_MESSAGE' })
})

t.test(
  'rows: ids are unique and rise, names are unique, requests and commands fit the smallest default payload',
  async (t) => {
    const ids = MESSAGES.map((message) => message.id)
    t.same(
      ids,
      [...new Set(ids)].sort((a, b) => a - b),
    )
    t.equal(new Set(ALL_ROWS.map((row) => row.name)).size, ALL_ROWS.length)
    for (const message of MESSAGES.filter(isRequest)) {
      if (message.name === 'echo') continue
      t.ok(maxBytes(message.fields) <= PAYLOAD.defaultBytes, message.name)
    }
  },
)

t.test('rows: the directory sector holds its entries and the card fits its field', async (t) => {
  t.equal(minBytes(storeHeader.fields), STORE.headerBytes)
  t.equal(minBytes(storeEntry.fields), STORE.entryBytes)
  t.ok(STORE.headerBytes + 4 * STORE.entryBytes <= STORE.crcOffset)
  t.equal(minBytes(picture.fields), 19)
  t.ok(maxBytes(card.fields) <= MODEL.cardBytes)
})

t.test('rows: every answer begins with the status byte', async (t) => {
  for (const message of MESSAGES.filter(isRequest)) t.equal(Object.keys(message.answer.fields)[0], 'status')
  t.equal(hello.answer.fields.status.kind, 'u8')
})

t.test('status: codes have names and a text that says what to do', async (t) => {
  t.equal(statusName(6), 'BUSY')
  t.equal(statusName(200), undefined)
  t.match(statusText(2), /update the firmware/)
  t.equal(statusText(200), 'unknown status 200')
})

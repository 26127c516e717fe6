import t from 'tap'
import {
  cobsDecode,
  cobsEncode,
  cobsMaxBytes,
  encodeFrame,
  type Frame,
  FrameReader,
  readSegment,
  type Segment,
  SlipReader,
  slipEncode,
} from '../../protocol/index.js'
import { createRandom, type Random } from '../support/random.js'

/** Cuts bytes at random places. */
function* pieces(bytes: Uint8Array, random: Random): Generator<Uint8Array> {
  for (let from = 0; from < bytes.length; ) {
    const length = random.integer(1, 200)
    yield bytes.slice(from, from + length)
    from += length
  }
}

function randomFrame(random: Random): Frame {
  return {
    ...{ kind: 'datagram', id: random.integer(0, 255), number: random.integer(0, 65_535) },
    ...{ epoch: random.integer(0, 255), fragment: random.integer(0, 127), last: random.next() < 0.5 },
    ...{ budgetBytes: random.integer(0, 65_535) * 16, payload: random.bytes(random.integer(0, 1040)) },
  }
}

t.test('cobs: random bytes survive, hold no zero and keep the size bound', async (t) => {
  const random = createRandom()
  t.comment(`seed ${random.seed}`)
  for (let round = 0; round < 300; round++) {
    const bytes = random.bytes(random.integer(0, 800)).map((byte) => (round % 3 === 0 ? byte & 1 : byte))
    const encoded = cobsEncode(bytes)
    if (encoded.includes(0)) t.fail('a zero is left')
    if (encoded.length > cobsMaxBytes(bytes.length)) t.fail(`${bytes.length} bytes became ${encoded.length}`)
    if (Buffer.compare(cobsDecode(encoded)!, bytes) !== 0) t.fail('other bytes came back')
  }
  t.pass('300 round trips')
})

t.test('cobs: what no encoder writes is undefined, not an exception', async (t) => {
  t.equal(cobsDecode(new Uint8Array(0)), undefined)
  t.equal(cobsDecode(Uint8Array.of(5, 1, 2)), undefined)
  t.equal(cobsDecode(Uint8Array.of(3, 0, 1)), undefined)
  t.equal(cobsDecode(Uint8Array.of(0)), undefined)
})

t.test('frame reader: frames and text come out in order however the stream is cut', async (t) => {
  const random = createRandom()
  t.comment(`seed ${random.seed}`)
  const frames = Array.from({ length: 40 }, () => randomFrame(random))
  const text = new TextEncoder().encode('boot: ok\r\n')
  const stream = Buffer.concat(
    frames.flatMap((frame, i) => (i % 5 === 0 ? [text, encodeFrame(frame)] : [encodeFrame(frame)])),
  )
  const reader = new FrameReader()
  const segments = [...pieces(stream, random)].flatMap((piece) => reader.push(piece))
  const expected = frames.flatMap((frame, i): Segment[] => [
    ...(i % 5 === 0 ? [{ kind: 'text', text: 'boot: ok\r\n' } as const] : []),
    { kind: 'frame', frame },
  ])
  t.same(segments, expected)
})

t.test('frame reader: one flipped bit anywhere is noise, and the next frame still arrives', async (t) => {
  const random = createRandom()
  t.comment(`seed ${random.seed}`)
  for (let round = 0; round < 300; round++) {
    const first = encodeFrame(randomFrame(random))
    first[random.integer(1, first.length - 2)]! ^= 1 << random.integer(0, 7)
    const second = randomFrame(random)
    const segments = new FrameReader().push(Buffer.concat([first, encodeFrame(second)]))
    if (segments.slice(0, -1).some((segment) => segment.kind === 'frame')) t.fail('a damaged frame was accepted')
    t.same(segments.at(-1), { kind: 'frame', frame: second })
  }
})

t.test('frame reader: endless noise is cut off, a prompt without end is flushed', async (t) => {
  const reader = new FrameReader()
  const segments = Array.from({ length: 20 }, () => reader.push(new Uint8Array(1000).fill(0x80))).flat()
  t.ok(segments.length >= 3)
  t.ok(segments.every((segment) => segment.kind === 'noise'))
  reader.flush()
  reader.push(new TextEncoder().encode('msh />'))
  t.same(reader.flush(), [{ kind: 'text', text: 'msh />' }])
  t.match(readSegment(Uint8Array.of(3, 0x80, 0x81)), { kind: 'noise', reason: 'short' })
})

t.test('slip reader: empty frames resynchronise, unknown escapes are counted', async (t) => {
  const random = createRandom()
  t.comment(`seed ${random.seed}`)
  const packets = Array.from({ length: 30 }, () => random.bytes(random.integer(1, 300)))
  const stream = Buffer.concat([Uint8Array.of(0xc0, 0xc0), ...packets.map((packet) => slipEncode(packet))])
  const reader = new SlipReader()
  t.same(
    [...pieces(stream, random)].flatMap((piece) => reader.push(piece)).map((packet) => Buffer.from(packet)),
    packets.map((packet) => Buffer.from(packet)),
  )
  t.same(reader.push(Uint8Array.of(0xc0, 0xdb, 0x01, 0xc0)), [])
  t.equal(reader.damaged, 1)
})

import { spawn, spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs'
import { createServer, type Socket } from 'node:net'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { sleep, wallClock } from '../../host/foundation/clock.js'
import { toHex } from '../../host/foundation/hex.js'
import { guessBoard, listFromSys, listPorts } from '../../host/port/list.js'
import { createMemoryPair } from '../../host/port/memory.js'
import { createPortOpener, openPort } from '../../host/port/open.js'
import type { Port } from '../../host/port/port.js'
import { splitSegments } from '../../host/port/segments.js'
import { openSerial } from '../../host/port/serial.js'
import { serialOpenError } from '../../host/port/serial-errors.js'
import { encodeFrame } from '../../protocol/index.js'
import { createRandom } from '../support/random.js'
import { createVirtualClock } from '../support/virtual-clock.js'

const ascii = (text: string) => new TextEncoder().encode(text)

/** Collects what a port receives. */
function collect(port: Port): () => string {
  const chunks: Uint8Array[] = []
  port.onData((bytes) => chunks.push(bytes))
  return () => Buffer.concat(chunks).toString('latin1')
}

async function until(condition: () => boolean, what: string): Promise<void> {
  for (let i = 0; i < 200 && !condition(); i++) await sleep(wallClock, 10)
  if (!condition()) throw new Error(`did not happen: ${what}`)
}

/** Two linked ptys, or undefined where socat is absent. */
async function ptyPair(t: Test): Promise<readonly [string, string] | undefined> {
  if (spawnSync('socat', ['-V']).status !== 0) return undefined
  const [a, b] = [join(t.testdir(), 'a'), join(t.testdir(), 'b')]
  const socat = spawn('socat', [`pty,raw,echo=0,link=${a}`, `pty,raw,echo=0,link=${b}`])
  t.teardown(() => socat.kill())
  await until(() => existsSync(a) && existsSync(b), 'socat makes its ptys')
  return [a, b]
}

t.test('serial: bytes cross a pty pair both ways, which has no modem lines', async (t) => {
  const paths = await ptyPair(t)
  if (paths === undefined) return t.comment('skipped: socat is absent')
  const [a, b] = [await openSerial(paths[0]), await openSerial(paths[1], { baud: 9600 })]
  t.equal(a.hasModemLines, false)
  await t.rejects(a.setLines({ dtr: false, rts: false }), { code: 'PORT_LINES' })
  const [fromA, fromB] = [collect(b), collect(a)]
  await a.write(Uint8Array.from({ length: 256 }, (_, i) => i))
  await b.write(ascii('answer'))
  await b.drain()
  await until(() => fromA().length === 256 && fromB() === 'answer', 'all bytes arrive')
  t.equal(fromA(), Buffer.from(Array.from({ length: 256 }, (_, i) => i)).toString('latin1'))
  await a.setBaud(1_500_000)
  t.equal(a.baud, 1_500_000)
  await Promise.all([a.close(), b.close()])
  t.equal(a.isOpen, false)
  await t.rejects(a.write(Uint8Array.of(1)), { code: 'PORT_CLOSED' })
})

t.test('serial: a port that is open already is busy, a missing one is named', async (t) => {
  await t.rejects(openSerial('/dev/ttyNOTHERE'), { code: 'PORT_OPEN', where: { port: '/dev/ttyNOTHERE' } })
  const paths = await ptyPair(t)
  if (paths === undefined) return t.comment('skipped: socat is absent')
  const port = await openSerial(paths[0])
  await t.rejects(openSerial(paths[0]), { code: 'PORT_BUSY' })
  await port.close()
})

t.test('serial: a permission error names the group to join and the udev rule', async (t) => {
  const error = serialOpenError('/dev/ttyUSB0', new Error('Error: Permission denied, cannot open /dev/ttyUSB0'), {
    group: 'dialout',
    user: 'ann',
  })
  t.equal(error.code, 'PORT_PERMISSION')
  t.match(error.fix, /usermod -aG dialout ann/)
  t.match(error.fix, /udev rule/)
  t.equal(
    serialOpenError('/dev/x', new Error('Error Resource temporarily unavailable Cannot lock port')).code,
    'PORT_BUSY',
  )
})

t.test('tcp: bytes cross, closing is told with its reason', async (t) => {
  const sockets: Socket[] = []
  const server = createServer((socket) => {
    sockets.push(socket)
    socket.on('data', (bytes) => socket.write(bytes))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => server.close())
  const address = server.address()
  const number = typeof address === 'object' && address ? address.port : 0
  const port = await openPort(`tcp://127.0.0.1:${number}`)
  const received = collect(port)
  await port.write(ascii('echo'))
  await until(() => received() === 'echo', 'the echo arrives')
  const closed = new Promise((resolve) => port.onClose(resolve))
  sockets[0]!.destroy()
  t.match(await closed, { code: 'PORT_CLOSED' })
  await t.rejects(port.setLines({ dtr: true, rts: true }), { code: 'PORT_LINES' })
})

t.test('open: unknown and malformed URLs are refused, other schemes can be added', async (t) => {
  await t.rejects(openPort('quic://x'), { code: 'PORT_URL' })
  await t.rejects(openPort(''), { code: 'PORT_URL' })
  await t.rejects(openPort('tcp://nohost'), { code: 'PORT_URL' })
  await t.rejects(openPort('rfc2217://h:1'), { code: 'PORT_URL' })
  await t.rejects(openPort('tcp://127.0.0.1:1'), { code: 'PORT_OPEN' })
  const { host } = createMemoryPair({ clock: wallClock })
  const open = createPortOpener({ virtual: async () => host })
  t.equal(await open('virtual:?faults=flip=1'), host)
})

t.test('list: guesses family and board from the USB ids', async (t) => {
  t.match(guessBoard({ path: '/dev/ttyUSB0', vendorId: '1A86', productId: '7523' }), {
    isLikelyK210: true,
    wiring: 'A',
  })
  t.match(guessBoard({ path: '/dev/ttyUSB0', vendorId: '0403', productId: '6010' }), {
    isLikelyK210: true,
    wiring: 'B',
  })
  t.match(guessBoard({ path: '/dev/ttyACM0', vendorId: 'c251' }), { isLikelyK210: true, wiring: 'C' })
  t.match(guessBoard({ path: '/dev/ttyS0' }), { isLikelyK210: false })
  t.ok(Array.isArray(await listPorts()))
})

t.test('list: without udevadm the USB ids come from /sys', async (t) => {
  const root = t.testdir()
  const usb = join(root, 'usb1')
  mkdirSync(join(usb, '1-1:1.0', 'ttyUSB7'), { recursive: true })
  mkdirSync(join(root, 'class', 'ttyUSB7'), { recursive: true })
  symlinkSync(join(usb, '1-1:1.0', 'ttyUSB7'), join(root, 'class', 'ttyUSB7', 'device'))
  writeFileSync(join(usb, 'idVendor'), '1a86\n')
  writeFileSync(join(usb, 'idProduct'), '7523\n')
  t.match(await listFromSys(join(root, 'class')), [{ path: '/dev/ttyUSB7', vendorId: '1a86', productId: '7523' }])
})

t.test('memory: bytes take their time at the rate, another rate makes garbage, faults can be switched', async (t) => {
  const clock = createVirtualClock()
  const { host, board, toBoard } = createMemoryPair({ clock, baud: 100_000, random: createRandom(1).next })
  const received = collect(board)
  await host.write(ascii('0123456789'))
  await clock.advance(0.9)
  t.equal(received(), '')
  await clock.advance(0.1)
  t.equal(received(), '0123456789')
  board.baud = 200_000
  await host.write(ascii('x'))
  await clock.run(host.drain())
  t.not(received().at(-1), 'x')
  board.baud = 100_000
  toBoard.cut = true
  await host.write(ascii('lost'))
  await clock.advance(10)
  toBoard.cut = false
  toBoard.splitBytes = 1
  await host.write(ascii('ab'))
  await clock.advance(10)
  t.equal(received().slice(11), 'ab')
  const closed = new Promise((resolve) => host.onClose(resolve))
  host.unplug()
  t.match(await closed, { code: 'PORT_CLOSED' })
})

t.test('segments: frames and console text arrive whole however the bytes are split', async (t) => {
  const random = createRandom()
  t.comment(`seed ${random.seed}`)
  const frame = (length: number) =>
    encodeFrame({
      ...{ kind: 'datagram', id: 7, number: 1, epoch: 1, fragment: 0, last: true, budgetBytes: 0 },
      payload: random.bytes(length),
    })
  const frames = Array.from({ length: 20 }, (_, i) => frame(i * 40))
  const stream = Buffer.concat([ascii('boot text\r\n'), ...frames])
  const clock = createVirtualClock()
  const { host, board, toHost } = createMemoryPair({ clock })
  const segments: string[] = []
  splitSegments(host, { onSegment: (segment) => segments.push(toHex(segment)) })
  for (let from = 0; from < stream.length; ) {
    toHost.splitBytes = random.integer(1, 300)
    await board.write(stream.subarray(from, from + toHost.splitBytes))
    from += toHost.splitBytes
  }
  await clock.run(board.drain())
  await clock.advance(1)
  t.same(segments, [toHex(ascii('boot text\r\n')), ...frames.map((bytes) => toHex(bytes.slice(1, -1)))])
})

t.test('segments: text without a delimiter comes after a silence, endless noise in pieces', async (t) => {
  const clock = createVirtualClock()
  const { host, board } = createMemoryPair({ clock, baud: 1_000_000 })
  const segments: Uint8Array[] = []
  const stop = splitSegments(host, { onSegment: (segment) => segments.push(segment), limitBytes: 100 })
  await board.write(ascii('msh />'))
  await clock.advance(40)
  t.equal(segments.length, 0)
  await clock.advance(20)
  t.equal(Buffer.from(segments[0]!).toString(), 'msh />')
  await board.write(Uint8Array.of(0x80, 0x81))
  await clock.advance(1000)
  t.equal(segments.length, 1, 'what is no text waits for its delimiter')
  await board.write(new Uint8Array(150).fill(0x80))
  await clock.advance(10)
  t.equal(segments[1]?.length, 152)
  stop()
})

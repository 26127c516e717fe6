import { constants } from 'node:fs'
import { open } from 'node:fs/promises'
import { connect } from 'node:net'
import t, { type Test } from 'tap'
import { type Clock, sleep, wallClock } from '../../host/foundation/clock.js'
import { toHex } from '../../host/foundation/hex.js'
import type { Port } from '../../host/port/port.js'
import type { BoardOptions } from '../../host/virtual-board/board.js'
import { createVirtualBoard } from '../../host/virtual-board/inline-board.js'
import { listenTcp } from '../../host/virtual-board/listen.js'
import { listenPty } from '../../host/virtual-board/pty.js'
import { createWorkerBoard } from '../../host/virtual-board/worker-board.js'
import { slipEncode } from '../../protocol/framing/slip.js'
import { encodeIspPacket } from '../../protocol/isp/packet.js'
import { echoFirmware, firmwareImage } from '../support/echo-firmware.js'

const GREETING = Uint8Array.from([0xc0, 0xc2, ...new Array(12).fill(0), 0xc0])
const text = (value: string) => new TextEncoder().encode(value)
const echoImage = firmwareImage(echoFirmware())

/** Everything that arrives at a port, and waiting for it on the port's clock. */
function listenTo(port: Port) {
  let all = new Uint8Array(0)
  port.onData((bytes) => {
    all = new Uint8Array(Buffer.concat([all, bytes]))
  })
  const asText = () => Buffer.from(all).toString('latin1')
  return {
    bytes: () => all,
    text: asText,
    clear: () => {
      all = new Uint8Array(0)
    },
    /** Waits until the text contains `part`; fails after 3 s of the port's time. */
    async until(part: string) {
      for (let waited = 0; waited < 3000; waited += 5) {
        if (asText().includes(part)) return
        await sleep(port.clock, 5)
      }
      throw new Error(`"${part}" did not come; got ${JSON.stringify(asText())}`)
    },
  }
}

/** Waits until a condition holds, on a clock. */
async function eventually(clock: Clock, holds: () => Promise<boolean>): Promise<void> {
  for (let waited = 0; waited < 5000; waited += 10) {
    if (await holds()) return
    await sleep(clock, 10)
  }
  throw new Error('it did not happen in 5 s')
}

/** A board, its port and what it says; closed at the end of the test. */
async function bench(t: Test, options: BoardOptions = {}) {
  const board = await createVirtualBoard(options)
  t.teardown(() => board.close())
  const port = board.port()
  return { board, port, said: listenTo(port) }
}

/** Resets into ISP, wiring family B. */
async function enterIsp(port: Port): Promise<void> {
  for (const [dtr, rts] of [
    [false, false],
    [true, false],
    [false, true],
  ] as const) {
    await port.setLines({ dtr, rts })
    await sleep(port.clock, 20)
  }
}

t.test('blank board: the ROM says why it does not boot, stays in ISP and answers the greeting', async (t) => {
  const { board, port, said } = await bench(t)
  await said.until('boot failed with exit code 233')
  said.clear()
  await port.write(GREETING)
  await said.until('\xc0\xc2\xe0\xc0')
  const stats = await board.stats()
  t.equal(stats.state, 'rom')
  t.match(stats.failedBoot, /no image/)
})

t.test('damaged image: refused by its SHA-256, with a line on the UART', async (t) => {
  const image = echoImage.slice()
  image[200]! ^= 1
  const { board, said } = await bench(t, { flashImage: image })
  await said.until('SHA-256 of the image is wrong')
  t.equal((await board.stats()).state, 'rom')
})

t.test('valid image: boots and echoes; ISP by reset lines for families A, B and C', async (t) => {
  const sequences = { A: '00 01 10', B: '00 10 01', C: '11 10 10' } as const
  for (const family of ['A', 'B', 'C'] as const) {
    const { board, port, said } = await bench(t, { flashImage: echoImage, family })
    await said.until('ready')
    await port.write(text('hello'))
    await said.until('hello')
    for (const step of sequences[family].split(' ')) {
      await port.setLines({ dtr: step[0] === '1', rts: step[1] === '1' })
      await sleep(port.clock, 10)
    }
    said.clear()
    await port.write(GREETING)
    await said.until('\xc0\xc2\xe0\xc0')
    t.equal((await board.stats()).state, 'rom', `family ${family}`)
  }
})

t.test('ROM upload: a program written to RAM in chunks runs after the boot command', async (t) => {
  const { board, port, said } = await bench(t)
  await enterIsp(port)
  said.clear()
  const code = echoFirmware()
  for (let at = 0; at < code.length; at += 1024) {
    const data = code.subarray(at, at + 1024)
    await port.write(slipEncode(encodeIspPacket({ op: 0xc3, address: 0x8010_0000 + at, data })))
    await said.until('\xc0\xc3\xe0\xc0')
    said.clear()
  }
  const startMs = port.clock.now()
  await port.write(slipEncode(encodeIspPacket({ op: 0xc5, address: 0x8010_0000 })))
  await said.until('ready')
  t.ok(port.clock.now() - startMs < 20)
  await port.write(text('X'))
  await said.until('Xready')
  t.equal((await board.stats()).boots, 2, 'the program executed itself again')
})

t.test('program that is no WebAssembly: crash with a reason; reset brings the board back', async (t) => {
  const { board, port, said } = await bench(t, { flashImage: firmwareImage(Uint8Array.of(0x6f, 0, 0, 0)) })
  await said.until('core dump')
  t.match(await board.stats(), { state: 'crashed', crash: /no WebAssembly module/ })
  await enterIsp(port)
  t.equal((await board.stats()).state, 'rom')
})

t.test('traps and bus errors end the program; reboot commands start it again or enter the ROM', async (t) => {
  const { board, port, said } = await bench(t, { flashImage: echoImage })
  await said.until('ready')
  for (const command of ['T', 'M']) {
    await port.write(text(command))
    await said.until('core dump')
    t.equal((await board.stats()).state, 'crashed')
    said.clear()
    await board.reset()
    await said.until('ready')
  }
  said.clear()
  await port.write(text('R'))
  await said.until('ready')
  await port.write(text('I'))
  await eventually(port.clock, async () => (await board.stats()).state === 'rom')
})

t.test('time on the wire: 115200 baud takes 86.8 us a byte, 1.5 Mbaud 6.7 us', async (t) => {
  const { port, said } = await bench(t, { flashImage: echoImage })
  await said.until('ready')
  const data = text('a'.repeat(1152))
  let startMs = port.clock.now()
  await port.write(data)
  await port.drain()
  t.ok(Math.abs(port.clock.now() - startMs - 100) < 1, `${port.clock.now() - startMs} ms for 1152 bytes`)
  await port.write(text('B'))
  await said.until('B')
  await port.setBaud(1_500_000)
  await sleep(port.clock, 5)
  said.clear()
  startMs = port.clock.now()
  await port.write(text('b'.repeat(15_000)))
  await port.drain()
  t.ok(Math.abs(port.clock.now() - startMs - 100) < 1, `${port.clock.now() - startMs} ms for 15000 bytes`)
  await sleep(port.clock, 30)
  t.equal(said.text(), 'b'.repeat(15_000), 'and all of them came back')
})

t.test('wrong baud: garbage both ways', async (t) => {
  const { port, said } = await bench(t, { flashImage: echoImage })
  await said.until('ready')
  said.clear()
  await port.setBaud(230_400)
  await port.write(text('hello'))
  await sleep(port.clock, 50)
  t.notMatch(said.text(), /hello/)
  t.ok(said.bytes().length > 0)
})

t.test('turn-round: a 16 ms latency timer delays a short answer by 16 ms', async (t) => {
  for (const turnRoundMs of [1, 16]) {
    const { port, said } = await bench(t, { flashImage: echoImage, turnRoundMs })
    await said.until('ready')
    const startMs = port.clock.now()
    const answered = new Promise<number>((resolve) => port.onData(() => resolve(port.clock.now() - startMs)))
    await port.write(text('x'))
    const tookMs = await answered
    t.ok(tookMs > turnRoundMs && tookMs < turnRoundMs + 1, `${tookMs} ms`)
  }
})

t.test('receive ring: what nobody takes is lost and counted', async (t) => {
  const { board, port } = await bench(t, { flashImage: echoImage, rxRingBytes: 64 })
  await sleep(port.clock, 100)
  await port.write(text('T'))
  await sleep(port.clock, 10)
  t.equal((await board.stats()).state, 'crashed')
  const { board: slow, port: fast } = await bench(t, { flashImage: echoImage, rxRingBytes: 8 })
  await sleep(fast.clock, 100)
  await fast.write(text('B'))
  await fast.setBaud(1_500_000)
  await sleep(fast.clock, 10)
  await fast.write(text('c'.repeat(1000)))
  await fast.drain()
  t.ok((await slow.stats()).rxOverruns > 0)
})

t.test('flash through the firmware: erase, program; a power cut in the middle leaves it undone', async (t) => {
  const good = await bench(t, { flashImage: echoImage })
  await good.said.until('ready')
  await good.port.write(text('F'))
  await sleep(good.port.clock, 100)
  t.equal(toHex(await good.board.readFlash(0x30_0000, 4)), '00010203')
  const cut = await bench(t, { flashImage: echoImage, faults: 'powerCut=1,seed=3' })
  await cut.board.writeFlash(0x30_0000, new Uint8Array(4096))
  await cut.said.until('ready')
  cut.said.clear()
  await cut.port.write(text('F'))
  await cut.said.until('ready')
  const left = await cut.board.readFlash(0x30_0000, 4096)
  t.ok(left.some((byte) => byte !== 0xff) && left.some((byte) => byte !== 0), 'the sector is half erased')
  t.match(await cut.board.stats(), { boots: 2, flashOperations: 1 })
})

t.test('camera: pictures come at 30 a second, numbered', async (t) => {
  const { board, port, said } = await bench(t, { flashImage: echoImage })
  await said.until('ready')
  const startMs = port.clock.now()
  for (let i = 0; i < 6; i++) {
    said.clear()
    await port.write(text('C'))
    await said.until('c')
  }
  const tookMs = port.clock.now() - startMs
  t.ok(tookMs > 190 && tookMs < 400, `six pictures in ${tookMs} ms`)
  t.equal((await board.stats()).framesCaptured, 6)
})

/** A run that uses random faults, text, resets and bulk; everything that the host saw, with its time. */
async function recordedRun(seed: number): Promise<string> {
  const board = await createVirtualBoard({
    flashImage: echoImage,
    seed,
    faults: `bitFlip=1e-4,drop=1e-4,split=0.2,seed=${seed}`,
  })
  const port = board.port()
  const log: string[] = []
  port.onData((bytes) => log.push(`${port.clock.now()} ${toHex(bytes)}`))
  await sleep(port.clock, 100)
  for (let i = 0; i < 5; i++) {
    await port.write(text(`N message ${i} `.repeat(40)))
    await sleep(port.clock, 7 * i)
  }
  await enterIsp(port)
  await port.write(GREETING)
  await sleep(port.clock, 100)
  log.push(JSON.stringify({ ...(await board.stats()), wallMs: 0, kpuWallMs: 0 }))
  await board.close()
  return log.join('\n')
}

t.test('fast pace: the same seed gives the same bytes at the same times, another seed does not', async (t) => {
  const [first, second, other] = [await recordedRun(11), await recordedRun(11), await recordedRun(12)]
  t.ok(first.length > 1000)
  t.equal(first, second)
  t.not(first, other)
})

t.test('unplug: by fault at a byte, by hand; replug boots again', async (t) => {
  const { board, port, said } = await bench(t, { flashImage: echoImage, faults: 'unplug=500' })
  await said.until('ready')
  const closed = new Promise((resolve) => port.onClose(resolve))
  await t.rejects(port.write(text('y'.repeat(6000))), { code: 'PORT_CLOSED' })
  t.match(await closed, { code: 'PORT_CLOSED', what: /unplugged/ })
  await t.rejects(port.write(text('z')), { code: 'PORT_CLOSED' })
  t.throws(() => board.port(), { code: 'PORT_OPEN' })
  await board.replug()
  const again = board.port()
  await listenTo(again).until('ready')
  t.throws(() => board.port(), { code: 'PORT_BUSY' })
  await again.close()
  await board.unplug()
  t.equal((await board.stats()).state, 'off')
})

t.test('power cycle: the program starts again, RAM is lost, the port stays', async (t) => {
  const { board, port, said } = await bench(t, { flashImage: echoImage })
  await said.until('ready')
  await port.write(text('N'))
  await sleep(port.clock, 10)
  const id = toHex(said.bytes().slice(-4))
  said.clear()
  await board.powerCycle()
  await said.until('ready')
  await port.write(text('N'))
  await sleep(port.clock, 10)
  t.not(toHex(said.bytes().slice(-4)), id, 'another boot id')
})

t.test('port without modem lines refuses to set them and follows the rate', async (t) => {
  const board = await createVirtualBoard({ flashImage: echoImage })
  t.teardown(() => board.close())
  const port = board.port({ url: 'tcp://x', modemLines: false })
  const said = listenTo(port)
  await t.rejects(port.setLines({ dtr: true, rts: false }), { code: 'PORT_LINES' })
  await said.until('ready')
  await port.write(text('B'))
  await sleep(port.clock, 10)
  await port.write(text('fast'))
  await said.until('fast')
  t.equal((await board.stats()).baud, 1_500_000)
})

/** Connects a socket and collects its text. */
function client(url: string) {
  const { hostname, port } = new URL(url)
  const socket = connect(Number(port), hostname)
  let got = ''
  socket.on('data', (bytes) => {
    got += bytes.toString('latin1')
  })
  const until = async (part: string) => {
    for (let i = 0; i < 400 && !got.includes(part); i++) await new Promise((resolve) => setTimeout(resolve, 5))
    return got.includes(part)
  }
  const connected = new Promise<void>((resolve) => socket.once('connect', () => resolve()))
  return { socket, until, connected }
}

t.test('tcp listener: one client at a time, the board goes on between clients', async (t) => {
  const board = await createVirtualBoard({ flashImage: echoImage, pace: 'real' })
  t.teardown(() => board.close())
  const listener = await listenTcp(board, { host: '127.0.0.1', port: 0 })
  t.teardown(() => listener.close())
  const first = client(listener.url)
  await first.connected
  await board.reset()
  t.ok(await first.until('ready'))
  first.socket.write('hello over tcp')
  t.ok(await first.until('hello over tcp'))
  const second = client(listener.url)
  t.ok(await second.until('has a client already'))
  first.socket.destroy()
  await new Promise((resolve) => setTimeout(resolve, 30))
  const third = client(listener.url)
  third.socket.write('again')
  t.ok(await third.until('again'))
  third.socket.destroy()
  await t.rejects(listenTcp(board, { host: '127.0.0.1', port: Number(new URL(listener.url).port) }), {
    code: 'PORT_OPEN',
  })
})

t.test('pty listener: a device path of socat, or a clear refusal', async (t) => {
  const board = await createVirtualBoard({ flashImage: echoImage, pace: 'real' })
  t.teardown(() => board.close())
  const listener = await listenPty(board).catch((error: unknown) => {
    t.match(error, { code: 'PORT_OPEN', fix: /socat/ }, 'socat is absent')
  })
  if (!listener) return
  t.teardown(() => listener.close())
  await sleep(wallClock, 50)
  for (const word of ['first client', 'second client']) {
    const device = await open(listener.url, constants.O_RDWR | constants.O_NOCTTY)
    await device.write(word)
    // The board's boot text may come first, and the echo in pieces.
    let text = ''
    for (let reads = 0; reads < 20 && !text.includes(word); reads++) {
      const { buffer, bytesRead } = await device.read(Buffer.alloc(64), 0, 64)
      text += buffer.toString('latin1', 0, bytesRead)
    }
    t.ok(text.endsWith(word), `${JSON.stringify(text)} came back`)
    await device.close()
  }
})

t.test('worker thread: the same board behind a message port', async (t) => {
  const board = await createWorkerBoard({ flashImage: echoImage })
  t.teardown(() => board.close())
  const port = board.port()
  const said = listenTo(port)
  await board.reset() // text from before the port was open is lost, as on any port
  await said.until('ready')
  await port.write(text('from another thread'))
  await said.until('from another thread')
  await enterIsp(port)
  await port.write(GREETING)
  await said.until('\xc0\xc2\xe0\xc0')
  await board.writeFlash(5, Uint8Array.of(1, 2, 3))
  t.equal(toHex(await board.readFlash(5, 3)), '010203')
  t.match(await board.stats(), { state: 'rom' })
  t.throws(() => board.port(), { code: 'PORT_BUSY' })
  const closed = new Promise((resolve) => port.onClose(resolve))
  await board.unplug()
  t.match(await closed, { code: 'PORT_CLOSED' })
  await t.rejects(createWorkerBoard({ faults: 'nonsense' }), { code: 'USAGE' })
})

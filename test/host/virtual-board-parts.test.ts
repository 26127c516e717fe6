import { createHash } from 'node:crypto'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import t from 'tap'
import { toHex } from '../../host/foundation/hex.js'
import { packageFile } from '../../host/foundation/paths.js'
import { checkBootImage } from '../../host/virtual-board/boot-image.js'
import { BootRom } from '../../host/virtual-board/boot-rom.js'
import { sceneSource, testPatternSource } from '../../host/virtual-board/camera.js'
import { EventQueue } from '../../host/virtual-board/event-queue.js'
import { describeFaults, FAULT_TABLE, NO_FAULTS, parseFaults } from '../../host/virtual-board/faults.js'
import { FlashFile } from '../../host/virtual-board/flash-file.js'
import { LineNoise } from '../../host/virtual-board/line-noise.js'
import { MEMORY, Ram } from '../../host/virtual-board/memory.js'
import { FLASH_TIMES, NorFlash } from '../../host/virtual-board/nor-flash.js'
import { BoardPins } from '../../host/virtual-board/pins.js'
import { seededRandom } from '../../host/virtual-board/random.js'
import { copyWindow } from '../../host/virtual-board/sensor.js'
import { VirtualTime } from '../../host/virtual-board/virtual-time.js'
import { wasmModuleLength } from '../../host/virtual-board/wasm-image.js'
import { slipEncode } from '../../protocol/framing/slip.js'
import { encodeIspPacket } from '../../protocol/isp/packet.js'
import { echoFirmware, firmwareImage } from '../support/echo-firmware.js'

const fromHex = (hex: string) => new Uint8Array(Buffer.from(hex, 'hex'))

/** A ROM with its answers, baud and entry recorded. */
function romBench() {
  const seen = { sent: '', baud: 0, entry: -1 }
  const ram = new Ram()
  const rom = new BootRom({
    ram,
    send: (bytes) => {
      seen.sent += toHex(bytes)
    },
    setBaud: (baud) => {
      seen.baud = baud
    },
    boot: (address) => {
      seen.entry = address
    },
  })
  const ask = (hex: string) => {
    seen.sent = ''
    rom.receive(fromHex(hex))
    return seen.sent
  }
  return { seen, ram, rom, ask }
}

interface GoldenRequest {
  readonly case: string
  readonly command: string
  readonly frameHex: string
}

t.test('boot ROM answers the golden frames of isp.md 2.7', async (t) => {
  const golden = JSON.parse(readFileSync(packageFile('test/golden/isp.json'), 'utf8'))
  const requests: GoldenRequest[] = golden.requests
  const frame = (name: string) => requests.find((request) => request.case.startsWith(name))!.frameHex
  const { ask, ram, seen } = romBench()
  t.equal(ask(frame('greeting, ROM, short')), 'c0c2e0c0')
  t.equal(ask(frame('greeting, ROM, full')), 'c0c2e0c0')
  t.equal(ask(frame('write 01 02 03 04')), 'c0c3e0c0')
  t.equal(toHex(ram.bytes.subarray(0, 4)), '01020304')
  t.equal(ask(frame('write C0 DB 00 FF')), 'c0c3e0c0', 'escapes on the way')
  t.equal(toHex(ram.bytes.subarray(0x400, 0x404)), 'c0db00ff')
  t.equal(ask(frame('boot 0x80000000')), '', 'boot is not answered')
  t.equal(seen.entry, 0x8000_0000)
  t.equal(ask(frame('ROM baud 1523684')), '', 'baud is not answered')
  t.equal(seen.baud, 1_500_000, 'the ROM scales by 38/38.6')
})

t.test('boot ROM refuses what it cannot do', async (t) => {
  const { ask, ram } = romBench()
  const request = (op: number, fields: { address?: number; length?: number; data?: Uint8Array } = {}) =>
    toHex(slipEncode(encodeIspPacket({ op, ...fields })))
  const data = Uint8Array.of(1, 2, 3, 4)
  t.equal(ask(request(0xc1)), 'c0c1e3c0', 'echo')
  t.equal(ask(request(0xc4, { address: 0x8000_0000 })), 'c0c4e3c0', 'memory read')
  t.equal(ask(request(0xd2)), 'c0d2e3c0', 'a stub greeting')
  t.equal(ask(request(0xc3, { address: 0x8000_0000, length: 5, data })), 'c0c3e1c0', 'length word differs')
  t.equal(ask(request(0xc3, { address: 0x8000_0000, data: new Uint8Array(1025) })), '', 'longer than any tool sends')
  t.equal(ask(request(0xc3, { address: 0x805f_fffe, data })), 'c0c3e1c0', 'past the end of the RAM')
  const flipped = request(0xc3, { address: 0x8000_0000, data }).replace('01020304', '01020305')
  t.equal(ask(flipped), 'c0c3e2c0', 'wrong checksum')
  t.equal(ask('c0c300c0'), 'c0c3e1c0', 'too short')
  t.ok(
    ram.bytes.every((byte) => byte === 0),
    'nothing was written',
  )
  t.equal(ask('4142c0c0c0c20000'), 'c041e1c0', 'noise before a frame is answered like a short frame')
  t.equal(ask('00000000000000000000c0'), 'c0c2e0c0', 'the greeting after it, in two pieces')
})

t.test('boot image: accepted only with plain flag, sane length and right SHA-256', async (t) => {
  const image = firmwareImage(fromHex('6f0000006f000000'))
  t.equal(image.length, 45)
  const flash = new Uint8Array(4096).fill(0xff)
  const refusal = (bytes: Uint8Array) => {
    flash.fill(0xff).set(bytes)
    const check = checkBootImage(flash, MEMORY.maxPayloadBytes)
    return check.ok ? `boots ${toHex(check.payload)}` : check.reason
  }
  t.equal(refusal(image), 'boots 6f0000006f000000')
  for (const at of [5, 12, 13, 44]) {
    const damaged = image.slice()
    damaged[at]! ^= 0x10
    t.match(refusal(damaged), /SHA-256/, `byte ${at} flipped`)
  }
  t.match(refusal(new Uint8Array(0)), /no image: cipher flag is 0xff/)
  t.match(refusal(Uint8Array.of(1, ...image.subarray(1))), /encrypted/)
  t.match(refusal(Uint8Array.of(0, 0, 0, 0x5e, 1)), /length/)
})

t.test('NOR flash: random operations agree with a slow model', async (t) => {
  const seed = Number(process.env.SEED ?? 20)
  t.comment(`seed ${seed}`)
  const random = seededRandom(seed)
  let now = 0
  const flash = new NorFlash(() => now)
  const base = 0x20_0000
  const model = new Uint8Array(0x2_0000).fill(0xff)
  for (let step = 0; step < 600; step++) {
    if (random.below(10) === 0) {
      const size = random.below(2) ? 4096 : 65_536
      const address = Math.floor(random.below(model.length) / size) * size
      t.equal(flash.erase(base + address, size), 0)
      model.fill(0xff, address, address + size)
    } else {
      const address = random.below(model.length)
      const data = Uint8Array.from({ length: 1 + random.below(256) }, () => random.below(256))
      t.equal(flash.program(base + address, data), 0)
      data.forEach((byte, i) => {
        model[(address & ~255) + ((address + i) & 255)]! &= byte
      })
    }
    t.equal(flash.read(0, new Uint8Array(1)), -6, 'busy')
    now = flash.busyUntilUs!
  }
  const held = new Uint8Array(model.length)
  t.equal(flash.read(base, held), 0)
  t.ok(Buffer.from(held).equals(Buffer.from(model)))
})

t.test('NOR flash: times, ids, refusals and protection', async (t) => {
  let now = 0
  const flash = new NorFlash(() => now)
  t.equal(flash.id, 0xef4018)
  t.equal(flash.status, 0x0200, 'quad enable only')
  flash.program(0, Uint8Array.of(1))
  t.equal(flash.status, 0x0201, 'busy')
  t.equal(flash.busyUntilUs, 400)
  t.equal(flash.program(256, Uint8Array.of(1)), -6, 'busy: refused')
  now = 400
  t.equal(flash.busyUntilUs, undefined)
  t.equal(flash.erase(0, 8192), -4, 'no such unit')
  t.equal(flash.erase(2048, 4096), -4, 'not aligned')
  t.equal(flash.read(16 * 1024 * 1024 - 1, new Uint8Array(2)), -4)
  flash.erase(0, 65_536)
  t.equal(flash.busyUntilUs, 400 + 150_000)
  const worst = new NorFlash(() => now, { times: FLASH_TIMES.worst, slow: 2, isProtected: true, id: 0xc86018 })
  t.equal(worst.id, 0xc86018)
  t.equal(worst.erase(0, 4096), 0)
  t.equal(worst.busyUntilUs, now + 800_000)
  now += 800_000
  t.equal(worst.program(0, Uint8Array.of(0)), 0, 'looks normal')
  t.equal(worst.bytes[0], 0xff, 'but nothing is written')
  t.ok(worst.status & 0x1c, 'the protection bits say so')
})

t.test('NOR flash: power loss leaves a half done unit and touches nothing else', async (t) => {
  let now = 0
  const flash = new NorFlash(() => now, { seed: 3 })
  flash.program(0x1000, new Uint8Array(256).fill(0))
  now = 200
  flash.losePower()
  const bits = flash.bytes
    .subarray(0x1000, 0x1100)
    .reduce((sum, byte) => sum + byte.toString(2).split('1').length - 1, 0)
  t.ok(bits > 700 && bits < 1350, `about half of 2048 bits are programmed (${bits} left)`)
  t.equal(flash.bytes[0x0fff], 0xff)
  t.equal(flash.bytes[0x1100], 0xff)
  t.equal(flash.busyUntilUs, undefined, 'the chip is ready after power up')
  flash.erase(0x1000, 4096)
  now += 45_000
  flash.losePower()
  t.equal(flash.bytes[0x1000], 0xff, 'power loss after the end does nothing')
})

t.test('flash file: kept over close and open; a longer file is refused', async (t) => {
  const folder = mkdtempSync(join(tmpdir(), 'k210b-'))
  t.teardown(() => rmSync(folder, { recursive: true }))
  const path = join(folder, 'flash.bin')
  const first = new NorFlash(() => 0)
  const file = await FlashFile.open(path, first)
  t.notOk(existsSync(path), 'nothing is written before a change')
  first.program(0x10_0000, Uint8Array.of(0x42))
  await file.close()
  const second = new NorFlash(() => 0)
  await (await FlashFile.open(path, second)).close()
  t.equal(second.bytes[0x10_0000], 0x42)
  writeFileSync(path, new Uint8Array(16 * 1024 * 1024 + 1))
  await t.rejects(FlashFile.open(path, second), { code: 'FILE_FORMAT', where: { file: path } })
})

t.test('pins: reset and ISP by wiring family', async (t) => {
  /** What the chip sees at each step: R = reset held, i = IO16 low, P = pulsed. */
  const trace = (pins: BoardPins, steps: string) =>
    steps
      .split(' ')
      .map((step) => pins.set({ dtr: step[0] === '1', rts: step[1] === '1' }))
      .map((pin) => `${pin.resetHeld ? 'R' : ''}${pin.io16Low ? 'i' : ''}${pin.pulsed ? 'P' : ''}` || '-')
      .join(' ')
  t.equal(trace(new BoardPins('A'), '00 01 10'), '- R i', 'A enters ISP')
  t.equal(trace(new BoardPins('A'), '00 01 00'), '- R -', 'A boots')
  t.equal(trace(new BoardPins('B'), '00 10 01'), '- R i', 'B enters ISP')
  t.equal(trace(new BoardPins('B'), '00 10 00'), '- R -', 'B boots')
  t.equal(trace(new BoardPins('B', true), '11 01'), '- i', 'cross-coupled: both asserted is neutral')
  t.equal(trace(new BoardPins('C'), '11 10 10'), '- iP i', 'C enters ISP')
  t.equal(trace(new BoardPins('C'), '00 10 11'), '- - P', 'C boots')
  t.equal(trace(new BoardPins('none'), '00 10 01 11'), '- - - -', 'no lines')
})

t.test('event queue: by time, then by order; cancelled events never run', async (t) => {
  const random = seededRandom(8)
  const queue = new EventQueue()
  const expected: number[][] = []
  for (let i = 0; i < 500; i++) {
    const at = random.below(50)
    const event = queue.add(at, () => undefined, i % 3 === 0)
    if (i % 7 === 0) queue.cancel(event)
    else expected.push([at, i])
  }
  expected.sort((a, b) => a[0]! - b[0]! || a[1]! - b[1]!)
  const got: number[][] = []
  for (let event = queue.take(); event; event = queue.take()) got.push([event.atUs, event.order])
  t.same(got, expected)
  t.equal(queue.busyCount, 0)
})

t.test('virtual time: fast pace runs timers in order and stands still when only idle events are left', async (t) => {
  const time = new VirtualTime('fast')
  const order: string[] = []
  time.schedule(5000, () => order.push('idle'), true)
  time.clock.timer(10, () => order.push(`timer ${time.clock.now()}`))
  time.after(2000, () => order.push('event'))
  await new Promise<void>((resolve) => time.clock.timer(20, resolve))
  t.same(order, ['event', 'idle', 'timer 10'])
  time.schedule(99_000, () => order.push('never'), true)
  await new Promise((resolve) => setTimeout(resolve, 20))
  t.equal(time.nowUs, 20_000, 'an idle event alone does not advance time')
  time.stop()
})

t.test('virtual time: real pace keeps to the wall clock and counts what it cannot make up', async (t) => {
  const time = new VirtualTime('real')
  const startMs = performance.now()
  await new Promise<void>((resolve) => time.clock.timer(30, resolve))
  const tookMs = performance.now() - startMs
  t.ok(tookMs > 25, `30 ms took ${tookMs.toFixed(1)} ms`)
  time.after(1000, () => {
    const until = performance.now() + 250
    while (performance.now() < until);
  })
  await new Promise<void>((resolve) => time.clock.timer(5, resolve))
  t.ok(time.lagUs > 100_000, `a stall of 250 ms gives ${(time.lagUs / 1000).toFixed(0)} ms of lag`)
  time.stop()
})

t.test('faults: parsed from a list, documented, refused with the name', async (t) => {
  t.same(parseFaults(''), NO_FAULTS)
  t.match(parseFaults('bitFlip=1e-5, flashId=0xC86018,seed=7'), { bitFlip: 1e-5, flashId: 0xc86018, seed: 7 })
  t.throws(() => parseFaults('bitflip=1'), { code: 'USAGE', where: { faults: 'bitflip=1' } })
  t.throws(() => parseFaults('drop=2'), { code: 'USAGE', what: /0 to 1/ })
  t.throws(() => parseFaults('drop='), { code: 'USAGE' })
  for (const name of Object.keys(FAULT_TABLE)) t.match(describeFaults(), new RegExp(`^  ${name} `, 'm'))
})

t.test('line noise: rates hold, seeds repeat, a wrong baud gives garbage', async (t) => {
  const sent = new Uint8Array(200_000)
  const pass = (rates: Partial<typeof NO_FAULTS>, seed = 1) =>
    new LineNoise({ ...NO_FAULTS, ...rates }, seed).pass(sent, 115_200, 115_200)
  const flips = pass({ bitFlip: 1e-3 }).reduce((sum, byte) => sum + byte.toString(2).split('1').length - 1, 0)
  t.ok(flips > 1400 && flips < 1800, `${flips} of 1.6 million bits at 1e-3`)
  t.ok(Math.abs(pass({ drop: 0.01 }).length - 198_000) < 300)
  t.ok(Math.abs(pass({ duplicate: 0.01 }).length - 202_000) < 300)
  t.equal(toHex(pass({ bitFlip: 1e-3 }, 5).subarray(0, 9999)), toHex(pass({ bitFlip: 1e-3 }, 5).subarray(0, 9999)))
  t.equal(pass({}), sent, 'no copy without faults')
  const noise = new LineNoise(NO_FAULTS, 1)
  t.equal(noise.pass(sent, 115_200, 117_000).length, sent.length, '1.5 % off still reads right')
  const garbage = noise.pass(sent, 115_200, 230_400)
  t.equal(garbage.length, 400_000)
  t.notOk(garbage.every((byte) => byte === 0))
})

t.test('WebAssembly image: its length is found by its sections', async (t) => {
  const code = echoFirmware()
  t.equal(wasmModuleLength(code), code.length)
  const inRam = new Uint8Array(code.length + 500)
  inRam.set(code)
  t.equal(wasmModuleLength(inRam), code.length, 'zeros end it')
  t.equal(wasmModuleLength(code.subarray(0, code.length - 1)), undefined, 'a section is cut')
  t.equal(wasmModuleLength(new Uint8Array(100)), undefined, 'no module')
})

/** A grey picture with a ramp, each channel another one. */
function ramp(width: number, height: number) {
  const data = new Uint8Array(3 * width * height)
  for (let i = 0; i < data.length; i++) data[i] = ((i % width) + 40 * Math.floor(i / (width * height))) & 255
  return { width, height, channels: 3, data } as const
}

t.test('camera scene: crops, mirrors and brightens; every frame differs and repeats', async (t) => {
  const shot = { picture: 0, x: 10, y: 20, width: 100, mirrored: false, gain: 1 }
  const shots = [shot, { ...shot, x: 60 }, { ...shot, picture: 1, mirrored: true, gain: 1.2 }]
  const scene = { pictures: [ramp(200, 150), ramp(160, 120)], shots, framesPerShot: 10, seed: 4 }
  const source = sceneSource(scene)
  const hashes = Array.from({ length: 60 }, (_, i) => createHash('sha256').update(source.frame(i).data).digest('hex'))
  t.equal(new Set(hashes).size, 60)
  t.equal(createHash('sha256').update(sceneSource(scene).frame(17).data).digest('hex'), hashes[17])
  const first = source.frame(0)
  t.same([first.width, first.height], [320, 240])
  const near = (x: number, expected: number) =>
    t.ok(Math.abs(first.data[x]! - expected) <= 2, `x ${x}: ${first.data[x]}`)
  near(0, 10)
  near(160, 60)
  near(319, 109)
  const mirrored = source.frame(20)
  t.ok(mirrored.data[0]! > mirrored.data[319]!, 'mirrored')
  t.throws(() => sceneSource({ ...scene, shots: [] }), { code: 'USAGE' })
  t.throws(() => sceneSource({ ...scene, shots: [{ ...shot, picture: 2 }] }), { code: 'USAGE', where: { shot: 0 } })
})

t.test('camera window: the middle of a picture, black around it', async (t) => {
  const picture = testPatternSource().frame(3)
  const same = new Uint8Array(3 * 320 * 240)
  copyWindow(picture, same, 320, 240)
  t.ok(Buffer.from(same).equals(Buffer.from(picture.data)))
  const small = new Uint8Array(3 * 4 * 2)
  copyWindow(picture, small, 4, 2)
  t.equal(small[0], picture.data[119 * 320 + 158])
  const large = new Uint8Array(3 * 322 * 242).fill(9)
  copyWindow(picture, large, 322, 242)
  t.same([large[0], large[322 + 1]], [0, picture.data[0]])
})

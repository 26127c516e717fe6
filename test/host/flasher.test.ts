import { readFileSync } from 'node:fs'
import { zipSync } from 'fflate'
import t from 'tap'
import { enterIsp } from '../../host/flasher/enter.js'
import { FAMILIES, runLines } from '../../host/flasher/families.js'
import { itemsFromBytes } from '../../host/flasher/flash-files.js'
import { looksLikeImage, parseFirmware, reverse4Bytes, wrapFirmware } from '../../host/flasher/image.js'
import { IspSession } from '../../host/flasher/isp-session.js'
import { readFlashList, readKfpkg } from '../../host/flasher/kfpkg.js'
import { planFlash } from '../../host/flasher/plan.js'
import { modelStoreItems } from '../../host/flasher/store-image.js'
import { checkFlash, type StubInfo } from '../../host/flasher/stub-info.js'
import { packageFile } from '../../host/foundation/paths.js'
import { createMemoryPair } from '../../host/port/memory.js'
import type { ModemLines } from '../../host/port/port.js'
import { decode } from '../../protocol/codec.js'
import { crc32 } from '../../protocol/framing/crc32.js'
import { SlipReader, slipEncode } from '../../protocol/framing/slip.js'
import { decodeIspPacket, encodeIspReply, type IspPacket } from '../../protocol/isp/packet.js'
import { STORE } from '../../protocol/limits.js'
import { storeEntry, storeHeader } from '../../protocol/messages/store.js'
import { createRandom } from '../support/random.js'
import { throwsCode } from '../support/throws-code.js'
import { createVirtualClock } from '../support/virtual-clock.js'

const text = (value: string) => new TextEncoder().encode(value)
const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex')
const golden = JSON.parse(readFileSync(packageFile('test', 'golden', 'isp.json'), 'utf8')) as {
  requests: { case: string; frameHex: string }[]
  image: { payloadHex: string; imageHex: string }
}

/** A scripted board on the other end of a memory pair: `answer` gets each frame and says what goes back. */
function scripted(answer: (frame: Uint8Array, lines: ModemLines) => Uint8Array | undefined) {
  const clock = createVirtualClock()
  const pair = createMemoryPair({ clock })
  const frames: string[] = []
  const reader = new SlipReader()
  pair.board.onData((bytes) => {
    for (const frame of reader.push(bytes)) {
      frames.push(hex(slipEncode(frame)))
      const reply = answer(frame, pair.host.lines)
      if (reply) void pair.board.write(reply)
    }
  })
  return { clock, pair, frames, session: new IspSession(pair.host) }
}

const reply = (op: number, result: number) => slipEncode(encodeIspReply(op, result))

t.test('wiring families: sequences are those of the reference, both lines at once, 100 ms each', async (t) => {
  const pairs = (steps: (typeof FAMILIES)['A']['enterIsp']) =>
    steps.map(({ lines }) => `${Number(lines.dtr)}${Number(lines.rts)}`).join(' ')
  t.equal(pairs(FAMILIES.A.enterIsp), '00 01 10')
  t.equal(pairs(FAMILIES.A.bootFlash), '00 01 00')
  t.equal(pairs(FAMILIES.B.enterIsp), '00 10 01')
  t.equal(pairs(FAMILIES.B.bootFlash), '00 10 00')
  t.equal(pairs(FAMILIES.C.enterIsp), '11 10 10')
  t.equal(pairs(FAMILIES.C.bootFlash), '00 10 11')
  const { clock, pair } = scripted(() => undefined)
  await clock.run(runLines(pair.host, FAMILIES.A.enterIsp))
  t.equal(clock.now(), 300)
  t.same(pair.host.lines, { dtr: true, rts: false })
})

t.test('enter: the greeting is the golden one and only C2 E0 counts as an answer', async (t) => {
  let greetings = 0
  const answers = [text('garbage'), reply(0xc2, 0xe3), reply(0xfa, 0xe0), reply(0xc2, 0xe0)]
  const { clock, session, frames } = scripted(() => answers[greetings++])
  const entered = await clock.run(enterIsp(session, { family: 'A' }))
  t.same(entered, { stage: 'rom', family: 'A' })
  t.equal(greetings, 4)
  t.equal(frames[0], golden.requests[0]!.frameHex)
})

t.test('enter: families are tried in the order of kflash and the one that answers is named', async (t) => {
  const { clock, session } = scripted((_, lines) => (lines.rts && !lines.dtr ? reply(0xc2, 0xe0) : undefined))
  t.same(await clock.run(enterIsp(session)), { stage: 'rom', family: 'B' })
})

t.test('enter: silence, noise and firmware text are told apart', async (t) => {
  const silent = scripted(() => undefined)
  const nothing = await throwsCode(t, 'FLASH_NO_ROM', () => silent.clock.run(enterIsp(silent.session, { rounds: 1 })))
  t.match(nothing.what, /nothing was heard/)
  t.match(nothing.fix, /fuses/)
  const talking = scripted(() => text('\r\nMaixPy v0.6.2\r\n>>> '))
  const firmware = await throwsCode(t, 'FLASH_NO_ROM', () =>
    talking.clock.run(enterIsp(talking.session, { rounds: 1, family: 'A' })),
  )
  t.match(firmware.what, /firmware answers.*MaixPy/)
  t.match(firmware.fix, /hold BOOT.*--family/)
})

t.test('isp session: a chunk refused by checksum is repeated at the same address', async (t) => {
  const writes: string[] = []
  let damaged = true
  const { clock, session } = scripted((frame) => {
    const packet = decodeIspPacket(frame) as IspPacket
    writes.push(`${packet.address.toString(16)} ${hex(packet.data)}`)
    const result = damaged ? 0xe2 : 0xe0
    damaged = false
    return reply(0xc3, result)
  })
  await clock.run(session.request('romMemoryWrite', { address: 0x8000_0400, data: Uint8Array.of(0xc0, 0xdb) }))
  t.same(writes, ['80000400 c0db', '80000400 c0db'])
  t.equal(session.statistics.retries, 1)
})

t.test('isp session: a late answer of an earlier attempt does not answer the next request', async (t) => {
  const { clock, session, pair } = scripted(() => undefined)
  const first = session.request('romMemoryWrite', { address: 0x8000_0000, data: Uint8Array.of(1) })
  clock.timer(400, () => void pair.board.write(reply(0xc3, 0xe0))) // answers the first attempt after its time-out
  clock.timer(500, () => void pair.board.write(reply(0xc3, 0xe0))) // answers the second attempt
  await clock.run(first)
  const second = session.request('romMemoryWrite', { address: 0x8000_0400, data: Uint8Array.of(2) }, { attempts: 1 })
  await throwsCode(t, 'FLASH_REPLY', () => clock.run(second), 'the second answer was not taken for it')
})

t.test('isp session: refusals, silence, unplugging and cancelling end a request with their own code', async (t) => {
  const refusing = scripted(() => reply(0xd7, 0xe4))
  const refused = await throwsCode(t, 'FLASH_REPLY', () => refusing.clock.run(refusing.session.request('flashInit')))
  t.match(refused.what, /badInit/)
  const silent = scripted(() => undefined)
  await throwsCode(t, 'FLASH_REPLY', () => silent.clock.run(silent.session.request('flashInit', {}, { attempts: 2 })))
  t.equal(silent.frames.length, 2)
  const unplugged = scripted(() => undefined)
  unplugged.clock.timer(50, () => unplugged.pair.host.unplug())
  await throwsCode(t, 'PORT_CLOSED', () => unplugged.clock.run(unplugged.session.request('flashInit')))
  const cancelled = scripted(() => undefined)
  const abort = new AbortController()
  const session = new IspSession(cancelled.pair.host, abort.signal)
  cancelled.clock.timer(50, () => abort.abort())
  await throwsCode(t, 'CANCELLED', () => cancelled.clock.run(session.request('flashInit')))
})

t.test('firmware image: the golden image is written and read', async (t) => {
  const payload = new Uint8Array(Buffer.from(golden.image.payloadHex, 'hex'))
  const image = wrapFirmware(payload)
  t.equal(hex(image), golden.image.imageHex)
  t.match(parseFirmware(image), { isEncrypted: false, bytes: 45 })
  t.same(parseFirmware(new Uint8Array([...image, 0xff, 0xff])).payload, payload, 'bytes behind it do not matter')
  t.ok(looksLikeImage(image))
  t.notOk(looksLikeImage(Uint8Array.from({ length: 100 }, () => 0x6f)))
})

t.test('firmware image: damage, truncation and sizes are refused', async (t) => {
  const image = wrapFirmware(text('a program'))
  for (let at = 0; at < image.length; at++) {
    const damaged = image.slice()
    damaged[at]! ^= 0x10
    await throwsCode(t, 'FLASH_IMAGE', () => parseFirmware(damaged), `byte ${at} flipped`)
    await throwsCode(t, 'FLASH_IMAGE', () => parseFirmware(image.subarray(0, at)), `cut after ${at}`)
  }
  await throwsCode(t, 'FLASH_IMAGE', () => wrapFirmware(new Uint8Array(0)))
  await throwsCode(t, 'FLASH_IMAGE', () => wrapFirmware(new Uint8Array(6 * 1024 * 1024)))
})

t.test('reverse4Bytes: groups are reversed and the end is padded with zeros', async (t) => {
  t.same(reverse4Bytes(Uint8Array.of(1, 2, 3, 4, 5)), Uint8Array.of(4, 3, 2, 1, 0, 0, 0, 5))
})

t.test('flash plan: regions are whole sectors, data first, directories next, firmware last', async (t) => {
  const plan = planFlash([
    { name: 'fw', address: 0, bytes: text('program'), wrap: true },
    { name: 'dir', address: 0x20_0000, bytes: text('directory'), role: 'directory' },
    { name: 'tail', address: 0x30_0010, bytes: new Uint8Array(5000) },
    { name: 'model', address: 0x21_0000, bytes: new Uint8Array(4096) },
  ])
  t.same(
    plan.regions.map(({ name, address, bytes, content }) => [name, address, bytes.length, ...content]),
    [
      ['model', 0x21_0000, 4096, 0, 4096],
      ['tail', 0x30_0000, 8192, 0x10, 0x10 + 5000],
      ['dir', 0x20_0000, 4096, 0, 9],
      ['fw', 0, 4096, 0, 44],
    ],
  )
  t.equal(plan.bytes, 4096 + 5000 + 9 + 44)
})

t.test(
  'flash plan: overlaps, sizes, empty files and damaged firmware are refused before a board is touched',
  async (t) => {
    const item = (address: number, length: number) => ({
      name: `at ${address}`,
      address,
      bytes: new Uint8Array(length),
    })
    await throwsCode(t, 'FLASH_PLAN', () => planFlash([]))
    await throwsCode(t, 'FLASH_PLAN', () => planFlash([item(0x1000, 0)]))
    await throwsCode(t, 'FLASH_PLAN', () => planFlash([item(0x1000, 100), item(0x1080, 10)]), 'same sector')
    await throwsCode(t, 'FLASH_PLAN', () => planFlash([item(0xff_f000, 4097)]), 'beyond the chip')
    await throwsCode(t, 'FLASH_PLAN', () => planFlash([item(-4096, 1)]))
    const damaged = wrapFirmware(text('program'))
    damaged[7]! ^= 1
    await throwsCode(t, 'FLASH_IMAGE', () => planFlash([{ name: 'fw', address: 0, bytes: damaged }]))
    t.match(planFlash([{ name: 'fw', address: 0, bytes: damaged }], { force: true }).warnings, [/SHA-256/])
  },
)

const pack = (list: string, files: Record<string, Uint8Array> = { 'a.bin': text('aaaa') }) =>
  zipSync({ 'flash-list.json': text(list), ...files })

t.test('kfpkg: all spellings that occur are read', async (t) => {
  const list = `\uFEFF{ "version": "0.1.0", "files": [
    { "address": 0, "bin": "fw.bin", "sha256Prefix": true },
    { "address": 0x00A00000, "bin": "a, 0x12 \\"}.bin", "sha256Prefix": false },
    { "bin": "c.bin", "sha256Prefix": false, "reverse4Bytes": true, "address": "0xB00000" },
    { "bin": "d.bin", "swap": true, "address": 0XC00000 },
  ], }`
  const files = { 'fw.bin': text('f'), 'a, 0x12 "}.bin': text('a'), 'c.bin': text('cccc'), 'd.bin': text('dddd') }
  const items = readKfpkg(pack(list, files))
  t.same(
    items.map(({ address, wrap, reverse4Bytes: reversed, role }) => [address, wrap, reversed, role]),
    [
      [0, true, false, 'firmware'],
      [0xa0_0000, false, false, 'data'],
      [0xb0_0000, false, true, 'data'],
      [0xc0_0000, false, true, 'data'],
    ],
  )
  t.equal(items[1]!.name, 'a, 0x12 "}.bin', 'hex inside strings is left alone')
  t.same(itemsFromBytes('x.kfpkg', pack(list, files)), items)
})

t.test('kfpkg: every broken rule is refused before a board is touched', async (t) => {
  const one = (entry: string) => `{"version":"0.1.1","files":[${entry}]}`
  const cases: Record<string, Uint8Array> = {
    'no zip': text('hello'),
    'cut zip': pack(one('{"address":0,"bin":"a.bin"}')).subarray(0, 60),
    'no list': zipSync({ 'a.bin': text('a') }),
    'list in a folder': zipSync({ 'x/flash-list.json': text('{}') }),
    'no json': pack('{"files": [}'),
    'no files': pack('{"version":"0.1.0"}'),
    'empty files': pack(one('')),
    version: pack('{"version":"9","files":[{"address":0,"bin":"a.bin"}]}'),
    'missing entry': pack(one('{"address":4096,"bin":"b.bin"}')),
    'parent folder': pack(one('{"address":4096,"bin":"../a.bin"}')),
    absolute: pack(one('{"address":4096,"bin":"/a.bin"}')),
    drive: pack(one('{"address":4096,"bin":"C:a.bin"}')),
    'no address': pack(one('{"bin":"a.bin"}')),
    'bad address': pack(one('{"address":"0xZZ","bin":"a.bin"}')),
    negative: pack(one('{"address":-1,"bin":"a.bin"}')),
    overlap: pack(one('{"address":4096,"bin":"a.bin"},{"address":4100,"bin":"a.bin"}')),
    'beyond the flash': pack(one('{"address":16777216,"bin":"a.bin"}')),
    prototype: pack(one('{"address":4096,"bin":"toString"}')),
  }
  for (const [name, bytes] of Object.entries(cases)) await throwsCode(t, 'KFPKG_FORMAT', () => readKfpkg(bytes), name)
})

t.test('kfpkg: mutated lists and archives end in a clear error or success', async (t) => {
  const random = createRandom()
  t.comment(`seed ${random.seed}`)
  const list = '{"version":"0.1.0","files":[{"address":0x1000,"bin":"a.bin","sha256Prefix":false},]}'
  const archive = pack(list)
  let read = 0
  for (let i = 0; i < 2000; i++) {
    const target = (i % 2 ? text(list) : archive).slice()
    for (let n = random.integer(1, 4); n > 0; n--) target[random.integer(0, target.length - 1)] = random.integer(0, 255)
    try {
      if (i % 2) readFlashList(new TextDecoder().decode(target))
      else readKfpkg(target)
      read++
    } catch (error) {
      if ((error as { code?: string }).code !== 'KFPKG_FORMAT') throw error
    }
  }
  t.ok(read > 0 && read < 2000, `${read} of 2000 were still readable`)
})

t.test('flash files: a program for address 0 is wrapped, an image and raw data are not', async (t) => {
  t.match(itemsFromBytes('fw.bin', text('program')), [{ address: 0, wrap: true }])
  t.match(itemsFromBytes('fw.img', wrapFirmware(text('program'))), [{ address: 0, wrap: false }])
  t.match(itemsFromBytes('m.kmodel', text('model'), 0x20_0000), [{ address: 0x20_0000, wrap: false }])
  await throwsCode(t, 'USAGE', () => itemsFromBytes('x.kfpkg', pack('{}'), 4096))
})

t.test('model store: directory and models are laid out as the rows say', async (t) => {
  const big = new Uint8Array(70_000).fill(7)
  const items = modelStoreItems([
    { slot: 2, name: 'second', kmodel: text('kmodel 2'), card: text('card') },
    { slot: 0, name: 'first', kmodel: big, card: text('c') },
  ])
  t.same(
    items.map(({ address, role }) => [address, role]),
    [
      [0x21_0000, 'data'],
      [0x23_0000, 'data'],
      [0x20_0000, 'directory'],
    ],
  )
  const sectors = items[2]!.bytes
  t.equal(sectors.length, 8192)
  t.ok(
    sectors.subarray(4096).every((byte) => byte === 0xff),
    'the second sector is blank',
  )
  const view = new DataView(sectors.buffer)
  t.equal(view.getUint32(STORE.crcOffset, true), crc32(sectors.subarray(0, STORE.crcOffset)))
  t.match(decode(storeHeader, sectors.subarray(0, STORE.headerBytes)), {
    magic: STORE.magic,
    sequence: 1,
    slotCount: 4,
  })
  const entry = (slot: number) => {
    const at = STORE.headerBytes + slot * STORE.entryBytes
    return decode(storeEntry, sectors.subarray(at, at + STORE.entryBytes))
  }
  t.match(entry(0), { used: 1, name: 'first', address: 0x21_0000, size: 70_000, cardLength: 1 })
  t.match(entry(1), { used: 0 })
  t.match(entry(2), { used: 1, name: 'second', address: 0x23_0000, size: 8, cardLength: 4 })
})

t.test('model store: wrong slots, names, cards and sizes are refused', async (t) => {
  const model = { slot: 0, name: 'm', kmodel: text('k'), card: text('c') }
  for (const wrong of [
    [{ ...model, slot: 4 }],
    [model, model],
    [{ ...model, name: 'x'.repeat(33) }],
    [{ ...model, card: new Uint8Array(881) }],
    [{ ...model, kmodel: new Uint8Array(0) }],
    [{ ...model, kmodel: new Uint8Array(12 * 1024 * 1024) }],
  ]) {
    await throwsCode(t, 'FLASH_PLAN', () => modelStoreItems(wrong))
  }
})

t.test('flash chip: protection bits and a missing chip are reported with what to do', async (t) => {
  const info: StubInfo = {
    version: 1,
    windowSectors: 32,
    capabilities: 7,
    flashId: 0xef4018,
    flashStatus: 0x000200,
    rxOverruns: 0,
    badFrames: 0,
  }
  checkFlash(info, 'p')
  for (const flashStatus of [0x04, 0x1c, 0x4000, 0x040000]) {
    await throwsCode(t, 'FLASH_PROTECTED', () => checkFlash({ ...info, flashStatus }, 'p'), flashStatus.toString(16))
  }
  for (const flashId of [0, 0xffffff]) await throwsCode(t, 'FLASH_REPLY', () => checkFlash({ ...info, flashId }, 'p'))
})

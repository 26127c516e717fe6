import t from 'tap'
import type { Progress } from '../../../host/foundation/progress.js'
import { PieceWindow } from '../../../host/link/piece-window.js'
import { LinkSession } from '../../../host/link/session.js'
import { sendTransfer } from '../../../host/link/transfer.js'
import { createMemoryPair } from '../../../host/port/memory.js'
import { STATUS, transferCommit, transferOpen } from '../../../protocol/index.js'
import { type DeviceOptions, LinkDevice } from '../../support/link-device.js'
import { createRandom } from '../../support/random.js'
import { createVirtualClock } from '../../support/virtual-clock.js'

async function bench(options: DeviceOptions = {}, wire: { baud?: number; delayMs?: number } = {}) {
  const random = createRandom()
  const clock = createVirtualClock()
  const pair = createMemoryPair({ clock, random: random.next, baud: 1_500_000, ...wire })
  const device = new LinkDevice(pair.board, options)
  const link = await clock.run(LinkSession.open(pair.host, { random: random.next }))
  return { clock, device, link, random, ...pair }
}

t.test('transfer: all bytes arrive, the line is busy all the time, progress ends at the size', async (t) => {
  const { clock, device, link, random } = await bench({}, { delayMs: 2 })
  const bytes = random.bytes(200_001)
  const progress: Progress[] = []
  const result = await clock.run(
    sendTransfer(link, { target: 'flash', address: 4096, bytes }, { onProgress: (step) => progress.push(step) }),
  )
  t.equal(Buffer.compare(device.flash.subarray(4096, 4096 + bytes.length), bytes), 0)
  t.match(result, { bytes: 200_001, sentBytes: 200_001, resentBytes: 0, skippedBytes: 0, address: 4096 })
  t.match(progress.at(-1), { done: 200_001, total: 200_001, unit: 'bytes' })
  const rate = bytes.length / result.seconds
  t.ok(rate > 0.9 * 150_000, `${Math.round(rate)} bytes/s of 150000`)
  await link.close()
})

t.test('transfer: unchanged blocks are skipped, only the changed one is sent', async (t) => {
  const { clock, device, link, random } = await bench()
  const bytes = random.bytes(100_000)
  device.flash.set(bytes)
  const same = await clock.run(sendTransfer(link, { target: 'flash', bytes }))
  t.match(same, { sentBytes: 0, skippedBytes: 100_000 })
  const changed = bytes.slice()
  changed[50_000]! ^= 1
  const result = await clock.run(sendTransfer(link, { target: 'flash', bytes: changed }))
  t.match(result, { sentBytes: 4096, skippedBytes: 100_000 - 4096 })
  t.equal(device.flash[50_000], changed[50_000])
  await link.close()
})

t.test('transfer: damage and loss both ways cost repetitions, never a wrong byte', async (t) => {
  const { clock, device, link, random, toBoard, toHost } = await bench()
  t.comment(`seed ${random.seed}`)
  Object.assign(toBoard, { flipRate: 5e-5, dropRate: 5e-5, splitBytes: 333 })
  Object.assign(toHost, { flipRate: 5e-4, dropRate: 5e-5 })
  const bytes = random.bytes(150_000)
  const result = await clock.run(sendTransfer(link, { target: 'flash', bytes }))
  t.equal(Buffer.compare(device.flash.subarray(0, bytes.length), bytes), 0)
  t.ok(result.resentBytes > 0 && result.resentBytes < 75_000, `${result.resentBytes} bytes sent again`)
  await link.close()
})

t.test('transfer: a line that is cut in the middle resumes without sending what has arrived', async (t) => {
  const { clock, device, link, random, toBoard, toHost } = await bench()
  const bytes = random.bytes(200_000)
  const done = sendTransfer(link, { target: 'flash', bytes })
  await clock.advance(700)
  toBoard.cut = toHost.cut = true
  await clock.advance(3000)
  toBoard.cut = toHost.cut = false
  const result = await clock.run(done)
  t.equal(Buffer.compare(device.flash.subarray(0, bytes.length), bytes), 0)
  t.ok(result.resentBytes <= 4 * 8192, `${result.resentBytes} bytes sent again`)
  await link.close()
})

t.test('transfer: a board that restarts in the middle keeps its flash and gets the rest', async (t) => {
  const { clock, device, link, random } = await bench({}, { baud: 115_200 })
  const bytes = random.bytes(60_000)
  const done = sendTransfer(link, { target: 'flash', bytes })
  await clock.advance(3000)
  device.restart()
  const before = device.offsets.length
  const result = await clock.run(done)
  t.equal(Buffer.compare(device.flash.subarray(0, bytes.length), bytes), 0)
  t.ok(before > 10 && device.offsets.length < 60 + 16, `${before} pieces before, ${device.offsets.length} in all`)
  t.ok(result.skippedBytes > 20_000, `${result.skippedBytes} bytes found in flash`)
  await link.close()
})

t.test('transfer: a small budget slows it, a status with room wakes it', async (t) => {
  const { clock, device, link, random } = await bench()
  device.budgetBytes = 500
  await clock.run(link.ping())
  const bytes = random.bytes(20_000)
  const done = sendTransfer(link, { target: 'flash', bytes })
  await clock.advance(5000)
  t.ok(device.offsets.length < 10, `${device.offsets.length} pieces without room`)
  device.budgetBytes = 8192
  device.sendStatus()
  await clock.run(done)
  t.equal(Buffer.compare(device.flash.subarray(0, bytes.length), bytes), 0)
  await link.close()
})

t.test('transfer: a refusal, a failing flash and a wrong hash end it with their codes', async (t) => {
  const { clock, device, link, random } = await bench()
  const bytes = random.bytes(30_000)
  device.handle(transferCommit, () => STATUS.HASH.code)
  await t.rejects(clock.run(sendTransfer(link, { target: 'modelSlot', bytes, name: 'x' })), { code: 'LINK_TRANSFER' })
  const pending = sendTransfer(link, { target: 'flash', bytes: random.bytes(30_000) })
  await clock.advance(50)
  device.sendStatus(STATUS.FLASH.code)
  await t.rejects(clock.run(pending), { code: 'LINK_REFUSED', where: { status: 'FLASH' } })
  device.handle(transferOpen, () => STATUS.SPACE.code)
  await t.rejects(clock.run(sendTransfer(link, { target: 'flash', bytes })), {
    code: 'LINK_REFUSED',
    where: { status: 'SPACE' },
  })
  await link.close()
})

t.test('transfer: cancelling stops it and tells the board', async (t) => {
  const { clock, device, link, random } = await bench()
  const control = new AbortController()
  const done = sendTransfer(link, { target: 'input', bytes: random.bytes(100_000) }, { signal: control.signal })
  done.catch(() => undefined)
  await clock.advance(200)
  control.abort()
  await t.rejects(clock.run(done), { code: 'CANCELLED' })
  t.equal(device.requests.at(-1), 'transferAbort')
  t.notOk(device.requests.includes('transferHashes'), 'an input has no hashes')
  t.equal(link.gate.inFlightBytes, 0)
  await link.close()
})

t.test('piece window: a piece that was overtaken is lost at once, a repeated one proves nothing', async (t) => {
  const window = new PieceWindow(5000, 1000)
  const send = () => {
    const piece = window.next()!
    return { piece, again: window.sent(piece) }
  }
  for (let i = 0; i < 4; i++) t.same(send(), { piece: i, again: false })
  t.same(window.acknowledge({ firstMissing: 1000, bitmapFirst: 1, bitmap: Uint8Array.of(0b010) }), [0, 2, 1])
  t.same(send(), { piece: 1, again: true })
  t.same(send(), { piece: 4, again: false })
  t.same(window.acknowledge({ firstMissing: 3000, bitmapFirst: 3, bitmap: new Uint8Array(0) }), [1])
  t.equal(window.inFlightBytes, 2000)
  t.equal(window.next(), undefined)
  t.equal(window.expire(), 3)
  t.same(send(), { piece: 3, again: true })
  window.acknowledge({ firstMissing: 5000, bitmapFirst: 5, bitmap: new Uint8Array(0) })
  t.equal(window.isDone, true)
  t.equal(window.doneBytes, 5000)
})

t.test('piece window: blocks found in place are not sent, the last block is short', async (t) => {
  const window = new PieceWindow(9000, 1024)
  window.markBlocks(0, 3, Uint8Array.of(0b101), 4096)
  t.equal(window.doneBytes, 9000 - 4096)
  t.equal(window.next(), 4)
})

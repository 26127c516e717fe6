import t from 'tap'
import { climbBaud } from '../../host/link/climb-baud.js'
import type { LinkEvent, LinkOptions } from '../../host/link/link-types.js'
import { RoundTrip } from '../../host/link/round-trip.js'
import { SendGate } from '../../host/link/send-gate.js'
import { LinkSession } from '../../host/link/session.js'
import { createMemoryPair } from '../../host/port/memory.js'
import { echo, infer, modelList, picture, STATUS, setBaud, stats, streamConfig } from '../../protocol/index.js'
import { type DeviceOptions, LinkDevice } from '../support/link-device.js'
import { createRandom } from '../support/random.js'
import { createVirtualClock } from '../support/virtual-clock.js'

/** A memory pair with a device on it; nothing is opened yet. */
function bench(options: DeviceOptions = {}, wire: { baud?: number; delayMs?: number } = {}) {
  const random = createRandom()
  const clock = createVirtualClock()
  const pair = createMemoryPair({ clock, random: random.next, ...wire })
  const device = new LinkDevice(pair.board, options)
  const open = (linkOptions: LinkOptions = {}) =>
    clock.run(LinkSession.open(pair.host, { random: random.next, ...linkOptions }))
  return { clock, device, open, random, ...pair }
}

t.test('open: HELLO tells what the board is, the pings tell its clock', async (t) => {
  const { open, clock, device } = bench()
  const link = await open()
  t.equal(link.state, 'open')
  t.equal(link.board.board, 'double')
  t.equal(link.payloadBytes, 1040)
  t.equal(link.gate.ringBytes, 8192)
  t.same(device.requests, ['hello', 'ping', 'ping', 'ping'])
  const deviceUs = clock.now() * 1000 + 5_000_000
  t.ok(Math.abs(link.toHostMs(deviceUs) - clock.now()) < 5, 'clock offset')
  await link.close()
  await t.rejects(link.request(stats, {}), { code: 'LINK_LOST' })
})

t.test('open: a silent port is LINK_TIMEOUT with the number of tries', async (t) => {
  const { open, device, clock } = bench()
  device.isOn = false
  await t.rejects(open(), { code: 'LINK_TIMEOUT', what: /after 4 tries/ })
  t.ok(clock.now() < 10_000)
})

t.test('open: another major version is refused, a newer minor is not', async (t) => {
  await t.rejects(bench({ board: { major: 2 } }).open(), { code: 'LINK_VERSION', where: { major: 2 } })
  const link = await bench({ board: { minor: 9 } }).open()
  t.equal(link.board.minor, 9)
  await link.close()
})

t.test('open: the smaller payload limit counts', async (t) => {
  const link = await bench({ board: { maxPayload: 512 } }).open()
  t.equal(link.payloadBytes, 512)
  await t.rejects(link.request(echo, { data: new Uint8Array(600) }), { code: 'LINK_MESSAGE' })
  await link.close()
})

t.test('request: answers are matched by number, refusals name the status', async (t) => {
  const { open, device, clock } = bench()
  device.handle(streamConfig, ({ slot }) => (slot === 9 ? STATUS.RANGE.code : { status: 0 }))
  const link = await open()
  const echoes = Array.from({ length: 20 }, (_, i) => link.request(echo, { data: Uint8Array.of(i) }))
  t.same(
    (await clock.run(Promise.all(echoes))).map((answer) => answer.data[0]),
    Array.from({ length: 20 }, (_, i) => i),
  )
  const config = { slot: 9, results: 1, pictureEvery: 0, quality: 60, scoreThreshold: 0 }
  await t.rejects(clock.run(link.request(streamConfig, config)), {
    code: 'LINK_REFUSED',
    where: { message: 'streamConfig', status: 'RANGE' },
  })
  await t.rejects(clock.run(link.request(modelList, {})), {
    code: 'LINK_REFUSED',
    where: { status: 'UNKNOWN_MESSAGE' },
  })
  await link.close()
})

t.test('request: bit errors and lost bytes both ways delay answers, none is wrong', async (t) => {
  const { open, clock, toBoard, toHost, random } = bench({}, { baud: 1_000_000 })
  t.comment(`seed ${random.seed}`)
  const link = await open()
  Object.assign(toBoard, { flipRate: 1e-3, dropRate: 2e-4, splitBytes: 7 })
  Object.assign(toHost, { flipRate: 1e-3, dropRate: 2e-4, splitBytes: 13 })
  for (let i = 0; i < 150; i++) {
    const data = random.bytes(random.integer(0, 200))
    const answer = await clock.run(link.request(echo, { data }, { retries: 20 }))
    if (Buffer.compare(answer.data, data) !== 0) t.fail('an answer was wrong')
  }
  const { timeouts, framesDamaged } = link.statistics()
  t.ok(timeouts > 5 && framesDamaged > 5, `${timeouts} time-outs, ${framesDamaged} damaged frames`)
  await link.close()
})

t.test('request: BUSY is asked again when told so, a cancelled request ends at once', async (t) => {
  const { open, device, clock } = bench()
  let busy = 3
  device.handle(stats, () => (busy-- > 0 ? STATUS.BUSY.code : zeroStats))
  const link = await open()
  await t.rejects(clock.run(link.request(stats, {})), {
    code: 'LINK_REFUSED',
    where: { status: 'BUSY' },
  })
  t.equal((await clock.run(link.request(stats, {}, { busyMs: 1000 }))).framesGood, 1)
  const control = new AbortController()
  const pending = link.request(stats, {}, { signal: control.signal, timeoutMs: 100_000 })
  control.abort()
  await t.rejects(clock.run(pending), { code: 'CANCELLED' })
  await link.close()
})

const zeroStats = {
  ...{ status: 0, framesGood: 1, framesBad: 0, noiseBytes: 0, consoleBytes: 0, rxOverruns: 0, framesSent: 0 },
  ...{ datagramsDropped: 0, resultsSent: 0, picturesSent: 0 },
}

t.test('request: a long run is waited for without flooding the board', async (t) => {
  const { open, device, clock } = bench({ answerMs: 400 })
  device.handle(stats, () => zeroStats)
  const link = await open()
  device.requests.length = 0
  await clock.run(link.request(stats, {}, { timeoutMs: 500 }))
  t.same(device.requests, ['stats'])
  t.equal(infer.kind, 'request')
  await link.close()
})

t.test('datagrams: fragments are joined, gaps counted, an incomplete picture is dropped', async (t) => {
  const { open, device, clock, toHost } = bench({}, { baud: 1_000_000 })
  const link = await open()
  const seen: { frameId: number; bytes: number; lost: number }[] = []
  link.on(picture, ({ frameId, data }, { lost }) => seen.push({ frameId, bytes: data.length, lost }))
  const send = (frameId: number, bytes: number) =>
    device.send(picture, {
      ...{ frameId, captureUs: 1, width: 320, height: 240, format: 1 },
      data: new Uint8Array(bytes).fill(frameId),
    })
  send(1, 5000)
  await clock.advance(100)
  device.skip(picture)
  send(2, 10)
  await clock.advance(100)
  toHost.cut = true
  send(3, 3000)
  await clock.advance(15) // the first fragment is gone
  toHost.cut = false
  await clock.advance(100)
  send(4, 3000)
  await clock.advance(15)
  toHost.cut = true
  await clock.advance(10) // a later one is
  toHost.cut = false
  await clock.advance(100)
  send(5, 1)
  await clock.advance(100)
  t.same(seen, [
    { frameId: 1, bytes: 5000, lost: 0 },
    { frameId: 2, bytes: 10, lost: 1 },
    { frameId: 5, bytes: 1, lost: 2 },
  ])
  t.equal(link.statistics().datagramsLost, 3)
  await link.close()
})

t.test('console: text between frames is handed on and harms no frame', async (t) => {
  const { open, device, clock } = bench()
  let text = ''
  const link = await open({ onConsole: (piece) => (text += piece) })
  device.print('hello from rt_kprintf\r\n')
  t.equal((await clock.run(link.request(echo, { data: Uint8Array.of(1) }))).data[0], 1)
  device.print('no end of line')
  await clock.advance(200)
  t.equal(text, 'hello from rt_kprintf\r\nno end of line')
  t.equal(link.statistics().framesDamaged, 0)
  await link.close()
})

t.test('baud: the climb ends at the highest rate that passes the echo test', async (t) => {
  const { open, clock, host, board } = bench()
  const link = await open()
  t.equal(await clock.run(climbBaud(link)), 1_500_000)
  t.equal(host.baud, 1_500_000)
  t.equal(board.baud, 1_500_000)
  t.equal((await clock.run(link.request(echo, { data: Uint8Array.of(1) }))).data[0], 1)
  await link.close()
})

t.test('baud: a target is kept, a rate at which nothing passes costs one step back', async (t) => {
  const first = bench()
  const link = await first.open()
  t.equal(await first.clock.run(climbBaud(link, { targetBaud: 500_000 })), 460_800)
  await link.close()

  const { open, clock, host, toBoard } = bench()
  const limited = await open()
  const setRate = host.setBaud.bind(host)
  host.setBaud = async (baud) => {
    await setRate(baud)
    toBoard.cut = baud > 900_000
  }
  t.equal(await clock.run(climbBaud(limited)), 460_800)
  t.equal((await clock.run(limited.request(echo, { data: Uint8Array.of(1) }))).data[0], 1)
  await limited.close()
})

t.test('baud: a board that hears the new rate but is not understood is told to go back', async (t) => {
  const { open, clock, host, toHost, board } = bench()
  const link = await open()
  const setRate = host.setBaud.bind(host)
  host.setBaud = async (baud) => {
    await setRate(baud)
    toHost.cut = baud > 900_000
  }
  t.equal(await clock.run(climbBaud(link)), 460_800)
  t.equal(board.baud, 460_800)
  await clock.run(link.ping())
  await link.close()
})

t.test('baud: a driver that refuses a rate ends the climb too', async (t) => {
  const { open, clock, device } = bench()
  device.handle(setBaud, () => STATUS.RANGE.code)
  const link = await open()
  t.equal(await clock.run(climbBaud(link)), 115_200)
  await link.close()
})

t.test('reconnect: a restarted board is noticed, called at the default rate and told apart', async (t) => {
  const { open, clock, device } = bench()
  const link = await open()
  await clock.run(climbBaud(link))
  const events: LinkEvent['kind'][] = []
  link.onEvent((event) => events.push(event.kind))
  device.restart()
  const waiting = link.request(stats, {}, { timeoutMs: 60_000 })
  waiting.catch(() => undefined)
  await clock.advance(5000)
  t.same(events, ['silent', 'rebooted'])
  t.equal(link.board.bootId, 8)
  t.equal(link.port.baud, 115_200)
  await t.rejects(waiting, { code: 'LINK_LOST' })
  await clock.run(link.ping())
  await link.close()
})

t.test('reconnect: a line that was cut for a while resumes the same session state', async (t) => {
  const { open, clock, toHost } = bench()
  const link = await open()
  const events: LinkEvent['kind'][] = []
  link.onEvent((event) => events.push(event.kind))
  toHost.cut = true
  await clock.advance(4000)
  toHost.cut = false
  await clock.run(link.whenOpen())
  t.same(events, ['silent', 'resumed'])
  await link.close()
})

t.test('reconnect: a board that stays silent loses the session, pulling the plug does at once', async (t) => {
  const { open, clock, device } = bench()
  const link = await open({ reconnectMs: 3000 })
  device.isOn = false
  const lost = new Promise<LinkEvent>((resolve) => link.onEvent((event) => event.kind === 'lost' && resolve(event)))
  t.match(await clock.run(lost), { kind: 'lost', reason: { code: 'LINK_LOST' } })
  t.equal(link.state, 'lost')

  const other = bench()
  const plugged = await other.open()
  const pending = plugged.request(stats, {})
  other.host.unplug()
  await t.rejects(other.clock.run(pending), { code: 'LINK_LOST' })
  await t.rejects(plugged.whenOpen(), { code: 'LINK_LOST' })
})

t.test('gate: keeps what is under way below budget and ring, but never stops', async (t) => {
  const gate = new SendGate()
  gate.ringBytes = 1000
  const first = gate.take(600)
  t.equal(gate.fits(400), true)
  t.equal(gate.fits(401), false)
  gate.budgetBytes = 700
  t.equal(gate.fits(200), false)
  let entered = false
  const waiting = gate.enter(200).then(() => {
    entered = true
  })
  await Promise.resolve()
  t.equal(entered, false)
  t.equal(gate.fits(1), false, 'requests that wait go first')
  first()
  first()
  await waiting
  t.equal(gate.inFlightBytes, 200)
  gate.budgetBytes = 0
  gate.take(0)
  t.equal(gate.fits(1), false)
})

t.test('round trip: the time-out follows the measurements', async (t) => {
  const trip = new RoundTrip()
  t.equal(trip.timeoutMs, 250)
  for (let i = 0; i < 30; i++) trip.sample(40)
  t.ok(trip.timeoutMs < 90, `${trip.timeoutMs} ms`)
  for (let i = 0; i < 5; i++) trip.sample(400)
  t.ok(trip.timeoutMs > 500, `${trip.timeoutMs} ms`)
})

import t, { type Test } from 'tap'
import { refuseUnloadable } from '../../host/device/check-kmodel.js'
import { Fleet } from '../../host/device/fleet.js'
import { silentLogger } from '../../host/foundation/logger.js'
import { deployModel } from '../../host/jobs/deploy-job.js'
import { readKmodel } from '../../host/kmodel/read.js'
import type { PortOpener } from '../../host/port/port.js'
import { createVirtualBoard } from '../../host/virtual-board/inline-board.js'
import {
  type BenchOptions,
  boardBench,
  damagedFirmware,
  firmwareFlash,
  firmwareItems,
  smallModel,
  takeEvents,
  whenState,
} from '../support/board-bench.js'
import { throwsCode } from '../support/throws-code.js'
import { within } from '../support/within.js'

/** A device whose board runs the firmware; `withModel` puts the small model into slot 0. */
async function runningBench(t: Test, { withModel = true, ...options }: BenchOptions & { withModel?: boolean } = {}) {
  const bench = await boardBench(t, { flashImage: await firmwareFlash(withModel), ...options })
  await bench.device.start()
  await whenState(bench.device, 'running')
  return bench
}

/** Input of the small model. */
const input = (value: number) => ({ data: new Uint8Array(3 * 8 * 12).fill(value) })

t.test('blank board: state rom with the ROM words, then flashed it runs and streams', async (t) => {
  const { device, flash } = await boardBench(t)
  t.match(device.view(), { state: 'absent', firmware: null, models: [] })
  await device.start()
  const blank = await whenState(device, 'rom')
  t.match(blank.note, /boot failed with exit code/)
  t.match(await flash(await firmwareItems()), { isVerified: true, baud: 1_500_000 })
  const view = await whenState(device, 'running')
  t.match(view, {
    id: 'bench',
    port: 'virtual:',
    firmware: { version: /^\d+\.\d+\.\d+$/, buildId: /\S/, board: 'virtual' },
    models: [{ slot: 0, name: 'small', state: 'loaded', sha256: /^[0-9a-f]{64}$/ }],
    note: '',
  })
  t.ok(
    view.memory!.limitBytes > 4.5 * 2 ** 20 && view.memory!.freeBytes <= view.memory!.limitBytes,
    'memory for models',
  )
  for (const [name, value] of Object.entries(view.link)) t.type(value, 'number', name)
  t.equal(view.link.baud, 1_500_000)
  const [result] = await takeEvents(device, 'result', 1)
  t.match(result, { boardId: 'bench', modelSha256: view.models[0]!.sha256, detections: [], lostResults: 0 })
})

t.test('stream: pictures carry the frame ids of results, ids go up, latency is some tens of ms', async (t) => {
  const { device } = await runningBench(t)
  const [results, pictures] = await Promise.all([takeEvents(device, 'result', 30), takeEvents(device, 'picture', 15)])
  const ids = results.map(({ frameId }) => frameId)
  t.same(
    ids,
    [...ids].sort((a, b) => a - b),
  )
  t.equal(new Set(ids).size, ids.length)
  const known = pictures.filter(({ frameId }) => ids.includes(frameId))
  t.ok(known.length >= pictures.length - 1, `${known.length} of ${pictures.length} pictures have their result`)
  t.same([pictures[0]!.width, pictures[0]!.height], [320, 240])
  t.same([...pictures[0]!.jpeg.subarray(0, 2)], [0xff, 0xd8])
  for (const { latencyMs, deviceTimeUs } of results) {
    t.ok(latencyMs! > 0 && latencyMs! < 150, `latency ${latencyMs} ms at ${deviceTimeUs}`)
  }
})

t.test('stream: the newest picture waits for a newer one, and gives up in time', async (t) => {
  const { device } = await runningBench(t)
  const { signal } = new AbortController()
  const first = await within(device.nextPicture(-1, 10_000, signal), 'a picture')
  const second = await within(device.nextPicture(first!.frameId, 10_000, signal), 'a newer picture')
  t.ok(second!.frameId > first!.frameId)
  await device.configure({ pictureEvery: 0 })
  await takeEvents(device, 'result', 5)
  t.equal(await device.nextPicture(1e9, 30, signal), undefined, 'none came')
  const abort = new AbortController()
  const waiting = device.nextPicture(1e9, 10_000, abort.signal)
  abort.abort()
  t.equal(await within(waiting, 'the abort', 1000), undefined)
  t.equal(await device.nextPicture(1e9, 10_000, abort.signal), undefined, 'aborted before')
})

t.test('configure: results and pictures can be switched off and on again', async (t) => {
  const { device } = await runningBench(t)
  t.match(await device.configure({ pictureEvery: 3, quality: 20 }), { pictureEvery: 3, quality: 20, results: true })
  await takeEvents(device, 'picture', 2)
  const pictures = await takeEvents(device, 'picture', 4)
  t.ok(pictures[3]!.frameId - pictures[0]!.frameId >= 9, 'every third frame')
  await device.configure({ results: false, pictureEvery: 0 })
  const stop = device.on('result', () => t.fail('results are off'))
  await device.infer(input(1), 0)
  stop()
  await device.configure({ results: true })
  await takeEvents(device, 'result', 2)
  await throwsCode(t, 'LINK_REFUSED', () => device.configure({ slot: 3 }), 'an empty slot')
  t.equal(device.config.slot, 0, 'a refused change changes nothing')
  await takeEvents(device, 'result', 2)
})

t.test('infer: answers while the stream goes on, in turn when asked at once, and the same for the same', async (t) => {
  const { device } = await runningBench(t)
  await takeEvents(device, 'result', 2)
  const answers = await within(Promise.all([1, 2, 3].map((value) => device.infer(input(value), 0))), 'three inferences')
  t.match(answers[0], { detections: [], stagesUs: { layers: Number } })
  t.ok(answers[2]!.deviceTimeUs > answers[0]!.deviceTimeUs)
  await takeEvents(device, 'result', 5)
  t.pass('the stream goes on')
  await throwsCode(t, 'LINK_REFUSED', () => device.infer(input(1), 2), 'a slot without model')
  await throwsCode(t, 'LINK_REFUSED', () => device.infer({ data: new Uint8Array(10) }, 0), 'too few bytes')
  await takeEvents(device, 'result', 2)
})

t.test('deploy: into the streamed slot and into another, again without sending, loaded and running', async (t) => {
  const { device } = await runningBench(t, { withModel: false })
  t.same(device.view().models, [])
  const { kmodel, card } = smallModel()
  const done = await within(device.deploy({ kmodel, name: 'small', slot: 0, card }, {}), 'deploy')
  t.match(done, { slot: 0, name: 'small', bytes: kmodel.length, sha256: /^[0-9a-f]{64}$/, mainBytes: Number })
  t.ok(done.sentBytes >= kmodel.length)
  await takeEvents(device, 'result', 3)
  const again = await within(device.deploy({ kmodel, name: 'small', slot: 0, card }, {}), 'deploy again')
  t.match(again, { sentBytes: 0, sha256: done.sha256 })
  await takeEvents(device, 'result', 3)
  const longName = 'a name that is much longer than the thirty-two bytes of an entry'
  const other = await within(deployModel(device, { kmodel, name: longName, slot: 2 }, {}), 'deploy without card')
  t.equal(other.slot, 2)
  t.match(device.view().models, [
    { slot: 0, name: 'small', state: 'loaded' },
    { slot: 2, name: longName.slice(0, 32), state: 'loaded' },
  ])
  await takeEvents(device, 'result', 3)
})

t.test('deploy: version 5, a cut file and text are refused before a byte is sent', async (t) => {
  const { device, writtenBytes } = await runningBench(t)
  await device.configure({ results: false, pictureEvery: 0 })
  const { kmodel } = smallModel()
  const five = kmodel.slice()
  five[4] = 5
  const damaged = kmodel.slice()
  damaged.fill(0xff, 60, 100)
  const cases = [
    ['KMODEL_VERSION', five],
    ['KMODEL_TRUNCATED', kmodel.subarray(0, kmodel.length - 200)],
    ['KMODEL_TRUNCATED', kmodel.subarray(0, 20)],
    ['KMODEL_TRUNCATED', new Uint8Array(0)],
    ['KMODEL_FORMAT', new TextEncoder().encode('This is no model but a letter.\n'.repeat(40))],
  ] as const
  for (const [code, bytes] of cases) {
    const before = writtenBytes()
    const sent = deployModel(device, { kmodel: bytes, name: 'x', slot: 1 }, {})
    // A ping may pass meanwhile; an opened transfer of any of these would be longer.
    const error = await throwsCode(t, code, () => sent)
    t.ok(writtenBytes() - before < 60, `${writtenBytes() - before} bytes: ${error.what}`)
    t.not(error.fix, '', 'says what to do')
  }
  await t.rejects(deployModel(device, { kmodel: damaged, name: 'x', slot: 1 }, {}))
  t.match(device.view().models, [{ slot: 0 }])
})

t.test('refuseUnloadable: what this firmware cannot load or hold is refused by what HELLO said', async (t) => {
  const { kmodel } = smallModel()
  const model = readKmodel(kmodel)
  const able = { kmodelVersions: 0b11000, opcodes: 0xffff_ffff, limitBytes: 5 << 20, buildId: 'test' }
  refuseUnloadable(model, kmodel.length, able)
  const check = (change: Partial<typeof able>) => () => refuseUnloadable(model, kmodel.length, { ...able, ...change })
  t.match(await throwsCode(t, 'KMODEL_VERSION', check({ kmodelVersions: 0b1000 })), { where: { version: 4 } })
  t.match(await throwsCode(t, 'LINK_REFUSED', check({ opcodes: 0xffff_ffff & ~(1 << 3) })), { what: /dequantize/ })
  t.match(await throwsCode(t, 'LINK_REFUSED', check({ opcodes: 0x7fff_ffff })), { what: /kpuConv2d/ })
  t.match(await throwsCode(t, 'COMPILE_MEMORY', check({ limitBytes: kmodel.length })), {
    where: { limitBytes: kmodel.length },
  })
})

t.test('reset: into firmware, into the ROM where it stays, and back by the reset line', async (t) => {
  for (const family of ['A', 'B'] as const) {
    const { device, board } = await runningBench(t, { family })
    const boots = async () => (await board.stats()).boots
    const before = await boots()
    await device.reset('firmware')
    t.equal(device.view().state, 'booting')
    await whenState(device, 'running')
    t.equal(await boots(), before + 1)
    await device.reset('rom')
    const inRom = await whenState(device, 'rom')
    t.match(inRom.note, /as it was asked to/)
    await throwsCode(t, 'CONFLICT', () => device.infer(input(1), 0), 'no work in the ROM')
    await device.reset('firmware')
    await whenState(device, 'running')
    await takeEvents(device, 'result', 2)
  }
})

t.test('reset: without modem lines a board in its ROM stays there and says so', async (t) => {
  const { device } = await runningBench(t, { modemLines: false })
  await device.reset('rom')
  await whenState(device, 'rom')
  await device.reset('firmware')
  t.match(await whenState(device, 'rom'), { note: /no reset|boot ROM/ })
})

t.test('damaged firmware: the ROM refuses it, and the state says why', async (t) => {
  const { device, board, flash } = await runningBench(t)
  await board.writeFlash(0, await damagedFirmware())
  await device.reset('firmware')
  const view = await whenState(device, 'rom')
  t.match(view.note, /boot failed with exit code 233/)
  t.match(view, { firmware: null, models: [] })
  t.match(await throwsCode(t, 'CONFLICT', () => device.infer(input(1), 0)), { what: /boot failed/ })
  await flash(await firmwareItems())
  await whenState(device, 'running')
})

t.test('damaged firmware: seen after a pressed reset button and by a device that comes later', async (t) => {
  const { device, board } = await runningBench(t)
  await board.writeFlash(0, await damagedFirmware())
  await board.reset()
  await whenState(device, 'rom', /boot failed/)
  const later = await boardBench(t, { flashImage: await damagedFirmware() })
  await later.device.start()
  await whenState(later.device, 'rom', /boot failed/)
})

t.test('unplugged: lost, and after it is plugged in again it goes on by itself', async (t) => {
  const { device, board } = await runningBench(t, { inWorker: true })
  await takeEvents(device, 'result', 2)
  const inferring = throwsCode(t, 'LINK_LOST', () => device.infer(input(1), 0), 'work under way')
  await board.unplug()
  await within(inferring, 'work under way')
  const lost = await whenState(device, 'lost')
  t.match(lost.note, /port/)
  await throwsCode(t, 'CONFLICT', () => device.infer(input(1), 0))
  await t.rejects(within(device.reset('firmware'), 'reset'), { code: /^PORT_/ })
  await board.replug()
  await whenState(device, 'running')
  await takeEvents(device, 'result', 2)
})

t.test('a restart by the button is noticed, and streaming goes on', async (t) => {
  const { device, board } = await runningBench(t)
  await takeEvents(device, 'result', 2)
  await board.reset()
  await whenState(device, 'lost', /restarted/)
  await whenState(device, 'running')
  const [result] = await takeEvents(device, 'result', 1)
  t.ok(result!.deviceTimeUs < 60e6, 'the clock of the new boot')
})

t.test('a board that restarts again and again is left alone for a while', async (t) => {
  const { device, board } = await runningBench(t)
  const stop = device.on('board', ({ state }) => {
    if (state === 'running') void board.reset()
  })
  await board.reset()
  const view = await whenState(device, 'quarantined')
  t.match(view.note, /5 sessions in a row/)
  stop()
  await whenState(device, 'running')
})

t.test('a noisy line: damage is counted, results still come', async (t) => {
  const { device } = await runningBench(t, { faults: 'bitFlip=2e-5,seed=6' })
  await takeEvents(device, 'result', 60)
  await within(
    new Promise<void>((resolve) => {
      const stop = device.on('board', ({ link }) => {
        if (link.framesDamaged! === 0) return
        stop()
        resolve()
      })
    }),
    'a counted damaged frame',
  )
  t.equal(device.view().state, 'running')
})

t.test('work on the port: waits its turn, ends the session before and starts one after', async (t) => {
  const { device } = await runningBench(t)
  const order: string[] = []
  const use = (name: string) =>
    device.withPort(async (port) => {
      order.push(`${name} begins`)
      await new Promise<void>((resolve) => port.clock.timer(200, resolve))
      order.push(`${name} ends`)
    })
  await within(Promise.all([use('a'), use('b')]), 'both')
  t.same(order, ['a begins', 'a ends', 'b begins', 'b ends'])
  await whenState(device, 'running')
  await t.rejects(
    device.withPort(async () => {
      throw new Error('work failed')
    }),
    /work failed/,
  )
  await whenState(device, 'running')
  await device.close()
  await throwsCode(t, 'CANCELLED', () => device.withPort(async () => 1), 'a closed board')
})

t.test('close: at any moment, it ends in time', async (t) => {
  for (const delayMs of [0, 1, 5, 20, 60, 150, 400]) {
    const { device, flash } = await boardBench(t, { pace: 'real' })
    await device.start()
    if (delayMs > 100) void flash(await firmwareItems()).catch(() => undefined)
    await new Promise((resolve) => setTimeout(resolve, delayMs))
    await within(device.close(), `close after ${delayMs} ms`, 5000)
  }
})

t.test('fleet: names boards by their ports, refuses a port or id twice, forgets what was removed', async (t) => {
  const board = await createVirtualBoard()
  const openPort: PortOpener = async (url, options) => board.port({ url, ...options })
  const fleet = new Fleet(openPort, silentLogger)
  t.teardown(async () => {
    await fleet.close()
    await board.close()
  })
  const changes: string[] = []
  fleet.onChange((change, { id }) => changes.push(`${change} ${id}`))
  const device = await fleet.add('virtual:')
  t.equal(device.id, 'virtual')
  await throwsCode(t, 'CONFLICT', () => fleet.add('virtual:', 'other'), 'the same port')
  await throwsCode(t, 'CONFLICT', () => fleet.add('/dev/ttyX', 'virtual'), 'the same id')
  t.equal(fleet.get('virtual'), device)
  await fleet.remove('virtual')
  await throwsCode(t, 'NOT_FOUND', () => fleet.get('virtual'))
  await throwsCode(t, 'NOT_FOUND', () => fleet.remove('virtual'))
  t.same(changes, ['added virtual', 'removed virtual'])
})

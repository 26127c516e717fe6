import { createHash } from 'node:crypto'
import { existsSync, readFileSync } from 'node:fs'
import t, { type Test } from 'tap'
import { encodeBoardCard } from '../../host/card/binary.js'
import { flashBoard } from '../../host/flasher/flash.js'
import { wrapFirmware } from '../../host/flasher/image.js'
import { sleep } from '../../host/foundation/clock.js'
import { packageFile } from '../../host/foundation/paths.js'
import { climbBaud } from '../../host/link/climb-baud.js'
import { LinkSession } from '../../host/link/session.js'
import { sendTransfer } from '../../host/link/transfer.js'
import type { BoardOptions, VirtualBoard } from '../../host/virtual-board/board.js'
import { createVirtualBoard } from '../../host/virtual-board/inline-board.js'
import { createWorkerBoard } from '../../host/virtual-board/worker-board.js'
import { modelLoad, picture, reboot, result, streamConfig } from '../../protocol/index.js'
import { noSharedData, sharedData } from '../support/shared-data.js'

/** A firmware module as it is committed, undefined where it is absent. */
function prebuilt(name: string): Uint8Array | undefined {
  const path = packageFile('firmware-shim', 'prebuilt', name)
  return existsSync(path) ? new Uint8Array(readFileSync(path)) : undefined
}

const shim = prebuilt('shim.wasm')
const stub = prebuilt('stub.wasm')
const noShim = shim ? false : 'firmware-shim/prebuilt/shim.wasm is absent'
const kmodelFile = sharedData('kmodels', 'face_detect_v3.kmodel')

/** The vendor's face detector: YOLOv2 with five anchors on a 20 x 15 map. */
const card = encodeBoardCard({
  input: {
    ...{ width: 320, height: 240, colour: 'rgb', resize: 'stretch', fill: 0 },
    ...{ mean: [0, 0, 0], std: [1, 1, 1], scale: 1, zeroPoint: 0 },
  },
  decoder: {
    kind: 'yolov2',
    classes: 1,
    stride: 16,
    anchors: [
      [1.889, 2.5245],
      [2.9465, 3.94056],
      [3.99987, 5.3658],
      [5.155437, 6.92275],
      [6.718375, 9.01025],
    ],
    scoreThreshold: 0.5,
    iouThreshold: 0.3,
    maxBoxes: 20,
  },
  outputs: [{ name: 'out', shape: [30, 15, 20], type: 'float32', scale: 1, zeroPoint: 0 }],
})

/** Opens a session with a board that has had time to boot. */
async function openLink(t: Test, board: VirtualBoard) {
  t.teardown(() => board.close())
  const port = board.port()
  await sleep(port.clock, 150)
  const link = await LinkSession.open(port, { random: () => 0.4 })
  t.teardown(() => link.close())
  return { port, link }
}

const shimBoard = (options: BoardOptions = {}) => createVirtualBoard({ flashImage: wrapFirmware(shim!), ...options })

/** Deploys and streams for a second of virtual time. @returns what came, and the time and bytes of each result */
async function streamedSecond(t: Test, options: BoardOptions = {}) {
  const board = await shimBoard(options)
  const { port, link } = await openLink(t, board)
  await climbBaud(link, { targetBaud: 1_500_000 })
  const kmodel = new Uint8Array(readFileSync(kmodelFile!))
  const sent = await sendTransfer(link, { target: 'modelSlot', bytes: kmodel, name: 'face', card })
  await link.request(modelLoad, { slot: 0 }, { timeoutMs: 3000, busyMs: 10_000 })
  const log: string[] = []
  let pictures = 0
  link.on(result, (row) => log.push(`${port.clock.now()} ${row.frameId} ${row.doneUs} ${row.boxes.length}`))
  link.on(picture, ({ data }) => {
    pictures++
    log.push(`${port.clock.now()} ${createHash('sha256').update(data).digest('hex')}`)
  })
  await link.request(streamConfig, { slot: 0, results: 1, pictureEvery: 2, quality: 50, scoreThreshold: 0 })
  const before = await board.stats()
  await sleep(port.clock, 1000)
  const after = await board.stats()
  await board.close() // else it would go on streaming as fast as it can
  return { sent, log, pictures, results: log.length - pictures, before, after, statistics: link.statistics() }
}

t.test('shim image: boots from flash and answers HELLO', { skip: noShim }, async (t) => {
  const board = await shimBoard()
  const { link } = await openLink(t, board)
  t.match(link.board, { board: 'virtual', major: 1, kpuRamBytes: 2 * 1024 * 1024, flashId: 0xef4018 })
  t.match(await board.stats(), { state: 'running', boots: 1, crash: '' })
  await link.request(reboot, { target: 0, token: 7 })
  await sleep(link.port.clock, 200)
  t.match(await board.stats(), { state: 'running', boots: 2 })
})

t.test('the whole way: blank board, flashed through the ROM, boots and answers HELLO', { skip: noShim }, async (t) => {
  const board = await createVirtualBoard({ family: 'A', faults: 'bitFlip=1e-6,seed=5' })
  t.teardown(() => board.close())
  const port = board.port()
  const items = [{ name: 'shim', address: 0, bytes: shim!, wrap: true }]
  const done = await flashBoard(port, items, { stub: { bytes: stub!, kind: 'ours' } })
  t.match(done, { isVerified: true, baud: 1_500_000, family: 'A' })
  await sleep(port.clock, 150)
  await port.setBaud(115_200)
  const link = await LinkSession.open(port)
  t.equal(link.board.board, 'virtual')
  await link.close()
})

t.test(
  'stream: results and pictures of a KPU model, the same in two runs',
  {
    skip: noShim || (kmodelFile ? false : noSharedData),
  },
  async (t) => {
    const first = await streamedSecond(t)
    t.ok(first.results >= 25, `${first.results} results in a second of virtual time`)
    t.ok(first.pictures >= 12, `${first.pictures} pictures`)
    t.equal(first.after.kpuRefusal, '')
    t.ok(first.sent.seconds < 4, `388776 bytes in ${first.sent.seconds} s`)
    const kpuMs = (first.after.kpuMs - first.before.kpuMs) / first.results
    t.ok(kpuMs > 9 && kpuMs < 13, `${kpuMs.toFixed(1)} ms of KPU a frame`)
    t.equal(first.after.rxOverruns, 0)
    const second = await streamedSecond(t)
    t.same(second.log, first.log)
  },
)

t.test(
  'stream over a noisy line: damage is counted, the model arrives whole',
  {
    skip: noShim || (kmodelFile ? false : noSharedData),
  },
  async (t) => {
    const run = await streamedSecond(t, { faults: 'bitFlip=1e-5,seed=9', turnRoundMs: 16 })
    t.equal(run.sent.sha256, '916e679defa91ad76f9feed18b6b37d26328ec9a2c0c8ab0d1ca5983e105b7c0')
    t.ok(run.statistics.framesDamaged > 0)
    t.ok(run.results > 15, `${run.results} results`)
  },
)

t.test('worker thread: the shim answers HELLO on the wall clock', { skip: noShim }, async (t) => {
  const board = await createWorkerBoard({ flashImage: wrapFirmware(shim!) })
  const { link } = await openLink(t, board)
  t.equal(link.board.board, 'virtual')
  t.match(await board.stats(), { state: 'running' })
})

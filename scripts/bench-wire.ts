/**
 * Figures of link and flash on the virtual board in virtual time at 1.5 Mbaud: the same numbers on every machine.
 * Chip times of the flash are typical; contents are noise, which nothing can skip.
 */
import { encodeBoardCard } from '../host/card/binary.js'
import { flashBoard } from '../host/flasher/flash.js'
import { loadOwnStub } from '../host/flasher/flash-files.js'
import { wrapFirmware } from '../host/flasher/image.js'
import { sleep } from '../host/foundation/clock.js'
import { packageFile } from '../host/foundation/paths.js'
import { demoModel } from '../host/jobs/demo-model.js'
import { demoScene } from '../host/jobs/demo-scene.js'
import { shimFirmware } from '../host/jobs/flash-job.js'
import { climbBaud } from '../host/link/climb-baud.js'
import { LinkSession } from '../host/link/session.js'
import { sendTransfer } from '../host/link/transfer.js'
import { createVirtualBoard } from '../host/virtual-board/inline-board.js'
import { modelLoad, picture, result, streamConfig } from '../protocol/index.js'

const BAUD = 1_500_000
const BITS_A_BYTE = 10
const BYTES = 2 << 20
const FREE_FLASH = 0x400_000
const BOOT_MS = 150
const STREAM_MS = 10_000

/** Noise that is the same every time. */
function noise(length: number): Uint8Array {
  let state = 1
  return Uint8Array.from({ length }, () => {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    return state >>> 24
  })
}

async function benchFlash(turnRoundMs: number): Promise<void> {
  const board = await createVirtualBoard({ turnRoundMs, family: 'B' })
  const items = [await shimFirmware(), { name: 'noise', address: FREE_FLASH, bytes: noise(BYTES) }]
  const stub = await loadOwnStub()
  const port = board.port()
  for (const what of ['blank', 'unchanged']) {
    const { seconds, sentBytes } = await flashBoard(port, items, { stub, family: 'B' })
    console.log(
      `flash, ${what} board, turn-round ${turnRoundMs} ms: ${seconds.toFixed(2)} s with entry, stub and boot check, ${sentBytes} bytes sent, ${(sentBytes / 1024 / seconds).toFixed(1)} KiB/s`,
    )
  }
  await board.close()
}

async function openBoard(turnRoundMs: number) {
  const camera = { kind: 'scene', ...(await demoScene()) } as const
  const flashImage = wrapFirmware((await shimFirmware()).bytes)
  const board = await createVirtualBoard({ turnRoundMs, flashImage, camera })
  const port = board.port()
  await sleep(port.clock, BOOT_MS)
  const link = await LinkSession.open(port, { random: () => 0.4 })
  await climbBaud(link, { targetBaud: BAUD })
  return { board, port, link }
}

async function benchTransfer(turnRoundMs: number): Promise<void> {
  const { board, link } = await openBoard(turnRoundMs)
  const { seconds } = await sendTransfer(link, { target: 'flash', address: FREE_FLASH, bytes: noise(BYTES) })
  const share = (BYTES * BITS_A_BYTE) / (BAUD * seconds)
  console.log(
    `bulk transfer, turn-round ${turnRoundMs} ms: ${seconds.toFixed(2)} s, ${(100 * share).toFixed(1)} % of the wire's payload bits`,
  )
  await link.close()
  await board.close()
}

async function benchStream(quality: number): Promise<void> {
  // Files first: a board in fast pace does not wait for them.
  const model = await demoModel(packageFile('dist', 'bench'))
  const { board, port, link } = await openBoard(1)
  await sendTransfer(link, {
    target: 'modelSlot',
    bytes: model.kmodel,
    name: 'face',
    card: encodeBoardCard(model.card),
  })
  await link.request(modelLoad, { slot: 0 }, { timeoutMs: 3000, busyMs: 10_000 })
  const seen = { results: 0, pictures: 0, bytes: 0, longestMs: 0 }
  link.on(result, () => seen.results++)
  link.on(picture, ({ data }) => {
    seen.pictures++
    seen.bytes += data.length
  })
  await link.request(streamConfig, { slot: 0, results: 1, pictureEvery: 1, quality, scoreThreshold: 0 })
  const startMs = port.clock.now()
  while (port.clock.now() - startMs < STREAM_MS)
    seen.longestMs = Math.max(seen.longestMs, (await link.ping()).roundTripMs)
  const seconds = (port.clock.now() - startMs) / 1000
  await board.close()
  console.log(
    `stream, quality ${quality}: ${(seen.results / seconds).toFixed(1)} results/s, ${(seen.pictures / seconds).toFixed(1)} pictures/s of ${(seen.bytes / seen.pictures).toFixed(0)} bytes, longest round trip of back-to-back pings ${seen.longestMs.toFixed(1)} ms`,
  )
}

await benchFlash(16)
await benchFlash(1)
await benchTransfer(1)
await benchTransfer(16)
await benchStream(55)
await benchStream(80)

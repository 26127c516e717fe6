import { existsSync, readFileSync } from 'node:fs'
import t, { type Test } from 'tap'
import { type FlashOptions, flashBoard } from '../../host/flasher/flash.js'
import { loadOwnStub } from '../../host/flasher/flash-files.js'
import { wrapFirmware } from '../../host/flasher/image.js'
import type { FlashItem } from '../../host/flasher/plan.js'
import { modelStoreItems } from '../../host/flasher/store-image.js'
import { sleep } from '../../host/foundation/clock.js'
import { packageFile } from '../../host/foundation/paths.js'
import { LinkSession } from '../../host/link/session.js'
import type { Port } from '../../host/port/port.js'
import type { BoardOptions } from '../../host/virtual-board/board.js'
import { createVirtualBoard } from '../../host/virtual-board/inline-board.js'
import { modelList } from '../../protocol/messages/model.js'
import { reboot } from '../../protocol/messages/system.js'
import { echoFirmware } from '../support/echo-firmware.js'
import { createRandom } from '../support/random.js'
import { throwsCode } from '../support/throws-code.js'

const stub = {
  bytes: new Uint8Array(readFileSync(packageFile('firmware-shim', 'prebuilt', 'stub.wasm'))),
  kind: 'ours',
} as const
const classic = { ...stub, kind: 'classic' } as const
const KIB = 1024

const noise = (length: number, seed = 1) => createRandom(seed).bytes(length)

/** Firmware and a model store, as a board gets them. */
function everything(modelBytes = 100 * KIB, seed = 1): FlashItem[] {
  const kmodel = noise(modelBytes, seed)
  return [
    { name: 'firmware', address: 0, bytes: echoFirmware(), wrap: true },
    ...modelStoreItems([{ slot: 0, name: 'noise', kmodel, card: noise(40) }]),
  ]
}

async function bench(t: Test, options: BoardOptions = {}, modemLines = true) {
  const board = await createVirtualBoard(options)
  t.teardown(() => board.close())
  const port = board.port({ modemLines })
  const flash = (items: readonly FlashItem[], more: Partial<FlashOptions> = {}) =>
    flashBoard(port, items, { stub, ...more })
  /** Compares the board's flash with what it should hold. */
  const holds = async (items: readonly FlashItem[]) => {
    for (const { name, address, bytes, wrap } of items) {
      const wanted = wrap ? wrapFirmware(bytes) : bytes
      t.ok(Buffer.from(wanted).equals(await board.readFlash(address, wanted.length)), `${name} is in the flash`)
    }
  }
  return { board, port, flash, holds }
}

const echoes = async (port: Port) => {
  let heard = ''
  const stop = port.onData((bytes) => {
    heard += Buffer.from(bytes).toString('latin1')
  })
  await port.write(new TextEncoder().encode('xyz'))
  await sleep(port.clock, 50)
  stop()
  return heard.includes('xyz')
}

t.test('flash: the own stub is found in the package', async (t) => {
  t.same(await loadOwnStub(), stub)
})

t.test('flash: a blank board gets firmware and models and boots', async (t) => {
  const { board, port, flash, holds } = await bench(t)
  const stages: string[] = []
  const items = everything()
  const result = await flash(items, { onProgress: ({ stage }) => stages.at(-1) === stage || stages.push(stage) })
  await holds(items)
  t.equal((await board.stats()).state, 'running')
  t.ok(await echoes(port), 'the firmware answers')
  t.match(result, { isVerified: true, baud: 1_500_000, family: 'B', skippedBytes: 4096, warnings: [], retries: 0 })
  t.equal(result.plan.at(-1)!.name, 'firmware')
  t.same(stages.slice(0, 6), ['enter', 'stub', 'baud', 'compare', 'write', 'verify'])
  t.equal(stages.at(-1), 'boot')
})

t.test('flash: every wiring family is found by itself', async (t) => {
  for (const family of ['A', 'B', 'C'] as const) {
    const { flash, board, port } = await bench(t, { family })
    t.equal((await flash(everything(4 * KIB))).family, family, 'of a blank board, which is in the ROM anyway')
    t.ok(await echoes(port))
    t.equal((await flash(everything(4 * KIB))).family, family, 'of a board that runs')
    t.ok(await echoes(port))
    t.equal((await board.stats()).failedBoot, '')
  }
})

t.test('flash: a wrong family and a board without a chip give FLASH_NO_ROM', async (t) => {
  const wrong = await bench(t, { family: 'A' })
  const error = await throwsCode(t, 'FLASH_NO_ROM', () => wrong.flash(everything(), { family: 'B', rounds: 2 }))
  t.match(error.fix, /--family/)
  const unwired = await bench(t, { family: 'none', flashImage: wrapFirmware(echoFirmware()) })
  await throwsCode(t, 'FLASH_NO_ROM', () => unwired.flash(everything(), { rounds: 1 }))
})

t.test('flash: an unchanged second run sends nothing, a changed sector is sent alone', async (t) => {
  const { flash, holds } = await bench(t)
  const items = everything(2 * 1024 * KIB)
  await flash(items)
  const again = await flash(items, { family: 'B' })
  t.equal(again.sentBytes, 0)
  t.ok(again.seconds < 3, `unchanged 2 MiB take ${again.seconds.toFixed(2)} s of virtual time`)
  const changed = items.map((item) => ({ ...item, bytes: item.bytes.slice() }))
  changed[1]!.bytes[300 * KIB]! ^= 1
  t.equal((await flash(changed)).sentBytes, 4096)
  await holds(changed)
})

t.test(
  'flash: raw speed with compare and verify is at least 125 KiB/s at 1.5 Mbaud, blank or full before',
  async (t) => {
    const { port, flash, holds } = await bench(t, { turnRoundMs: 16 })
    for (const seed of [1, 2]) {
      const items = [{ name: 'noise', address: 0x21_0000, bytes: noise(2 * 1024 * KIB, seed) }]
      let [from, to] = [0, 0]
      const result = await flash(items, {
        onProgress: ({ stage, done }) => {
          if (stage === 'compare' && done === 0) from = port.clock.now()
          if (stage === 'verify') to = port.clock.now()
        },
      })
      const rate = (2 * 1024 * 1000) / (to - from)
      t.ok(rate >= 125, `${rate.toFixed(1)} KiB/s (${(2048 / result.seconds).toFixed(1)} with entry, stub and boot)`)
      await holds(items)
    }
  },
)

t.test('flash: neighbours in a partial sector survive', async (t) => {
  const { board, flash } = await bench(t)
  await board.writeFlash(0x30_0000, noise(8192, 9))
  await flash([{ name: 'middle', address: 0x30_0100, bytes: noise(4096, 3) }])
  const after = await board.readFlash(0x30_0000, 8192)
  const wanted = noise(8192, 9)
  wanted.set(noise(4096, 3), 0x100)
  t.same(after, wanted)
})

t.test('flash: neighbours in the same 64 KiB unit survive large and small erases', async (t) => {
  const { board, flash } = await bench(t)
  const around = noise(192 * KIB, 5)
  await board.writeFlash(0x40_0000, around)
  for (const [offset, length] of [
    [4096, 8192],
    [60 * KIB, 72 * KIB],
    [100 * KIB, 64 * KIB],
  ] as const) {
    const part = noise(length, offset)
    await flash([{ name: 'part', address: 0x40_0000 + offset, bytes: part }])
    around.set(part, offset)
    t.ok(Buffer.from(around).equals(await board.readFlash(0x40_0000, around.length)), `${length} at ${offset}`)
  }
})

t.test('flash: bit flips, lost and doubled bytes on the wire are repaired', async (t) => {
  for (const faults of [
    'bitFlip=1e-5,seed=3',
    'drop=5e-6,duplicate=5e-6,split=0.2,seed=4',
    'stall=300,stallEvery=4000',
  ]) {
    const { board, flash, holds } = await bench(t, { faults })
    const items = everything(300 * KIB)
    const result = await flash(items)
    await holds(items)
    t.equal((await board.stats()).state, 'running', `${faults}: ${result.retries} retries`)
  }
})

t.test('flash: a power cut is an error, and flashing again makes it right and skips what was done', async (t) => {
  for (const powerCut of [3, 200, 800]) {
    const { flash, holds } = await bench(t, { faults: `powerCut=${powerCut}` })
    const items = everything(300 * KIB)
    await throwsCode(t, 'FLASH_REPLY', () => flash(items), `cut at operation ${powerCut}`)
    const result = await flash(items)
    await holds(items)
    if (powerCut === 800) t.ok(result.skippedBytes > 150 * KIB, `${result.skippedBytes} bytes were skipped`)
  }
})

t.test('flash: a cut during a firmware update leaves the ROM, never a wrong program', async (t) => {
  const old = echoFirmware()
  const other = new Uint8Array([...old, 0, 3, 2, 0x61, 1, ...noise(0)]) // the same module with a custom section
  for (const powerCut of [1, 2, 5, 12]) {
    const { board, flash } = await bench(t, { flashImage: wrapFirmware(old), faults: `powerCut=${powerCut}` })
    const items = [{ name: 'firmware', address: 0, bytes: other, wrap: true }]
    await flash(items).catch(() => undefined)
    await board.powerCycle()
    const flashed = await board.readFlash(0, wrapFirmware(other).length)
    const complete = Buffer.from(flashed).equals(wrapFirmware(other))
    await flash(items)
    t.equal((await board.stats()).state, 'running', `cut ${powerCut}, complete before: ${complete}`)
  }
})

t.test('flash: a damaged firmware image is refused, and with force the ROM says why it does not boot', async (t) => {
  const { board, flash } = await bench(t)
  const image = wrapFirmware(echoFirmware())
  image[100]! ^= 4
  const items = [{ name: 'firmware', address: 0, bytes: image }]
  await throwsCode(t, 'FLASH_IMAGE', () => flash(items))
  const error = await throwsCode(t, 'FLASH_BOOT', () => flash(items, { force: true }))
  t.match(error.what, /exit code 233/)
  t.equal((await board.stats()).state, 'rom')
})

t.test('flash: only models on a board without firmware is a warning', async (t) => {
  const { flash, holds } = await bench(t)
  const items = everything(8 * KIB).slice(1)
  t.match((await flash(items)).warnings, [/does not boot/])
  await holds(items)
})

t.test('flash: protected, unknown and smaller chips are refused before anything is written', async (t) => {
  for (const [faults, code] of [
    ['protection=1', 'FLASH_PROTECTED'],
    ['flashId=0', 'FLASH_REPLY'],
    ['flashId=0xEF4014', 'FLASH_PLAN'],
  ] as const) {
    const { board, flash } = await bench(t, { faults })
    await throwsCode(t, code, () => flash(everything()))
    t.equal((await board.stats()).flashOperations, 0)
  }
})

t.test('flash: slow chips at their worst times get all the time they need', async (t) => {
  const { flash, holds } = await bench(t, { flashTimes: 'worst' })
  const items = everything(200 * KIB)
  t.equal((await flash(items)).retries, 0)
  await holds(items)
})

t.test('flash: erase clears the whole chip first', async (t) => {
  const { board, flash } = await bench(t)
  await board.writeFlash(0xd0_0000, noise(64))
  await flash(everything(8 * KIB), { erase: true })
  t.ok((await board.readFlash(0xd0_0000, 64)).every((byte) => byte === 0xff))
})

t.test('flash: a two-stage layout is warned about before it is replaced', async (t) => {
  const { board, flash } = await bench(t)
  await board.writeFlash(0, wrapFirmware(noise(900)))
  await board.writeFlash(0x1000, wrapFirmware(noise(5000)))
  t.match((await flash(everything(4 * KIB))).warnings, [/two-stage/])
})

t.test('flash: a dry run gives the plan and touches nothing', async (t) => {
  const { board, port, flash } = await bench(t)
  const before = (await board.stats()).bytesToBoard
  const result = await flash(everything(), { dryRun: true })
  t.equal(result.plan.length, 3)
  t.equal(result.sentBytes, 0)
  t.equal((await board.stats()).bytesToBoard, before)
  t.equal(port.clock.now(), 0)
})

t.test('flash: classic commands write everything, refuse to verify and boot', async (t) => {
  const { board, flash, holds } = await bench(t, { flashTimes: 'worst' })
  const items = everything(150 * KIB)
  await throwsCode(t, 'USAGE', () => flash(items, { stub: classic, verify: true }))
  const result = await flash(items, { stub: classic, baud: 2_000_000 })
  t.match(result, { isVerified: false, skippedBytes: 0, baud: 2_000_000 })
  await holds(items)
  t.equal((await board.stats()).state, 'running')
})

t.test('flash: classic commands survive bit flips and can erase the chip', async (t) => {
  const { flash, holds } = await bench(t, { faults: 'bitFlip=1e-6,seed=2' })
  const items = everything(100 * KIB)
  await flash(items, { stub: classic, erase: true })
  await holds(items)
})

t.test('flash: a stub that is none gives FLASH_NO_STUB', async (t) => {
  const { flash } = await bench(t)
  const nonsense = { bytes: noise(3000), kind: 'classic' } as const
  await throwsCode(t, 'FLASH_NO_STUB', () => flash(everything(), { stub: nonsense }))
})

t.test('flash: a rate that the board cannot make falls back to the next lower one', async (t) => {
  const { flash } = await bench(t)
  t.equal((await flash(everything(4 * KIB), { baud: 8_000_000 })).baud, 3_000_000)
})

t.test('flash: without modem lines ROM, stub and shim are greeted in turn', async (t) => {
  const { board, port, flash, holds } = await bench(t, {}, false)
  const items = everything(20 * KIB)
  const first = await flash(items)
  t.equal(first.family, undefined)
  await holds(items)
  t.equal((await board.stats()).state, 'running')
  let asked = 0
  const askShimToReboot = async () => {
    asked++
    await port.write(new TextEncoder().encode('I')) // the echo firmware's "reboot into ROM"
    return true
  }
  const second = await flash(items, { askShimToReboot })
  t.equal(second.sentBytes, 0)
  t.equal(asked, 1)
  const error = await throwsCode(t, 'FLASH_NO_ROM', () => flash(items, { rounds: 1 }))
  t.match(error.fix, /Hold BOOT/)
})

t.test(
  'flash: unplugging and cancelling end with their own code, and a stub that still runs is used again',
  async (t) => {
    const unplugged = await bench(t, { faults: 'unplug=100000' })
    await throwsCode(t, 'PORT_CLOSED', () => unplugged.flash(everything(300 * KIB)))
    const { flash, holds } = await bench(t, {}, false)
    const abort = new AbortController()
    const items = everything(300 * KIB)
    const onProgress: FlashOptions['onProgress'] = ({ stage, done }) => {
      if (stage === 'write' && done > 100 * KIB) abort.abort()
    }
    await throwsCode(t, 'CANCELLED', () => flash(items, { signal: abort.signal, onProgress }))
    const again = await flash(items)
    t.ok(again.skippedBytes >= 100 * KIB, `${again.skippedBytes} bytes were skipped`)
    await holds(items)
  },
)

const shimFile = packageFile('firmware-shim', 'prebuilt', 'shim.wasm')

t.test('flash: the shim boots, finds its model store and reboots into the ROM when asked', async (t) => {
  if (!existsSync(shimFile)) return t.comment('skipped: the shim is not built')
  const shim = { name: 'shim', address: 0, bytes: new Uint8Array(readFileSync(shimFile)), wrap: true }
  const items = [shim, ...everything(70 * KIB).slice(1)]
  const askShimToReboot = async (port: Port) => {
    const link = await LinkSession.open(port)
    await link.request(reboot, { target: 1, token: 1 })
    await link.close()
    return true
  }
  for (const [family, modemLines] of [
    ['B', true],
    ['B', false],
    ['none', true],
  ] as const) {
    const { board, port, flash } = await bench(t, { family }, modemLines)
    await flash(items, { rounds: 2 })
    const link = await LinkSession.open(port)
    const { entries } = await link.request(modelList, {})
    t.match(entries[0], { name: 'noise', size: 70 * KIB }, `family ${family}, lines ${modemLines}`)
    await link.close()
    t.equal((await flash(items, { rounds: 1, askShimToReboot })).sentBytes, 0)
    t.equal((await board.stats()).state, 'running')
  }
})

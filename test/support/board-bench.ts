import type { Test } from 'tap'
import { encodeBoardCard } from '../../host/card/binary.js'
import type { ModelCard } from '../../host/card/card.js'
import type { BoardConfig } from '../../host/device/board-session.js'
import { Device } from '../../host/device/device.js'
import type { BoardEvents, BoardState, BoardView } from '../../host/device/events.js'
import type { FlashOptions } from '../../host/flasher/flash.js'
import { loadOwnStub } from '../../host/flasher/flash-files.js'
import { wrapFirmware } from '../../host/flasher/image.js'
import type { FlashItem } from '../../host/flasher/plan.js'
import { modelStoreItems } from '../../host/flasher/store-image.js'
import { silentLogger } from '../../host/foundation/logger.js'
import { shimFirmware } from '../../host/jobs/flash-job.js'
import { writeKmodelV4 } from '../../host/kmodel/v4/writer.js'
import type { Port, PortOpener } from '../../host/port/port.js'
import type { BoardOptions, VirtualBoard } from '../../host/virtual-board/board.js'
import { createVirtualBoard } from '../../host/virtual-board/inline-board.js'
import { createWorkerBoard } from '../../host/virtual-board/worker-board.js'
import { smallKmodel } from './small-kmodel.js'
import { LONGEST_WAIT_MS, within } from './within.js'

/** The small kmodel of the format tests, as a network of 12 x 8 pixels without decoder. */
export const smallModel = (): { readonly kmodel: Uint8Array; readonly card: ModelCard } => ({
  kmodel: writeKmodelV4(smallKmodel()),
  card: {
    schema: 1,
    name: 'small',
    task: 'other',
    input: {
      ...{ width: 12, height: 8, colour: 'rgb', resize: 'stretch', fill: 0 },
      ...{ mean: [0, 0, 0], std: [1, 1, 1], scale: 1, zeroPoint: 0 },
    },
    decoder: { kind: 'none' },
    labels: ['thing'],
    outputs: [{ name: 'out', shape: [2, 4, 6], type: 'float32', scale: 1, zeroPoint: 0 }],
    source: { file: 'small.onnx', sha256: '0'.repeat(64), licence: 'none' },
  },
})

/** Firmware and a model store with the small model in slot 0. */
export async function firmwareItems(): Promise<FlashItem[]> {
  const { kmodel, card } = smallModel()
  return [await shimFirmware(), ...modelStoreItems([{ slot: 0, name: card.name, kmodel, card: encodeBoardCard(card) }])]
}

/** A virtual board and the device that looks after it. */
export interface BoardBench {
  readonly board: VirtualBoard
  readonly device: Device
  /** Bytes that were written to the board's ports. */
  writtenBytes(): number
  /** Flashes through the boot ROM. */
  flash(items: readonly FlashItem[], options?: Partial<FlashOptions>): ReturnType<Device['flash']>
}

/** How a bench is made. */
export interface BenchOptions extends BoardOptions {
  /** In a thread of its own, on the wall clock; default in this one, in virtual time. */
  readonly inWorker?: boolean
  /** False: the board hangs on a socket. */
  readonly modemLines?: boolean
  readonly config?: Partial<BoardConfig>
}

/** Makes board and device; the device is not started. Both end with the test. */
export async function boardBench(t: Test, options: BenchOptions = {}): Promise<BoardBench> {
  const { inWorker, modemLines, config, ...boardOptions } = options
  const board = await (inWorker ? createWorkerBoard(boardOptions) : createVirtualBoard(boardOptions))
  let written = 0
  const openPort: PortOpener = async (url, options) => {
    const port = board.port({ url, modemLines, ...options })
    const write = port.write.bind(port)
    port.write = (bytes: Uint8Array) => {
      written += bytes.length
      return write(bytes)
    }
    return port satisfies Port
  }
  const device = new Device({ id: 'bench', url: 'virtual:', openPort, logger: silentLogger, config })
  t.teardown(async () => {
    await within(device.close(), 'closing the device')
    await within(board.close(), 'closing the board')
  })
  return {
    board,
    device,
    writtenBytes: () => written,
    flash: async (items, more) => within(device.flash(items, { stub: await loadOwnStub(), ...more }), 'flashing'),
  }
}

/** Waits until the board is in a state and, if asked, says something about it. */
export function whenState(
  device: Device,
  state: BoardState,
  note: RegExp = /^/,
  ms: number = LONGEST_WAIT_MS,
): Promise<BoardView> {
  const fits = (view: BoardView) => view.state === state && note.test(view.note)
  let stop = () => {}
  const seen = new Promise<BoardView>((resolve) => {
    stop = device.on('board', (view) => fits(view) && resolve(view))
    if (fits(device.view())) resolve(device.view())
  })
  return within(seen, `state ${state} ${note}`, ms)
    .catch((error) => {
      const { state: last, note: said } = device.view()
      const lines = device.recentLog().map(({ text }) => text)
      throw new Error(`${error.message}; last ${last}: ${said}\n${lines.join('\n')}`)
    })
    .finally(() => stop())
}

/** The next `count` events of a kind. */
export async function takeEvents<E extends keyof BoardEvents>(
  device: Device,
  event: E,
  count: number,
): Promise<BoardEvents[E][0][]> {
  const taken: BoardEvents[E][0][] = []
  let stop = () => {}
  const enough = new Promise<void>((resolve) => {
    stop = device.on(event, (...values: BoardEvents[E]) => {
      if (taken.length < count) taken.push(values[0])
      if (taken.length === count) resolve()
    })
  })
  await within(enough, `${count} events ${event} (${device.view().state}: ${device.view().note})`).finally(() => stop())
  return taken
}

/** Flash bytes of a board with firmware and, if asked, the small model in slot 0. */
export async function firmwareFlash(withModel: boolean): Promise<Uint8Array> {
  const [shim, ...store] = await firmwareItems()
  const parts = [{ address: 0, bytes: wrapFirmware(shim!.bytes) }, ...(withModel ? store : [])]
  const flash = new Uint8Array(Math.max(...parts.map(({ address, bytes }) => address + bytes.length))).fill(0xff)
  for (const { address, bytes } of parts) flash.set(bytes, address)
  return flash
}

/** Flash bytes of a board whose firmware has a flipped bit. */
export async function damagedFirmware(): Promise<Uint8Array> {
  const image = wrapFirmware((await shimFirmware()).bytes).slice()
  image[1000]! ^= 0x10
  return image
}

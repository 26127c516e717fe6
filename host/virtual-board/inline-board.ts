import { BridgeError } from '../foundation/errors.js'
import type { ModemLines } from '../port/port.js'
import type { BoardOptions, BoardStats, InlineParts, VirtualBoard } from './board.js'
import { BoardPort, type BoardPortOptions } from './board-port.js'
import { frameSource } from './camera.js'
import { Chip } from './chip.js'
import { type Faults, parseFaults } from './faults.js'
import type { BoardParts } from './firmware-imports.js'
import { FlashFile } from './flash-file.js'
import { type KpuUnit, MeteredKpu } from './kpu-unit.js'
import { Ram } from './memory.js'
import { FLASH_TIMES, NorFlash } from './nor-flash.js'
import { BoardPins } from './pins.js'
import { seededRandom } from './random.js'
import { CameraSensor } from './sensor.js'
import { simulatedKpu } from './simulated-kpu.js'
import { BoardUart, Wire } from './uart.js'
import { UsbBridge } from './usb-bridge.js'
import { VirtualTime } from './virtual-time.js'

const FIRST_BAUD = 115_200
const POWER_OFF_US = 50_000

/** The board in this thread: wires, USB bridge, pins and the chip. Ports are on its virtual clock. */
export class InlineBoard implements VirtualBoard {
  private readonly time: VirtualTime
  private readonly faults: Faults
  private readonly flash: NorFlash
  private readonly toBoard: Wire
  private readonly toHost: Wire
  private readonly bridge: UsbBridge
  private readonly pins: BoardPins
  private readonly parts: BoardParts
  private readonly chip: Chip
  private file: FlashFile | undefined
  private openPort: BoardPort | undefined
  private isPlugged = true
  private resetHeld = false

  private constructor(options: BoardOptions & InlineParts, kpu: KpuUnit) {
    const seed = options.seed ?? 1
    const faults = parseFaults(options.faults ?? '')
    const time = new VirtualTime(options.pace)
    this.faults = faults
    this.time = time
    this.pins = new BoardPins(options.family ?? 'B', options.crossCoupled)
    this.toBoard = new Wire(time, {
      senderBaud: () => (this.openPort?.hasModemLines ? this.openPort.baud : this.parts.uart.baud),
      receiverBaud: () => this.parts.uart.baud,
      noise: faults,
      seed: faults.seed,
      deliver: (bytes) => this.parts.uart.receive(bytes),
      onSent: (count) => this.sentToBoard(count),
    })
    this.toHost = new Wire(time, {
      senderBaud: () => this.parts.uart.baud,
      receiverBaud: () => (this.openPort?.hasModemLines ? this.openPort.baud : this.parts.uart.baud),
      noise: faults,
      seed: faults.seed + 1,
      deliver: (bytes) => this.bridge.push(bytes),
      onSent: (count) => this.countBytes(count),
      stall: { us: faults.stall * 1000, everyBytes: faults.stallEvery },
    })
    this.bridge = new UsbBridge(time, {
      latencyUs: (options.turnRoundMs ?? 1) * 1000,
      split: faults.split,
      random: seededRandom(faults.seed + 2),
      deliver: (bytes) => this.openPort?.deliver(bytes),
    })
    this.flash = new NorFlash(() => time.nowUs, {
      times: FLASH_TIMES[options.flashTimes ?? 'typical'],
      slow: faults.slowFlash,
      id: faults.flashId,
      isProtected: faults.protection === 1,
      seed: faults.seed,
    })
    const sizes = { rxBytes: options.rxRingBytes ?? 16_384, txBytes: options.txRingBytes ?? 2048, baud: FIRST_BAUD }
    this.parts = {
      time,
      uart: new BoardUart(this.toHost, sizes),
      flash: this.flash,
      sensor: new CameraSensor(time, options.frames ?? frameSource(options.camera)),
      ram: new Ram(),
      kpu: new MeteredKpu(kpu),
    }
    this.chip = new Chip(this.parts, seed)
    this.flash.onOperation = (count, startUs, endUs) => this.cutPower(count, (startUs + endUs) / 2)
  }

  /**
   * Makes a board and switches it on.
   * @throws BridgeError `USAGE` for a bad fault list or scene, `FILE_READ` or `FILE_FORMAT` for the flash file
   */
  static async create(options: BoardOptions & InlineParts): Promise<InlineBoard> {
    const board = new InlineBoard(options, options.kpu ?? (await simulatedKpu()))
    if (options.flashImage) board.flash.bytes.set(options.flashImage)
    if (options.flashFile) board.file = await FlashFile.open(options.flashFile, board.flash)
    board.chip.release()
    return board
  }

  port(options: BoardPortOptions = {}): BoardPort {
    const where = { port: options.url ?? 'virtual:' }
    if (!this.isPlugged) throw new BridgeError('PORT_OPEN', { what: 'the virtual board is unplugged', where })
    if (this.openPort) throw new BridgeError('PORT_BUSY', { what: 'the virtual board has an open port', where })
    this.bridge.clear()
    this.openPort = new BoardPort(
      {
        time: this.time,
        toBoard: this.toBoard,
        setLines: (lines) => this.setLines(lines),
        released: () => this.releasePort(),
      },
      options,
    )
    return this.openPort
  }

  async reset(): Promise<void> {
    this.chip.halt('reset')
    if (!this.resetHeld) this.chip.release()
  }

  async powerCycle(): Promise<void> {
    this.chip.halt('off')
    this.time.after(POWER_OFF_US, () => {
      if (this.isPlugged && this.chip.state === 'off') this.chip.release()
    })
  }

  async unplug(): Promise<void> {
    if (!this.isPlugged) return
    this.isPlugged = false
    this.chip.halt('off')
    const port = this.openPort
    port?.end(
      new BridgeError('PORT_CLOSED', {
        what: 'the virtual board was unplugged',
        where: { port: port.url },
        fix: 'Plug the board in again.',
      }),
    )
  }

  async replug(): Promise<void> {
    if (this.isPlugged) return
    this.isPlugged = true
    this.chip.release()
  }

  async stats(): Promise<BoardStats> {
    const { time, chip, parts } = this
    return {
      state: chip.state,
      virtualMs: time.nowUs / 1000,
      wallMs: time.wallMs,
      lagMs: time.lagUs / 1000,
      boots: chip.boots,
      crash: chip.crash ?? '',
      failedBoot: chip.failedBoot ?? '',
      polls: chip.processor.polls,
      framesCaptured: parts.sensor.captured,
      kpuLayers: parts.kpu.layers,
      kpuMs: parts.kpu.chipMs,
      kpuWallMs: parts.kpu.wallMs,
      kpuRefusal: parts.kpu.refusal,
      bytesToBoard: this.toBoard.sentBytes,
      bytesToHost: this.toHost.sentBytes,
      rxOverruns: parts.uart.overruns,
      flashOperations: this.flash.operations,
      baud: parts.uart.baud,
    }
  }

  async readFlash(address: number, length: number): Promise<Uint8Array> {
    return this.flash.bytes.slice(address, address + length)
  }

  async writeFlash(address: number, bytes: Uint8Array): Promise<void> {
    this.flash.bytes.set(bytes, address)
    this.flash.onChange?.()
  }

  async close(): Promise<void> {
    this.openPort?.end()
    this.chip.halt('off')
    this.time.stop()
    await this.file?.close()
  }

  private setLines(lines: ModemLines): void {
    const pins = this.pins.set(lines)
    const released = this.resetHeld && !pins.resetHeld
    this.resetHeld = pins.resetHeld
    this.chip.setIo16(pins.io16Low)
    if (!this.isPlugged) return
    if (pins.resetHeld) this.chip.halt('reset')
    else if (released || pins.pulsed) {
      this.chip.halt('reset')
      this.chip.release()
    }
  }

  /** Closing drops both lines, as the operating system does (HUPCL); what was written but not sent is lost. */
  private releasePort(): void {
    if (this.openPort?.hasModemLines) this.setLines({ dtr: false, rts: false })
    this.toBoard.clear()
    this.bridge.clear()
    this.openPort = undefined
  }

  private sentToBoard(count: number): void {
    this.openPort?.sent()
    this.countBytes(count)
  }

  private countBytes(count: number): void {
    const { unplug } = this.faults
    const total = this.toBoard.sentBytes + this.toHost.sentBytes
    if (unplug > 0 && total >= unplug && total - count < unplug) void this.unplug()
  }

  private cutPower(count: number, atUs: number): void {
    if (count !== this.faults.powerCut) return
    this.time.schedule(atUs, () => void this.powerCycle())
  }
}

/** Makes a virtual board in this thread, see {@link InlineBoard.create}. */
export const createVirtualBoard = (options: BoardOptions & InlineParts = {}): Promise<VirtualBoard> =>
  InlineBoard.create(options)

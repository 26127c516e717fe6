import { readFileSync } from 'node:fs'
import { encodeFrame, type Frame, FrameReader, type Segment } from '../../protocol/index.js'

const FLASH_BYTES = 16 * 1024 * 1024

/** The least board that a firmware module runs on: instant flash and line, no camera, no KPU. */
export class FakeBoard {
  readonly flash = new Uint8Array(FLASH_BYTES).fill(0xff)
  readonly segments: Segment[] = []
  baud = 115_200
  rebooted: number | undefined
  nowUs = 0
  txSpace = 2048
  private toFirmware: number[] = []
  private readonly reader = new FrameReader()
  private readonly memory: WebAssembly.Memory
  private readonly pollFirmware: (nowUs: number) => number
  readonly kpuRam: number

  constructor(modulePath: string) {
    const module = new WebAssembly.Module(readFileSync(modulePath))
    const { exports } = new WebAssembly.Instance(module, { k210b: this.imports() })
    // The exports that the firmware ABI names; WebAssembly gives them no static type.
    this.memory = exports.memory as WebAssembly.Memory
    this.pollFirmware = exports.poll as (nowUs: number) => number
    const kpuRam = exports.kpu_ram as () => number
    const boot = exports.boot as () => void
    boot()
    this.kpuRam = kpuRam()
  }

  get memoryPages(): number {
    return this.memory.buffer.byteLength / 65_536
  }

  send(frame: Frame): void {
    this.toFirmware.push(...encodeFrame(frame))
  }

  sendBytes(bytes: Uint8Array): void {
    this.toFirmware.push(...bytes)
  }

  /** Polls every 100 us of virtual time. */
  run(us: number): void {
    for (const end = this.nowUs + us; this.nowUs < end; this.nowUs += 100) this.pollFirmware(this.nowUs | 0)
  }

  /** Frames that came since the last call. */
  frames(): Frame[] {
    return this.segments.splice(0).flatMap((segment) => (segment.kind === 'frame' ? [segment.frame] : []))
  }

  private bytes(pointer: number, length: number): Uint8Array {
    return new Uint8Array(this.memory.buffer, pointer, length)
  }

  private imports(): Record<string, (...args: number[]) => number> {
    return {
      uart_tx_space: () => this.txSpace,
      uart_tx: (pointer, length) => {
        this.segments.push(...this.reader.push(this.bytes(pointer!, length!).slice()))
        return length!
      },
      uart_tx_idle: () => 1,
      uart_rx: (pointer, capacity) => {
        const taken = this.toFirmware.splice(0, capacity)
        this.bytes(pointer!, taken.length).set(taken)
        return taken.length
      },
      uart_rx_overruns: () => 0,
      uart_set_baud: (baud) => {
        this.baud = baud!
        return 0
      },
      flash_read: (address, pointer, length) => {
        this.bytes(pointer!, length!).set(this.flash.subarray(address!, address! + length!))
        return 0
      },
      flash_erase: (address, size) => {
        this.flash.fill(0xff, address!, address! + size!)
        return 0
      },
      flash_program: (address, pointer, length) => {
        this.bytes(pointer!, length!).forEach((byte, i) => {
          this.flash[address! + i]! &= byte
        })
        return 0
      },
      flash_busy: () => 0,
      flash_id: () => 0xef4018,
      flash_status: () => 0,
      kpu_start: () => -15,
      kpu_done: () => 1,
      camera_start: () => -14,
      camera_done: () => 0,
      reboot: (target) => {
        this.rebooted = target
        return 0
      },
      boot_id: () => 7,
    }
  }
}

import type { QueuedEvent } from './event-queue.js'
import { type BoardParts, type FirmwareHost, firmwareImports } from './firmware-imports.js'
import { MEMORY } from './memory.js'
import { wasmModuleLength } from './wasm-image.js'

/** Time between polls of a firmware that is doing something. */
const BUSY_POLL_US = 100
/** Time between polls of a firmware that waits for input. */
const IDLE_POLL_US = 2000
/** A firmware that has called something with an effect counts as busy for so long. */
const BUSY_AFTER_ACTION_US = 20_000

const WASM_PAGE_BYTES = 65_536

/** What a firmware can ask of the board. */
export interface ProcessorEvents {
  /** Reset the chip; true = stay in the ROM's ISP mode. */
  onReboot(toRom: boolean): void
  /** Run what lies at a RAM address instead. */
  onExecute(address: number): void
  /** The program ended with a trap or cannot be run. */
  onCrash(reason: string): void
}

interface Firmware {
  readonly memory: WebAssembly.Memory
  readonly boot: () => void
  /** May return non-zero to be polled again soon. */
  readonly poll: (nowUs: number) => number | undefined
  readonly kpuRam: () => number
}

/**
 * The virtual CPU: executes a WebAssembly module where the chip executes RISC-V code. A module is loaded from RAM,
 * `boot()` runs once, then `poll(now_us)` whenever something finished or arrived, every 100 us while the firmware is
 * busy and every 2 ms otherwise. Instructions themselves take no virtual time.
 */
export class Processor {
  /** Polls since power up. */
  polls = 0

  private firmware: Firmware | undefined
  private pending: QueuedEvent | undefined
  private busyUntilUs = 0
  private generation = 0

  constructor(
    private readonly parts: BoardParts,
    private readonly events: ProcessorEvents,
  ) {}

  /** True between {@link start} and the end of the program. */
  get isRunning(): boolean {
    return this.firmware !== undefined
  }

  /**
   * Loads and starts the module at a RAM address.
   * @param bootId - number of this boot, as the firmware reports it
   */
  start(address: number, bootId: number): void {
    this.stop()
    const code = this.parts.ram.from(address)
    const length = code && wasmModuleLength(code)
    if (!code || !length) {
      this.events.onCrash('no WebAssembly module at the entry address; this virtual CPU runs no other code')
      return
    }
    this.guard(() => {
      this.firmware = this.load(code.slice(0, length), bootId)
      this.firmware.boot()
      this.wake()
    })
  }

  /** Stops the program (reset, power off). */
  stop(): void {
    this.generation++
    this.firmware = undefined
    this.parts.time.cancel(this.pending)
    this.pending = undefined
    this.busyUntilUs = 0
  }

  /** Polls the firmware as the next event. */
  wake(): void {
    if (this.firmware) this.scheduleAfter(0, false)
  }

  private load(code: Uint8Array, bootId: number): Firmware {
    const { generation } = this
    const isCurrent = () => generation === this.generation
    const host: FirmwareHost = {
      bootId,
      memory: () => new Uint8Array(this.firmware!.memory.buffer),
      kpuRam: () => this.kpuRam(),
      acted: () => {
        this.busyUntilUs = this.parts.time.nowUs + BUSY_AFTER_ACTION_US
      },
      wake: () => {
        if (isCurrent()) this.wake()
      },
      reboot: (target) => this.next(isCurrent, () => this.events.onReboot(target === 1)),
      execute: (address) => this.next(isCurrent, () => this.events.onExecute(address)),
    }
    const imports = { k210b: firmwareImports(this.parts, host) }
    const instance = new WebAssembly.Instance(new WebAssembly.Module(code), imports)
    return checkedExports(instance.exports)
  }

  /** What ends this program happens after the call that asks for it has returned. */
  private next(isCurrent: () => boolean, run: () => void): void {
    this.parts.time.after(0, () => {
      if (isCurrent()) run()
    })
  }

  private kpuRam(): Uint8Array | undefined {
    const address = this.firmware!.kpuRam() >>> 0
    return address === 0 ? undefined : new Uint8Array(this.firmware!.memory.buffer, address, MEMORY.kpuRamBytes)
  }

  private scheduleAfter(delayUs: number, idle: boolean): void {
    this.parts.time.cancel(this.pending)
    this.pending = this.parts.time.after(delayUs, () => this.poll(), idle)
  }

  private poll(): void {
    const { firmware } = this
    this.pending = undefined
    if (!firmware) return
    this.polls++
    this.guard(() => {
      const wantsMore = firmware.poll(this.parts.time.nowUs | 0)
      checkMemory(firmware.memory)
      if (this.firmware !== firmware || this.pending) return
      const busy = Boolean(wantsMore) || this.parts.time.nowUs < this.busyUntilUs || !this.parts.uart.txIdle
      this.scheduleAfter(busy ? BUSY_POLL_US : IDLE_POLL_US, !busy)
    })
  }

  private guard(run: () => void): void {
    try {
      run()
    } catch (error) {
      this.stop()
      this.events.onCrash(error instanceof Error ? error.message : String(error))
    }
  }
}

function checkedExports(exports: WebAssembly.Exports): Firmware {
  const { memory, boot, poll, kpu_ram: kpuRam } = exports
  if (!(memory instanceof WebAssembly.Memory) || typeof boot !== 'function' || typeof poll !== 'function') {
    throw new Error('the module does not export memory, boot and poll')
  }
  checkMemory(memory)
  return {
    memory,
    boot: boot as Firmware['boot'], // WebAssembly functions have no static type
    poll: poll as Firmware['poll'],
    kpuRam: typeof kpuRam === 'function' ? (kpuRam as Firmware['kpuRam']) : () => globalNumber(kpuRam),
  }
}

const globalNumber = (value: unknown): number =>
  value instanceof WebAssembly.Global && typeof value.value === 'number' ? value.value : 0

function checkMemory(memory: WebAssembly.Memory): void {
  const pages = memory.buffer.byteLength / WASM_PAGE_BYTES
  if (pages > MEMORY.wasmPages) throw new Error(`the module takes ${pages} pages of memory; the chip has 128`)
}

import { checkBootImage } from './boot-image.js'
import { BootRom } from './boot-rom.js'
import type { BoardParts } from './firmware-imports.js'
import { MEMORY } from './memory.js'
import { Processor } from './processor.js'
import { seededRandom } from './random.js'

/**
 * What the chip is doing: no power, held in reset, the ROM's ISP mode, the ROM reading the flash, a program, or a
 * program that trapped (silent until the next reset).
 */
export type ChipState = 'off' | 'reset' | 'rom' | 'booting' | 'running' | 'crashed'

/** Time from the release of RESET until the ROM samples IO16; not documented, long enough for two USB requests. */
const SAMPLE_DELAY_US = 5000
/** Estimate of the ROM's flash reading: start-up and microseconds a byte. */
const BOOT_US = { start: 20_000, perByte: 0.25 } as const

/** Boot ROM, processor and memories of one K210 behind its pins. */
export class Chip {
  state: ChipState = 'off'
  /** Boots of a program since the board was made. */
  boots = 0
  /** Why the last program ended, if it trapped. */
  crash: string | undefined
  /** Why the ROM refused the flash's image at the last boot. */
  failedBoot: string | undefined
  readonly processor: Processor

  private readonly rom: BootRom
  private io16Low = false
  private generation = 0

  /**
   * @param parts - peripherals and memories
   * @param seed - of the boot ids
   */
  constructor(
    private readonly parts: BoardParts,
    private readonly seed: number,
  ) {
    const { uart, ram } = parts
    this.rom = new BootRom({
      ram,
      send: (bytes) => uart.transmit(bytes),
      setBaud: (baud) => {
        uart.baud = baud
      },
      boot: (address) => this.run(address),
    })
    this.processor = new Processor(parts, {
      onReboot: (toRom) => this.reboot(toRom),
      onExecute: (address) => this.run(address),
      onCrash: (reason) => this.trap(reason),
    })
    uart.onReceive = () => this.receive()
  }

  /** Level of the IO16 pin, sampled some time after a reset. */
  setIo16(low: boolean): void {
    this.io16Low = low
  }

  /** RESET goes low, or power goes away. */
  halt(state: 'reset' | 'off'): void {
    const { uart, sensor, flash, ram } = this.parts
    this.generation++
    this.processor.stop()
    sensor.stop()
    uart.reset()
    if (state === 'off') {
      flash.losePower()
      ram.clear()
    }
    this.state = state
  }

  /** RESET is released: the ROM samples IO16 and goes on. */
  release(): void {
    this.state = 'reset'
    this.later(SAMPLE_DELAY_US, () => (this.io16Low ? this.enterIsp() : this.bootFromFlash()))
  }

  private reboot(toRom: boolean): void {
    this.halt('reset')
    if (toRom) this.later(SAMPLE_DELAY_US, () => this.enterIsp())
    else this.release()
  }

  private enterIsp(): void {
    this.state = 'rom'
    this.rom.enter()
  }

  private bootFromFlash(): void {
    this.state = 'booting'
    const check = checkBootImage(this.parts.flash.bytes, MEMORY.maxPayloadBytes)
    const bytes = check.ok ? check.payload.length : 0
    this.later(BOOT_US.start + bytes * BOOT_US.perByte, () => {
      this.failedBoot = check.ok ? undefined : check.reason
      if (check.ok) {
        this.parts.ram.clear() // so that nothing of an older program stands behind the module
        this.parts.ram.write(MEMORY.ramBase, check.payload)
        this.run(MEMORY.ramBase)
      } else {
        this.enterIsp()
        this.rom.reportFailedBoot(check.reason)
      }
    })
  }

  /** Enters a program in RAM; every program finds the UART at its first rate. */
  private run(address: number): void {
    this.boots++
    this.crash = undefined
    this.state = 'running'
    this.parts.uart.baud = this.parts.uart.firstBaud
    this.processor.start(address, seededRandom(this.seed + this.boots).below(2 ** 32))
  }

  private trap(reason: string): void {
    this.crash = reason
    this.state = 'crashed'
    this.parts.uart.transmit(new TextEncoder().encode(`\r\ncore dump: ${reason}\r\n`))
  }

  private receive(): void {
    if (this.state === 'running') {
      this.processor.wake()
      return
    }
    const bytes = this.parts.uart.take(Number.POSITIVE_INFINITY)
    if (this.state === 'rom') this.rom.receive(bytes)
  }

  private later(delayUs: number, run: () => void): void {
    const { generation } = this
    this.parts.time.after(delayUs, () => {
      if (generation === this.generation) run()
    })
  }
}

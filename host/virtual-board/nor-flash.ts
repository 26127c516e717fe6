import { STATUS } from '../../protocol/status.js'
import { type Random, seededRandom } from './random.js'

/** Busy times in microseconds. Source: W25Q128 class, isp.md 4.5. */
export interface FlashTimes {
  readonly pageUs: number
  readonly sectorUs: number
  readonly blockUs: number
}

/** Typical and worst times of the data sheet; `--faults slowFlash=` multiplies them. */
export const FLASH_TIMES: Readonly<Record<'typical' | 'worst', FlashTimes>> = {
  typical: { pageUs: 400, sectorUs: 45_000, blockUs: 150_000 },
  worst: { pageUs: 3000, sectorUs: 400_000, blockUs: 2_000_000 },
}

/** Sizes of the chip. */
export const FLASH_SIZES = { chip: 16 * 1024 * 1024, page: 256, sector: 4096, block: 65_536 } as const

/** Status register 2 with QE set, as Maix modules come. */
const QUAD_ENABLED = 0x02 << 8
/** Status register 1: block protection bits BP0..BP2. */
const PROTECTION_BITS = 0x1c

/** Options of a flash chip. */
export interface NorFlashOptions {
  readonly times?: FlashTimes
  /** Factor on the times; default 1. */
  readonly slow?: number
  /** JEDEC id; default 0xEF4018. */
  readonly id?: number
  /** Protection bits set: erase and program look normal but do nothing. */
  readonly isProtected?: boolean
  readonly seed?: number
}

interface Operation {
  readonly address: number
  readonly before: Uint8Array
  readonly startUs: number
  readonly endUs: number
}

/**
 * A 16 MiB serial NOR flash: erased bytes are 0xFF, programming only clears bits, page programs wrap inside 256 bytes,
 * operations take time, and power loss in the middle of one leaves a half done page or an undefined sector.
 */
export class NorFlash {
  readonly bytes = new Uint8Array(FLASH_SIZES.chip).fill(0xff)
  readonly id: number
  /** Operations started so far. */
  operations = 0
  /** Called after each change of the content with its number of bytes. */
  onChange: (() => void) | undefined
  /** Called when an operation starts. */
  onOperation: ((count: number, startUs: number, endUs: number) => void) | undefined

  private readonly times: FlashTimes
  private readonly slow: number
  private readonly statusBits: number
  private readonly random: Random
  private running: Operation | undefined

  /**
   * @param nowUs - virtual time
   * @param options - times and deviations
   */
  constructor(
    private readonly nowUs: () => number,
    options: NorFlashOptions = {},
  ) {
    this.times = options.times ?? FLASH_TIMES.typical
    this.slow = options.slow ?? 1
    this.id = options.id ?? 0xef4018
    this.statusBits = QUAD_ENABLED | (options.isProtected ? PROTECTION_BITS : 0)
    this.random = seededRandom(options.seed ?? 1)
  }

  /** Time at which the running operation ends; undefined when the chip is ready. */
  get busyUntilUs(): number | undefined {
    return this.running && this.running.endUs > this.nowUs() ? this.running.endUs : undefined
  }

  /** Status registers 1 | 2 << 8 | 3 << 16. */
  get status(): number {
    return this.statusBits | (this.busyUntilUs === undefined ? 0 : 1)
  }

  /** Copies bytes out. @returns 0 or a negative status */
  read(address: number, target: Uint8Array): number {
    if (this.busyUntilUs !== undefined) return -STATUS.BUSY.code
    if (address + target.length > this.bytes.length) return -STATUS.RANGE.code
    target.set(this.bytes.subarray(address, address + target.length))
    return 0
  }

  /** Starts to erase 4 KiB or 64 KiB. @returns 0 or a negative status */
  erase(address: number, size: number): number {
    if (this.busyUntilUs !== undefined) return -STATUS.BUSY.code
    const isUnit = size === FLASH_SIZES.sector || size === FLASH_SIZES.block
    if (!isUnit || address % size !== 0 || address + size > this.bytes.length) return -STATUS.RANGE.code
    const durationUs = size === FLASH_SIZES.sector ? this.times.sectorUs : this.times.blockUs
    this.begin(address, size, durationUs, (target) => target.fill(0xff))
    return 0
  }

  /** Starts to program up to 256 bytes; what passes the end of the page wraps to its start. */
  program(address: number, data: Uint8Array): number {
    if (this.busyUntilUs !== undefined) return -STATUS.BUSY.code
    if (data.length === 0 || data.length > FLASH_SIZES.page || address >= this.bytes.length) return -STATUS.RANGE.code
    const start = address - (address % FLASH_SIZES.page)
    this.begin(start, FLASH_SIZES.page, this.times.pageUs, (page) => {
      data.forEach((byte, i) => {
        page[(address - start + i) % FLASH_SIZES.page]! &= byte
      })
    })
    return 0
  }

  /** Power is lost now: a running operation leaves its unit half done, the rest of the chip is untouched. */
  losePower(): void {
    const { running } = this
    this.running = undefined
    if (!running || running.endUs <= this.nowUs()) return
    const share = (this.nowUs() - running.startUs) / (running.endUs - running.startUs)
    const after = this.bytes.subarray(running.address, running.address + running.before.length)
    for (let i = 0; i < after.length; i++) after[i] = this.halfDone(running.before[i]!, after[i]!, share)
    this.onChange?.()
  }

  private begin(address: number, size: number, durationUs: number, change: (target: Uint8Array) => void): void {
    const startUs = this.nowUs()
    const target = this.bytes.subarray(address, address + size)
    this.running = { address, before: target.slice(), startUs, endUs: startUs + durationUs * this.slow }
    if ((this.statusBits & PROTECTION_BITS) === 0) change(target)
    this.operations++
    this.onOperation?.(this.operations, startUs, this.running.endUs)
    this.onChange?.()
  }

  /** Each bit that was to change has done so with the probability of the time that passed. */
  private halfDone(before: number, after: number, share: number): number {
    let changed = 0
    for (let bit = 1; bit < 256; bit <<= 1) if (this.random.next() < share) changed |= bit
    return (before & ~changed) | (after & changed)
  }
}

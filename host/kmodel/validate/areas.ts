import type { Report } from './report.js'

/** memory_range as this validator reads it. */
export interface Range {
  /** 0 const, 1 main, 2 KPU RAM. */
  readonly memory: number
  /** 0 float32, 1 uint8. */
  readonly type: number
  readonly start: number
  readonly bytes: number
}

const KPU_ROW = 64
const KPU_ROWS = 32_768
/** Main memory beyond this is no K210 model and is not tracked. */
const MOST_MAIN = 8 << 20
const NEVER = -1
const CLOBBERED = -2

/** A producer of a map or tensor. */
interface Producer {
  readonly start: number
  readonly bytes: number
  readonly streamed: boolean
}

/**
 * Who wrote each byte of main memory and each row of KPU RAM last. A reader must find its whole operand as one producer
 * left it: so no live map was overwritten.
 */
export class Areas {
  private readonly main: Int32Array
  private readonly rows = new Int32Array(KPU_ROWS).fill(NEVER)
  private readonly producers: Producer[] = []

  constructor(
    private readonly report: Report,
    readonly mainBytes: number,
    readonly constantBytes: number,
  ) {
    report.want(mainBytes <= MOST_MAIN, 'main-memory', () => `working memory of ${mainBytes} bytes; the chip has 6 MiB`)
    this.main = new Int32Array(Math.min(mainBytes, MOST_MAIN)).fill(NEVER)
  }

  /** Checks that a range lies in its area and is aligned. */
  inside(range: Range, name: string): boolean {
    const size = range.memory === 0 ? this.constantBytes : range.memory === 1 ? this.main.length : KPU_ROWS * KPU_ROW
    const unit = range.memory === 2 ? KPU_ROW : 8
    this.report.want(
      range.start % unit === 0,
      'alignment',
      () => `${name} starts at ${range.start}, no multiple of ${unit}`,
    )
    this.report.want(range.type <= 1 && range.memory <= 2, 'shape', () => `${name} has an unknown memory or data type`)
    const rule = range.memory === 2 ? 'kpu-ram' : 'main-memory'
    return this.report.want(
      range.start + range.bytes <= size,
      rule,
      () => `${name} ends at ${range.start + range.bytes} of ${size}`,
    )
  }

  /** An operand in constants or main memory. */
  read(range: Range, name: string): void {
    if (!this.inside(range, name) || range.memory !== 1) return
    this.intact(this.main, range.start, range.bytes, `${name} (main memory ${range.start}, ${range.bytes} bytes)`)
  }

  /** A result in main memory; `clobbered` more bytes behind it may be overwritten by DMA. */
  write(range: Range, name: string, clobbered = 0): void {
    this.report.want(range.memory === 1, 'main-memory', () => `${name} is not in main memory`)
    if (range.memory !== 1 || !this.inside(range, name)) return
    const end = range.start + range.bytes
    this.report.want(end + clobbered <= this.main.length, 'main-memory', () => `DMA behind ${name} leaves main memory`)
    this.main.fill(this.produce(range.start, range.bytes, false), range.start, end)
    this.main.fill(CLOBBERED, end, end + clobbered)
  }

  /** A map in KPU RAM, rows. */
  readMap(row: number, rows: number): void {
    const name = `input map at KPU row ${row}, ${rows} rows`
    if (!this.rowsInside(row, rows, name)) return
    const producer = this.intact(this.rows, row, rows, name)
    if (!producer?.streamed) return
    this.report.want(false, 'streamed-read', () => `${name} was streamed out: KPU RAM may not hold it on every runtime`)
  }

  /** A map in KPU RAM, rows. `streamed`: some runtimes send it to main memory instead. */
  writeMap(row: number, rows: number, streamed: boolean): void {
    if (!this.rowsInside(row, rows, `output map at KPU row ${row}, ${rows} rows`)) return
    this.rows.fill(this.produce(row, rows, streamed), row, row + rows)
  }

  private rowsInside(row: number, rows: number, name: string): boolean {
    return this.report.want(row + rows <= KPU_ROWS, 'kpu-ram', () => `${name} ends at row ${row + rows} of ${KPU_ROWS}`)
  }

  private produce(start: number, bytes: number, streamed: boolean): number {
    return this.producers.push({ start, bytes, streamed }) - 1
  }

  private intact(area: Int32Array, start: number, length: number, name: string): Producer | undefined {
    const owner = area[start] ?? NEVER
    let same = start
    while (same < start + length && area[same] === owner) same++
    const whole = same === start + length && owner >= 0
    const producer = this.producers[owner]
    const found =
      owner === NEVER ? 'nothing was written there' : `it was overwritten or is a part of something else at ${same}`
    const matches = whole && producer?.start === start && producer.bytes >= length
    this.report.want(matches, 'lifetime', () => `${name}: ${found}`)
    return producer
  }
}

/** Whether two pieces of the same area share a byte. */
export const overlaps = (a: Range, b: Range): boolean =>
  a.memory === b.memory && a.start < b.start + b.bytes && b.start < a.start + a.bytes && a.bytes > 0 && b.bytes > 0

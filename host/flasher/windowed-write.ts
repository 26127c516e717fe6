import { FLASH_SECTOR, ISP_COMMANDS, ISP_RESULTS, SESSION_SECTORS } from '../../protocol/isp/commands.js'
import { encodeIspPacket } from '../../protocol/isp/packet.js'
import { decodeFields, encodeFields, WRITE_OPEN_FIELDS, WRITE_STATUS_FIELDS } from '../../protocol/isp/payloads.js'
import { BridgeError } from '../foundation/errors.js'
import { toAddress } from '../foundation/hex.js'
import { type IspSession, wireMs } from './isp-session.js'

/** Sectors of one stretch of flash that are to be written. */
export interface WindowedWrite {
  /** Flash address of sector 0. */
  readonly address: number
  /** Sectors of the stretch, 1..512. */
  readonly count: number
  /** Sector numbers in the order of sending. */
  readonly order: readonly number[]
  /** Content of a sector. */
  readonly sector: (index: number) => Uint8Array
  /** True for a sector that is blank on the board now, so that it needs no erase and stands in no large erase's way. */
  readonly isBlank: (index: number) => boolean
  /** Called with sectors programmed since the last call. */
  readonly advance: (sectors: number) => void
}

const SILENCE_MS = 250
const MAX_SILENCES = 8

const hasBit = (bitmap: Uint8Array, bit: number): boolean => ((bitmap[bit >> 3] ?? 0) & (1 << (bit & 7))) !== 0

/**
 * Writes sectors through our stub with many of them under way: what the stub's status does not list as arrived though
 * a later one is, was lost and is sent again. The stub erases and programs meanwhile.
 * @throws BridgeError `FLASH_REPLY` when the stub falls silent or the flash refuses
 */
export async function writeWindowed(session: IspSession, work: WindowedWrite): Promise<{ resent: number }> {
  const sender = new Sender(session, work)
  try {
    await sender.open()
    await sender.run()
  } finally {
    sender.stop()
  }
  return { resent: sender.resent }
}

class Sender {
  resent = 0
  readonly #session: IspSession
  readonly #work: WindowedWrite
  readonly #tag: number
  /** Sectors to be sent, next one last. */
  readonly #queue: number[]
  /** Sectors under way, with the number of their sending. */
  readonly #underWay = new Map<number, number>()
  readonly #arrived = new Set<number>()
  #sendings = 0
  #newestArrived = -1
  #free = 0
  #programmed = 0
  #failed = false
  #end: BridgeError | undefined
  #wake: (() => void) | undefined
  #stop: (() => void)[]

  constructor(session: IspSession, work: WindowedWrite) {
    this.#session = session
    this.#work = work
    this.#tag = session.nextTag()
    this.#queue = [...work.order].reverse()
    this.#stop = [
      session.onPacket((packet) => {
        if (packet.op !== ISP_COMMANDS.writeStatus.op || packet.tag !== this.#tag) return
        this.#takeStatus(packet.address, packet.data)
        this.#wake?.()
      }),
      session.onEnd((reason) => {
        this.#end = reason
        this.#wake?.()
      }),
    ]
  }

  stop(): void {
    for (const stop of this.#stop) stop()
  }

  async open(): Promise<void> {
    const { count, order, isBlank, address } = this.#work
    const bitmapBytes = Math.ceil(count / 8)
    const bitmaps = new Uint8Array(2 * bitmapBytes)
    for (const index of order) bitmaps[index >> 3]! |= 1 << (index & 7)
    for (let i = 0; i < count; i++) if (isBlank(i)) bitmaps[bitmapBytes + (i >> 3)]! |= 1 << (i & 7)
    const data = encodeFields(WRITE_OPEN_FIELDS, { count, reserved: 0, bitmaps })
    const packet = encodeIspPacket({ op: ISP_COMMANDS.writeOpen.op, tag: this.#tag, address, data })
    for (let attempt = 0; attempt < MAX_SILENCES; attempt++) {
      await this.#session.send(packet)
      if (await this.#statusOrSilence()) return this.#checkFailure()
    }
    throw this.#silent()
  }

  async run(): Promise<void> {
    const total = this.#work.order.length
    let silences = 0
    while (this.#programmed < total) {
      this.#checkFailure()
      if (this.#queue.length > 0 && this.#underWay.size < this.#free) {
        await this.#sendNext()
      } else if (await this.#statusOrSilence()) {
        silences = 0
      } else if (++silences > MAX_SILENCES) {
        throw this.#silent()
      } else {
        await this.#ask()
      }
    }
  }

  async #sendNext(): Promise<void> {
    const index = this.#queue.pop()!
    if (this.#arrived.has(index)) return
    this.#underWay.set(index, this.#sendings++)
    const data = this.#work.sector(index)
    const { op } = ISP_COMMANDS.writeSector
    await this.#session.send(encodeIspPacket({ op, tag: this.#tag, address: index, data }))
  }

  /** Nothing was heard for a while: asks for the status; what it does not list then is lost. */
  async #ask(): Promise<void> {
    await this.#session.port.drain()
    await this.#session.send(encodeIspPacket({ op: ISP_COMMANDS.writeStatus.op, tag: this.#tag }))
    if (await this.#statusOrSilence()) this.#resendBefore(Number.POSITIVE_INFINITY)
  }

  /** Waits for the next status; false after silence. */
  #statusOrSilence(): Promise<boolean> {
    const timeoutMs = SILENCE_MS + wireMs(3 * FLASH_SECTOR, this.#session.port.baud)
    return new Promise((resolve) => {
      const end = (heard: boolean) => {
        timer.cancel()
        this.#wake = undefined
        resolve(heard)
      }
      const timer = this.#session.port.clock.timer(timeoutMs, () => end(false))
      this.#wake = () => end(true)
      if (this.#end) end(true)
    })
  }

  #takeStatus(result: number, bytes: Uint8Array): void {
    if (result !== ISP_RESULTS.ok.code) this.#failed = true
    const status = decodeFields(WRITE_STATUS_FIELDS, bytes)
    if (status === undefined) return
    this.#free = status.freeSectors
    for (const [index, sending] of this.#underWay) {
      if (!hasBit(status.bitmap, index)) continue
      this.#underWay.delete(index)
      this.#arrived.add(index)
      this.#newestArrived = Math.max(this.#newestArrived, sending)
    }
    this.#resendBefore(this.#newestArrived)
    this.#work.advance(Math.max(0, status.programmed - this.#programmed))
    this.#programmed = Math.max(this.#programmed, status.programmed)
  }

  /** The line keeps the order: what was sent before something that arrived and has not arrived itself is lost. */
  #resendBefore(sending: number): void {
    for (const [index, own] of this.#underWay) {
      if (own >= sending) continue
      this.#underWay.delete(index)
      this.#queue.push(index)
      this.resent++
    }
  }

  #checkFailure(): void {
    if (this.#end) throw this.#end
    if (!this.#failed) return
    throw new BridgeError('FLASH_REPLY', {
      what: 'the flash chip refused an erase or a page',
      where: this.#place(),
      fix: 'Reset the board and flash again; if it stays, the chip is damaged or protected.',
    })
  }

  #silent(): BridgeError {
    return new BridgeError('FLASH_REPLY', {
      what: `the flash stub fell silent while writing (${MAX_SILENCES} questions unanswered)`,
      where: this.#place(),
      fix: 'Check power and cable, then flash again: what is written already is skipped. A lower --baud may help.',
    })
  }

  #place(): Record<string, string | number> {
    const { port } = this.#session
    return { port: port.url, address: toAddress(this.#work.address), baud: port.baud, programmed: this.#programmed }
  }
}

/** Most sectors of one {@link WindowedWrite}. */
export const MAX_WINDOWED_SECTORS = SESSION_SECTORS

import { SlipReader, slipEncode } from '../../protocol/framing/slip.js'
import {
  describeResult,
  ISP_COMMANDS,
  ISP_RESULTS,
  type IspCommandName,
  OP_DEBUG_TEXT,
} from '../../protocol/isp/commands.js'
import { decodeIspPacket, decodeIspReply, encodeIspPacket, type IspPacket } from '../../protocol/isp/packet.js'
import { sleep } from '../foundation/clock.js'
import { BridgeError } from '../foundation/errors.js'
import { toAddress } from '../foundation/hex.js'
import type { Port, Unsubscribe } from '../port/port.js'

/** What the host puts into one request. */
export interface IspRequest {
  readonly address?: number
  /** The length word where it is an argument (erase). */
  readonly length?: number
  readonly data?: Uint8Array
}

/** How long and how often one request is tried. */
export interface IspPatience {
  /** Time that the board may need for the work itself; the wire's time is added. */
  readonly workMs?: number
  /** Times the request is sent in all; default 5. */
  readonly attempts?: number
}

/** Counters of one session, for the report and the fix texts. */
export interface IspStatistics {
  /** Requests sent again, after silence or a wrong checksum. */
  retries: number
  /** Frames that were no valid reply. */
  noiseFrames: number
  receivedBytes: number
}

const REPLY_BYTES = 8300 // the longest reply: 4 KiB of data, every byte escaped
const SHORT_REPLY_MS = 300
const CONSOLE_LIMIT = 400
const ATTEMPTS = 5

/** Milliseconds that `bytes` need on the wire at 8N1. */
export function wireMs(bytes: number, baud: number): number {
  return (bytes * 10_000) / baud
}

/**
 * Requests and replies with the boot ROM or a flash stub on one port. Noise and console text between frames are
 * counted and kept, never an error. Time comes from the port's clock.
 */
export class IspSession {
  readonly port: Port
  readonly statistics: IspStatistics = { retries: 0, noiseFrames: 0, receivedBytes: 0 }
  #signal: AbortSignal | undefined
  #reader = new SlipReader()
  #listeners = new Set<(frame: Uint8Array) => void>()
  #stop: Unsubscribe[]
  #consoleText = ''
  #tag = 0
  #closed: BridgeError | undefined
  #closeListeners = new Set<(reason: BridgeError) => void>()

  /** @param signal - rejects the request in flight with `CANCELLED` */
  constructor(port: Port, signal?: AbortSignal) {
    this.port = port
    this.#signal = signal
    this.#stop = [port.onData((bytes) => this.#receive(bytes)), port.onClose((reason) => this.#close(reason))]
    const abort = () => this.#close(new BridgeError('CANCELLED', { what: 'flashing was cancelled' }))
    signal?.addEventListener('abort', abort, { once: true })
    this.#stop.push(() => signal?.removeEventListener('abort', abort))
    if (signal?.aborted) abort()
  }

  /** Lets go of the port, which stays open. */
  dispose(): void {
    for (const stop of this.#stop) stop()
    this.#listeners.clear()
  }

  /** The latest text that was no frame: console output of running firmware or the ROM, at most 400 characters. */
  get consoleText(): string {
    return this.#consoleText
  }

  /** Forgets half frames and console text, for example after a reset. */
  flush(): void {
    this.#reader.reset()
    this.#consoleText = ''
  }

  /** Waits on the port's clock. @throws BridgeError `CANCELLED` */
  async sleep(ms: number): Promise<void> {
    this.#check()
    await sleep(this.port.clock, ms, this.#signal).catch(() => this.#check())
    this.#check()
  }

  /** Changes the host's rate and drops what is half received. */
  async setBaud(baud: number): Promise<void> {
    await this.port.drain()
    if (this.port.baud !== baud) await this.port.setBaud(baud)
    this.#reader.reset()
  }

  /** Sends one packet, unanswered. */
  async send(packet: Uint8Array): Promise<void> {
    this.#check()
    await this.port.write(slipEncode(packet))
  }

  /** A tag that no request in flight has. */
  nextTag(): number {
    this.#tag = (this.#tag + 1) & 0xffff
    return this.#tag
  }

  /** Hears every reply packet of our stub with a right checksum. */
  onPacket(listener: (packet: IspPacket) => void): Unsubscribe {
    return this.onFrame((frame) => {
      const packet = decodeIspPacket(frame)
      if (typeof packet !== 'string') listener(packet)
    })
  }

  /** Hears every SLIP frame. */
  onFrame(listener: (frame: Uint8Array) => void): Unsubscribe {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** Calls back once when the port closes or the work is cancelled. */
  onEnd(listener: (reason: BridgeError) => void): Unsubscribe {
    if (this.#closed) listener(this.#closed)
    this.#closeListeners.add(listener)
    return () => this.#closeListeners.delete(listener)
  }

  /**
   * Sends `packet` once and waits for a frame that `match` accepts.
   * @returns undefined when `timeoutMs` pass in silence
   */
  exchange<T>(
    packet: Uint8Array,
    match: (frame: Uint8Array) => T | undefined,
    timeoutMs: number,
  ): Promise<T | undefined> {
    return new Promise((resolve, reject) => {
      const stops: Unsubscribe[] = []
      const end = (act: () => void) => {
        for (const stop of stops) stop()
        act()
      }
      const timer = this.port.clock.timer(timeoutMs, () => end(() => resolve(undefined)))
      stops.push(() => timer.cancel())
      stops.push(
        this.onFrame((frame) => {
          const found = match(frame)
          if (found !== undefined) end(() => resolve(found))
        }),
      )
      stops.push(this.onEnd((reason) => end(() => reject(reason))))
      if (!this.#closed) this.send(packet).catch((error: unknown) => end(() => reject(error)))
    })
  }

  /**
   * One classic request with a short reply: repeated unchanged on silence and on a wrong checksum, so that a repeat
   * never writes to another place.
   * @throws BridgeError `FLASH_REPLY` when the board refuses or stays silent
   */
  async request(name: IspCommandName, request: IspRequest = {}, patience: IspPatience = {}): Promise<void> {
    const { op } = ISP_COMMANDS[name]
    const packet = encodeIspPacket({ op, ...request })
    const result = await this.#repeat(packet, patience, REPLY_BYTES / 100, (frame) => {
      const reply = decodeIspReply(frame)
      return reply?.op === op && reply.text.length === 0 ? { result: reply.result, value: undefined } : undefined
    })
    if (result === undefined) throw this.#silence(name, request, patience)
    if (result.result !== ISP_RESULTS.ok.code && result.result !== ISP_RESULTS.default.code) {
      throw this.#refusal(name, request, result.result)
    }
  }

  /**
   * One request to our stub with a reply packet; request and reply are matched by tag.
   * @returns the reply's data
   * @throws BridgeError `FLASH_REPLY` when the stub refuses or stays silent
   */
  async requestPacket(name: IspCommandName, request: IspRequest = {}, patience: IspPatience = {}): Promise<Uint8Array> {
    const { op } = ISP_COMMANDS[name]
    const tag = this.nextTag()
    const packet = encodeIspPacket({ op, tag, ...request })
    const result = await this.#repeat(packet, patience, REPLY_BYTES, (frame) => {
      const reply = decodeIspPacket(frame)
      if (typeof reply === 'string' || reply.op !== op || reply.tag !== tag) return undefined
      return { result: reply.address, value: reply.data.slice() }
    })
    if (result === undefined) throw this.#silence(name, request, patience)
    if (result.result !== ISP_RESULTS.ok.code) throw this.#refusal(name, request, result.result)
    return result.value
  }

  async #repeat<T>(
    packet: Uint8Array,
    patience: IspPatience,
    replyBytes: number,
    match: (frame: Uint8Array) => { result: number; value: T } | undefined,
  ): Promise<{ result: number; value: T } | undefined> {
    const attempts = patience.attempts ?? ATTEMPTS
    const wire = wireMs(packet.length * 2 + replyBytes, this.port.baud)
    let answered: { result: number; value: T } | undefined
    for (let attempt = 0; attempt < attempts; attempt++) {
      if (attempt > 0) this.statistics.retries++
      answered = await this.exchange(packet, match, wire + SHORT_REPLY_MS + (patience.workMs ?? 0))
      if (answered !== undefined && answered.result !== ISP_RESULTS.badChecksum.code) {
        // Short replies carry no number: a late one of an earlier attempt must not answer the next request.
        if (attempt > 0) await this.sleep(SHORT_REPLY_MS)
        return answered
      }
    }
    return answered
  }

  #receive(bytes: Uint8Array): void {
    this.statistics.receivedBytes += bytes.length
    for (const frame of this.#reader.push(bytes)) {
      if (frame[0] === OP_DEBUG_TEXT) this.#keepText(frame.subarray(2))
      else if (isText(frame)) this.#keepText(frame)
      for (const listener of [...this.#listeners]) listener(frame)
    }
    if (isText(bytes)) this.#keepText(bytes)
  }

  #keepText(bytes: Uint8Array): void {
    if (!isText(bytes)) return
    this.#consoleText = (this.#consoleText + Buffer.from(bytes).toString('latin1')).slice(-CONSOLE_LIMIT)
  }

  #close(reason?: BridgeError): void {
    if (this.#closed) return
    this.#closed = reason ?? new BridgeError('PORT_CLOSED', { what: 'the port closed', where: { port: this.port.url } })
    for (const listener of [...this.#closeListeners]) listener(this.#closed)
  }

  #check(): void {
    if (this.#closed) throw this.#closed
  }

  #place(name: IspCommandName, request: IspRequest): Record<string, string | number> {
    return { port: this.port.url, command: name, address: toAddress(request.address ?? 0), baud: this.port.baud }
  }

  #silence(name: IspCommandName, request: IspRequest, patience: IspPatience): BridgeError {
    return new BridgeError('FLASH_REPLY', {
      what: `no answer to ${name} after ${patience.attempts ?? ATTEMPTS} attempts`,
      where: this.#place(name, request),
      fix: 'Try a lower --baud, another cable or USB port, and close other programs that use the port.',
    })
  }

  #refusal(name: IspCommandName, request: IspRequest, result: number): BridgeError {
    return new BridgeError('FLASH_REPLY', {
      what: `the board answered ${name} with ${describeResult(result)}`,
      where: this.#place(name, request),
      fix: 'Try a lower --baud; if it stays, reset the board and try again.',
    })
  }
}

/** True for bytes that are printable text with line ends. */
function isText(bytes: Uint8Array): boolean {
  return (
    bytes.length > 0 && bytes.every((byte) => (byte >= 32 && byte < 127) || byte === 10 || byte === 13 || byte === 9)
  )
}

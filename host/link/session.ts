import {
  decode,
  encode,
  encodeFrame,
  type Fields,
  type Frame,
  frameWireBytes,
  type HelloAnswer,
  hello,
  type Message,
  PAYLOAD,
  PROTOCOL_VERSION,
  ping,
  type RequestMessage,
  readSegment,
  STATUS,
  type Values,
} from '../../protocol/index.js'
import { BridgeError } from '../foundation/errors.js'
import { type Logger, silentLogger } from '../foundation/logger.js'
import type { Port, Unsubscribe } from '../port/port.js'
import { splitSegments } from '../port/segments.js'
import { ClockOffset } from './clock-offset.js'
import { type DatagramInfo, Datagrams } from './datagrams.js'
import { lostError, refusedError, refusedStatus } from './link-errors.js'
import type { LinkEvent, LinkOptions, LinkState, LinkStatistics, PingResult } from './link-types.js'
import { type RequestOptions, RequestTable } from './request-table.js'
import { RoundTrip, wireMs } from './round-trip.js'
import { SendGate } from './send-gate.js'
import { SilenceWatch } from './silence-watch.js'

/** What the host can take is not limited in practice: the largest budget that the header holds. */
const HOST_BUDGET_BYTES = 0xffff * 16
const OPENING_PINGS = 3
/** Answers of the board may stand behind one picture fragment and another answer. */
const FRAMES_AHEAD = 2

/** One session with the shim. It does not own the port: closing the session leaves the port open. */
export class LinkSession {
  readonly gate = new SendGate()
  readonly #options: LinkOptions
  readonly #logger: Logger
  readonly #random: () => number
  readonly #requests: RequestTable
  readonly #datagrams = new Datagrams()
  readonly #roundTrip = new RoundTrip()
  readonly #offset = new ClockOffset()
  readonly #console = new Set<(text: string) => void>()
  readonly #events = new Set<(event: LinkEvent) => void>()
  readonly #numbers = new Map<number, number>()
  readonly #stops: Unsubscribe[] = []
  readonly #watch: SilenceWatch
  readonly #counters = {
    ...{ framesSent: 0, framesReceived: 0, bytesSent: 0, bytesReceived: 0, framesDamaged: 0 },
    ...{ noiseBytes: 0, consoleBytes: 0, otherEpoch: 0, timeouts: 0 },
  }
  #state: LinkState = 'opening'
  #board: HelloAnswer | undefined
  #bootId = 0
  #epoch = 0
  #payloadBytes: number = PAYLOAD.defaultBytes
  #heardMs: number

  private constructor(
    readonly port: Port,
    options: LinkOptions,
  ) {
    this.#options = options
    this.#logger = options.logger ?? silentLogger
    this.#random = options.random ?? Math.random
    this.#heardMs = port.clock.now()
    if (options.onConsole) this.#console.add(options.onConsole)
    this.#requests = new RequestTable({
      clock: port.clock,
      url: port.url,
      timeoutMs: (payloadBytes) => this.timeoutMs(payloadBytes),
      sendRequest: (message, number, payload) => void this.#send('request', message, number, payload),
      measured: (ms, payloadBytes, answerBytes) =>
        this.#roundTrip.sample(Math.max(0, ms - this.#wireMs(payloadBytes) - this.#wireMs(answerBytes))),
      missed: () => {
        this.#counters.timeouts++
      },
      gaveUp: () => this.#watch.suspect(),
    })
    this.#watch = this.#createWatch()
  }

  /**
   * Opens a session with the running shim: HELLO with a new epoch, then a few pings for round trip and clock offset.
   * @throws BridgeError `LINK_TIMEOUT` when nothing answers, `LINK_VERSION` for another major version
   */
  static async open(port: Port, options: LinkOptions = {}): Promise<LinkSession> {
    const session = new LinkSession(port, options)
    try {
      await session.#start()
      return session
    } catch (error) {
      await session.close()
      throw error
    }
  }

  async #start(): Promise<void> {
    this.#stops.push(
      this.port.onData((bytes) => {
        this.#counters.bytesReceived += bytes.length
      }),
      splitSegments(this.port, { onSegment: (segment) => this.#receive(segment) }),
      this.port.onClose((reason) => this.#end(lostError(this.port.url, 'the port closed', reason))),
    )
    this.#bootId = (await this.#hello(this.#options.helloRetries ?? 3)).bootId
    this.#state = 'open'
    for (let i = 0; i < OPENING_PINGS; i++) await this.ping({ signal: this.#options.signal })
    this.#watch.start()
  }

  get state(): LinkState {
    return this.#state
  }

  /** What the board said in HELLO; of the newest session after a reboot. */
  get board(): HelloAnswer {
    if (this.#board === undefined) throw lostError(this.port.url, 'it was never opened')
    return this.#board
  }

  /** Payload limit of the session. */
  get payloadBytes(): number {
    return this.#payloadBytes
  }

  /**
   * Asks the board.
   * @throws BridgeError `LINK_REFUSED` (where.status), `LINK_TIMEOUT`, `LINK_LOST`, `LINK_MESSAGE`, `CANCELLED`
   */
  async request<F extends Fields, A extends Fields>(
    message: RequestMessage<F, A>,
    payload: Values<F>,
    options: RequestOptions = {},
  ): Promise<Values<A>> {
    const until = this.port.clock.now() + (options.busyMs ?? 0)
    for (let waitMs = 10; ; waitMs = Math.min(250, waitMs * 1.5)) {
      try {
        return await this.#ask(message, payload, options)
      } catch (error) {
        if (refusedStatus(error) !== 'BUSY' || this.port.clock.now() >= until) throw error
        await new Promise<void>((resolve) => this.port.clock.timer(waitMs, resolve))
      }
    }
  }

  /** Sends a message that has no answer. Resolves when the port took it; flow control is the caller's ({@link gate}). */
  async post<F extends Fields>(message: Message & { readonly fields: F }, payload: Values<F>): Promise<void> {
    this.#assertUsable()
    const number = ((this.#numbers.get(message.id) ?? 0) + 1) & 0xffff
    this.#numbers.set(message.id, number)
    await this.#send(message.kind, message, number, encode(message, payload))
  }

  /** Calls `listener` with each one-way message of this row. */
  on<F extends Fields>(
    message: Message & { readonly fields: F },
    listener: (payload: Values<F>, info: DatagramInfo) => void,
  ): Unsubscribe {
    return this.#datagrams.on(message, listener)
  }

  /** Text that the board prints between frames; pieces, not lines. */
  onConsole(listener: (text: string) => void): Unsubscribe {
    this.#console.add(listener)
    return () => this.#console.delete(listener)
  }

  onEvent(listener: (event: LinkEvent) => void): Unsubscribe {
    this.#events.add(listener)
    return () => this.#events.delete(listener)
  }

  /** Measures round trip and clock offset. */
  async ping(options: RequestOptions = {}): Promise<PingResult> {
    const leftUs = this.#nowUs()
    const { hostTimeUs, deviceTimeUs } = await this.request(ping, { hostTimeUs: leftUs }, options)
    const cameUs = this.#nowUs()
    const sample = this.#offset.add(hostTimeUs, cameUs, deviceTimeUs)
    return { roundTripMs: (cameUs - leftUs) / 1000, offsetUs: sample.offsetUs }
  }

  /** Board time in milliseconds of the port's clock. */
  toHostMs(deviceUs: number): number {
    return this.#offset.toHostMs(deviceUs) ?? this.port.clock.now()
  }

  /** First time-out for a message with this payload: turn-round, its bytes, what is under way, and what may stand ahead. */
  timeoutMs(payloadBytes: number): number {
    const bytes =
      frameWireBytes(payloadBytes) + FRAMES_AHEAD * frameWireBytes(this.#payloadBytes) + this.gate.inFlightBytes
    return this.#roundTrip.timeoutMs + wireMs(bytes, this.port.baud)
  }

  /** Waits until a silent board answers again. @throws BridgeError `LINK_LOST` */
  whenOpen(): Promise<void> {
    if (this.#state === 'open') return Promise.resolve()
    return new Promise((resolve, reject) => {
      if (this.#state !== 'silent') return reject(lostError(this.port.url, `it is ${this.#state}`))
      const stop = this.onEvent((event) => {
        if (event.kind === 'silent') return
        stop()
        if (event.kind === 'resumed' || event.kind === 'rebooted') resolve()
        else reject(event.kind === 'lost' ? event.reason : lostError(this.port.url, 'it was closed'))
      })
    })
  }

  /** Keeps the silence watch quiet while `work` changes rates. */
  async withoutWatch<T>(work: () => Promise<T>): Promise<T> {
    return this.#watch.paused(async () => {
      try {
        return await work()
      } finally {
        this.#heardMs = this.port.clock.now()
      }
    })
  }

  statistics(): LinkStatistics {
    const { received, lost, incomplete, malformed } = this.#datagrams.counters
    return {
      ...{ baud: this.port.baud, ...this.#counters },
      ...{ datagramsReceived: received, datagramsLost: lost },
      ...{ datagramsIncomplete: incomplete, datagramsMalformed: malformed },
      roundTripMs: this.#roundTrip.smoothedMs ?? 0,
    }
  }

  /** Ends the session; the port stays open. */
  async close(): Promise<void> {
    this.#end(undefined)
  }

  async #ask<F extends Fields, A extends Fields>(
    message: RequestMessage<F, A>,
    payload: Values<F>,
    options: RequestOptions,
  ): Promise<Values<A>> {
    this.#assertUsable()
    const bytes = encode(message, payload)
    if (bytes.length > this.#payloadBytes) throw this.#tooLong(message, bytes.length)
    const leave = await this.gate.enter(frameWireBytes(bytes.length))
    try {
      this.#assertUsable() // the session may have ended while this waited
      const answer = await this.#requests.run(message, bytes, options)
      if (answer[0] !== STATUS.OK.code)
        throw refusedError(message.name, this.port.url, answer[0] ?? STATUS.INTERNAL.code)
      return decode(message.answer, answer)
    } finally {
      leave()
    }
  }

  #tooLong(message: Message, length: number): BridgeError {
    return new BridgeError('LINK_MESSAGE', {
      what: `${message.name} has ${length} bytes, the session takes ${this.#payloadBytes}`,
      where: { port: this.port.url, message: message.name },
      fix: 'Send less at once.',
    })
  }

  async #hello(retries: number): Promise<HelloAnswer> {
    this.#epoch = this.#newEpoch()
    this.gate.reset()
    this.#datagrams.reset()
    const wished = this.#options.maxPayload ?? PAYLOAD.wishedBytes
    const hostNonce = Math.floor(this.#random() * 2 ** 32)
    const payload = encode(hello, { ...PROTOCOL_VERSION, maxPayload: wished, hostNonce })
    const bytes = await this.#requests.run(hello, payload, { retries, signal: this.#options.signal })
    this.#assertVersion(bytes)
    const board = decode(hello.answer, bytes)
    this.#payloadBytes = Math.max(PAYLOAD.minBytes, Math.min(wished, board.maxPayload))
    this.gate.ringBytes = board.rxRingBytes
    this.#board = board
    return board
  }

  #assertVersion(answer: Uint8Array): void {
    const [status = STATUS.INTERNAL.code, major] = answer
    if (status !== STATUS.OK.code && status !== STATUS.VERSION.code) throw refusedError('hello', this.port.url, status)
    if (status === STATUS.OK.code && major === PROTOCOL_VERSION.major) return
    throw new BridgeError('LINK_VERSION', {
      what: `the shim speaks protocol version ${major ?? 'unknown'}, this host ${PROTOCOL_VERSION.major}`,
      where: { port: this.port.url, major: major ?? -1 },
      fix: 'Flash the firmware that came with this host: k210-bridge flash.',
    })
  }

  /** 1..255 and another one than before. */
  #newEpoch(): number {
    const epoch = 1 + Math.floor(this.#random() * 254)
    return epoch < this.#epoch || this.#epoch === 0 ? epoch : epoch + 1
  }

  #receive(bytes: Uint8Array): void {
    const segment = readSegment(bytes)
    switch (segment.kind) {
      case 'frame':
        this.#accept(segment.frame)
        return
      case 'text':
        this.#counters.consoleBytes += bytes.length
        for (const listener of [...this.#console]) listener(segment.text)
        return
      case 'noise':
        this.#counters.framesDamaged++
        this.#counters.noiseBytes += bytes.length
    }
  }

  #accept(frame: Frame): void {
    this.#counters.framesReceived++
    if (frame.epoch !== this.#epoch) {
      this.#counters.otherEpoch++
      return
    }
    this.#heardMs = this.port.clock.now()
    this.gate.budgetBytes = frame.budgetBytes
    if (frame.kind === 'response') this.#requests.answer(frame)
    else if (frame.kind !== 'request') this.#datagrams.accept(frame)
  }

  async #send(kind: Frame['kind'], message: Message, number: number, payload: Uint8Array): Promise<void> {
    const head = { kind, id: message.id, number, epoch: this.#epoch, fragment: 0, last: true }
    const bytes = encodeFrame({ ...head, budgetBytes: HOST_BUDGET_BYTES, payload })
    this.#counters.framesSent++
    this.#counters.bytesSent += bytes.length
    try {
      await this.port.write(bytes)
    } catch (error) {
      this.#end(lostError(this.port.url, 'the port refused a write', error))
    }
  }

  #createWatch(): SilenceWatch {
    const { keepAliveMs = 1000, reconnectMs = 10_000 } = this.#options
    return new SilenceWatch(
      {
        port: this.port,
        heardMs: () => this.#heardMs,
        isOpen: () => this.#state === 'open',
        isOver: () => this.#isOver(),
        callPing: () => this.#requests.run(ping, encode(ping, { hostTimeUs: this.#nowUs() }), { retries: 2 }),
        callHello: () => this.#hello(0),
        silent: () => this.#setSilent(),
        answered: (board) => this.#setAnswered(board),
        lost: (reason) => this.#end(reason),
      },
      { keepAliveMs, reconnectMs },
    )
  }

  #setSilent(): void {
    this.#state = 'silent'
    this.#logger.warn({ port: this.port.url }, 'the board is silent')
    this.#emit({ kind: 'silent' })
  }

  #setAnswered(board: HelloAnswer): void {
    const isSameBoot = board.bootId === this.#bootId
    this.#bootId = board.bootId
    this.#state = 'open'
    if (isSameBoot) {
      this.#emit({ kind: 'resumed' })
      return
    }
    this.#offset.reset()
    this.#requests.rejectAll(lostError(this.port.url, 'the board restarted'))
    this.#emit({ kind: 'rebooted', board })
  }

  #end(reason: BridgeError | undefined): void {
    if (this.#isOver()) return
    this.#state = reason ? 'lost' : 'closed'
    this.#watch.stop()
    for (const stop of this.#stops.splice(0)) stop()
    this.#requests.rejectAll(reason ?? lostError(this.port.url, 'it was closed'))
    this.#emit(reason ? { kind: 'lost', reason } : { kind: 'closed' })
  }

  #emit(event: LinkEvent): void {
    for (const listener of [...this.#events]) listener(event)
  }

  #isOver(): boolean {
    return this.#state === 'lost' || this.#state === 'closed'
  }

  #assertUsable(): void {
    if (this.#isOver()) throw lostError(this.port.url, `it is ${this.#state}`)
  }

  #wireMs(payloadBytes: number): number {
    return wireMs(frameWireBytes(payloadBytes), this.port.baud)
  }

  #nowUs(): number {
    return Math.max(0, Math.round(this.port.clock.now() * 1000))
  }
}

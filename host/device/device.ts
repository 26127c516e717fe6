import { EventEmitter } from 'node:events'
import {
  INFER_SOURCE,
  infer,
  modelLoad,
  type Payload,
  type picture as pictureRow,
  type result as resultRow,
} from '../../protocol/index.js'
import { encodeBoardCard } from '../card/binary.js'
import type { ModelCard } from '../card/card.js'
import { type FlashOptions, type FlashResult, flashBoard } from '../flasher/flash.js'
import type { FlashItem } from '../flasher/plan.js'
import { type Clock, sleep, wallClock } from '../foundation/clock.js'
import { asBridgeError, BridgeError, isBridgeError } from '../foundation/errors.js'
import type { Logger } from '../foundation/logger.js'
import type { ProgressListener } from '../foundation/progress.js'
import type { LinkSession } from '../link/session.js'
import { sendTransfer, type TransferResult } from '../link/transfer.js'
import type { Port, PortOpener } from '../port/port.js'
import type { PlanarPicture } from '../tensor/tensor.js'
import { type BoardConfig, BoardSession, type SessionListener } from './board-session.js'
import type {
  BoardEvents,
  BoardState,
  BoardView,
  DetectionEvent,
  LogEvent,
  PictureEvent,
  ResultEvent,
} from './events.js'
import { probeBoard } from './probe.js'
import { rebootIntoRom } from './reboot-into-rom.js'
import { toDetections, toStages } from './result-event.js'

/** How a device is made. */
export interface DeviceOptions {
  readonly id: string
  readonly url: string
  readonly openPort: PortOpener
  readonly logger: Logger
  /** Rate to climb to after boot; default 1.5 Mbaud. */
  readonly baud?: number
  /** First streaming settings; default results and pictures of slot 0. */
  readonly config?: Partial<BoardConfig>
}

/** A model that was put into a slot. */
export interface DeployResult extends TransferResult {
  readonly slot: number
  readonly name: string
  /** Working memory that the board gave the model, bytes. */
  readonly mainBytes: number
}

/** Boxes of one picture that was sent to the board, in pixels of the network's input. */
export interface InferResult {
  readonly frameId: number
  readonly deviceTimeUs: number
  readonly stagesUs: Readonly<Record<string, number>>
  readonly detections: readonly DetectionEvent[]
}

/** Options of work that takes long. */
export interface WorkOptions {
  readonly signal?: AbortSignal
  readonly progress?: ProgressListener
}

const BOOT_BAUD = 115_200
const DEFAULT_BAUD = 1_500_000
const RETRY_MS = 700
const LOG_LINES = 200
const FAILURES_TO_QUARANTINE = 20
const DEFAULT_CONFIG: BoardConfig = { slot: 0, results: true, pictureEvery: 1, quality: 55, scoreThreshold: 0 }

/**
 * One board: keeps its port and session, follows it through ROM, boot and running, and goes on by itself when it comes
 * back. Work that needs the wire alone (flashing) takes the port over for its time.
 */
export class Device {
  readonly id: string
  readonly url: string
  config: BoardConfig
  private readonly emitter = new EventEmitter<BoardEvents>()
  private readonly lines: LogEvent[] = []
  private readonly cards = new Map<string, ModelCard>()
  private readonly abort = new AbortController()
  private state: BoardState = 'absent'
  private note = 'not opened yet'
  private port: Port | undefined
  private session: BoardSession | undefined
  private latest: PictureEvent | undefined
  private lostResults = 0
  private exclusive: Promise<unknown> = Promise.resolve()
  private loop: Promise<void> | undefined
  private wake: () => void = () => {}
  private paused = false

  constructor(private readonly options: DeviceOptions) {
    this.id = options.id
    this.url = options.url
    this.config = { ...DEFAULT_CONFIG, ...options.config }
    this.emitter.setMaxListeners(0)
  }

  /** Begins to look after the board. @throws BridgeError `PORT_URL` for a malformed URL */
  async start(): Promise<void> {
    try {
      this.port = await this.open()
    } catch (error) {
      if (isBridgeError(error, 'PORT_URL')) throw error
      this.setState('absent', asBridgeError(error).what)
    }
    this.loop = this.run()
  }

  /** Subscribes; the returned function ends it. */
  on<E extends keyof BoardEvents>(event: E, listener: (...values: BoardEvents[E]) => void): () => void {
    const call = listener as (...values: unknown[]) => void
    this.emitter.on(event, call as never)
    return () => this.emitter.off(event, call as never)
  }

  /** The board as the API shows it. */
  view(): BoardView {
    const board = this.session?.board
    return {
      id: this.id,
      port: this.url,
      state: this.state,
      firmware: board ? { version: `${board.major}.${board.minor}`, buildId: board.buildId, board: board.board } : null,
      memory: board ? { freeBytes: board.freeBytes, limitBytes: board.limitBytes } : null,
      models: this.session?.models ?? [],
      link: { ...this.session?.counters, lostResults: this.lostResults },
      note: this.note,
    }
  }

  /** The last lines of the board's log, oldest first. */
  recentLog(): readonly LogEvent[] {
    return this.lines
  }

  /** The newest picture after a frame id; waits for one. @returns undefined after `waitMs` or when aborted */
  nextPicture(after: number, waitMs: number, signal: AbortSignal): Promise<PictureEvent | undefined> {
    if (this.latest && this.latest.frameId > after) return Promise.resolve(this.latest)
    // Frame ids start again with each boot: a reader that is ahead gets the first picture that comes.
    return new Promise((resolve) => {
      const finish = (picture: PictureEvent | undefined) => {
        clearTimeout(timer)
        stop()
        signal.removeEventListener('abort', onAbort)
        resolve(picture)
      }
      const onAbort = () => finish(undefined)
      const timer = setTimeout(() => finish(undefined), waitMs)
      const stop = this.on('picture', finish)
      signal.addEventListener('abort', onAbort, { once: true })
    })
  }

  /** Waits until the board runs. @throws BridgeError `LINK_TIMEOUT` with what the board was last seen doing */
  async whenRunning(timeoutMs: number, signal?: AbortSignal): Promise<void> {
    const until = Date.now() + timeoutMs
    while (this.state !== 'running') {
      if (Date.now() > until) {
        throw new BridgeError('LINK_TIMEOUT', {
          what: `the board is not running but ${this.state}: ${this.note}`,
          where: { port: this.url },
          fix: 'Flash the firmware with k210-bridge flash, and check cable and power.',
        })
      }
      await sleep(wallClock, 20, signal)
    }
  }

  /** Labels of results come from here. */
  rememberCard(modelSha256: string, card: ModelCard): void {
    this.cards.set(modelSha256, card)
  }

  /** Card of the model in a slot, when this process knows it. */
  cardOf(slot: number): ModelCard | undefined {
    const model = this.session?.models.find((candidate) => candidate.slot === slot)
    return model && this.cards.get(model.sha256)
  }

  /** Changes what is streamed. @throws BridgeError `LINK_REFUSED` when the slot holds no loaded model */
  async configure(change: Partial<BoardConfig>): Promise<BoardConfig> {
    this.config = { ...this.config, ...change }
    await this.session?.stream(this.config)
    return this.config
  }

  /** Restarts the board into its firmware or its boot ROM. */
  async reset(target: 'firmware' | 'rom'): Promise<void> {
    await this.running().reboot(target)
    this.setState('booting', target === 'rom' ? 'asked to restart into the boot ROM' : 'asked to restart')
  }

  /** Puts a kmodel and its card into a slot and loads it. */
  async deploy(
    input: { kmodel: Uint8Array; name: string; slot: number; card: ModelCard },
    options: WorkOptions,
  ): Promise<DeployResult> {
    const session = this.running()
    const card = encodeBoardCard(input.card)
    const result = await sendTransfer(
      session.link,
      { target: 'modelSlot', slot: input.slot, bytes: input.kmodel, name: input.name, card },
      { signal: options.signal, onProgress: options.progress },
    )
    this.rememberCard(result.sha256, input.card)
    const { mainBytes } = await session.link.request(
      modelLoad,
      { slot: input.slot },
      { timeoutMs: 3000, busyMs: 10_000, signal: options.signal },
    )
    await session.refresh()
    if (input.slot === this.config.slot) await session.stream(this.config)
    return { ...result, slot: input.slot, name: input.name, mainBytes }
  }

  /** Runs the model of a slot on a picture of exactly the network's size; nothing is lost on the way. */
  async infer(picture: PlanarPicture, slot: number, options: WorkOptions = {}): Promise<InferResult> {
    const { link } = this.running()
    await sendTransfer(
      link,
      { target: 'input', slot, bytes: picture.data },
      { signal: options.signal, onProgress: options.progress },
    )
    const token = Math.floor(Math.random() * 2 ** 32)
    const answer = await link.request(
      infer,
      { slot, source: INFER_SOURCE.input, token },
      { timeoutMs: 2000, busyMs: 10_000, signal: options.signal },
    )
    return {
      frameId: answer.frameId,
      deviceTimeUs: answer.doneUs,
      stagesUs: toStages(answer.stageUs),
      detections: toDetections(answer.boxes, this.cardOf(slot)?.labels ?? []),
    }
  }

  /** Flashes the board through its boot ROM and waits until it is looked after again. */
  flash(items: readonly FlashItem[], options: FlashOptions): Promise<FlashResult> {
    return this.withPort(async (port) => {
      this.setState('booting', 'flashing')
      const result = await flashBoard(port, items, { askShimToReboot: rebootIntoRom, ...options })
      this.setState('booting', 'flashed')
      return result
    })
  }

  /** Takes the port for work that needs it alone; the session ends before and starts again after. */
  withPort<T>(work: (port: Port) => Promise<T>): Promise<T> {
    const turn = this.exclusive.then(async () => {
      this.paused = true
      await this.session?.close()
      try {
        this.port ??= await this.open()
        return await work(this.port)
      } finally {
        this.paused = false
        this.wake()
      }
    })
    this.exclusive = turn.catch(() => undefined)
    return turn
  }

  /** Ends everything of this board and closes its port. */
  async close(): Promise<void> {
    this.abort.abort(new BridgeError('CANCELLED', { what: 'the board was closed' }))
    this.wake()
    await this.session?.close()
    await this.loop
    await this.port?.close()
  }

  private async open(): Promise<Port> {
    const port = await this.options.openPort(this.url, { baud: BOOT_BAUD })
    port.onClose((reason) => {
      if (this.port === port) this.port = undefined
      if (reason) this.log('warn', reason.what)
    })
    return port
  }

  private async run(): Promise<void> {
    let failures = 0
    while (!this.abort.signal.aborted) {
      if (this.paused) {
        await new Promise<void>((resolve) => {
          this.wake = resolve
        })
        continue
      }
      const worked = await this.attempt()
      failures = worked ? 0 : failures + 1
      if (failures === FAILURES_TO_QUARANTINE && this.state === 'lost') this.setState('quarantined', this.note)
      if (!this.paused) await this.rest(worked ? RETRY_MS / 4 : RETRY_MS)
    }
  }

  /** One life of the session. @returns true when it was open */
  private async attempt(): Promise<boolean> {
    try {
      this.port ??= await this.open()
      const session = await this.connect(this.port)
      await this.live(session)
      return true
    } catch (thrown) {
      if (this.abort.signal.aborted || this.paused) return false
      const error = asBridgeError(thrown)
      this.options.logger.debug({ code: error.code, where: error.where }, error.what)
      if (isBridgeError(error, 'LINK_TIMEOUT') && this.port?.isOpen) await this.probe(this.port)
      else
        this.setState(
          this.state === 'running' || this.state === 'lost' ? 'lost' : 'absent',
          error.fix ? `${error.what}. ${error.fix}` : error.what,
        )
      return false
    }
  }

  /** A shim starts at 115200; one that a former session left speaks the rate it climbed to. */
  private async connect(port: Port): Promise<BoardSession> {
    const baud = this.options.baud ?? DEFAULT_BAUD
    for (const rate of [BOOT_BAUD, baud]) {
      await port.setBaud(rate)
      try {
        return await BoardSession.open(port, baud, this.listener(), this.abort.signal)
      } catch (error) {
        if (!isBridgeError(error, 'LINK_TIMEOUT') || rate === baud) throw error
      }
      if (this.paused) throw new BridgeError('CANCELLED', { what: 'other work took the port' })
    }
    throw new BridgeError('LINK_TIMEOUT', { what: 'no shim answers' })
  }

  private async live(session: BoardSession): Promise<void> {
    this.session = session
    this.setState('running', '')
    this.log('info', `${session.board.board} runs ${session.board.buildId} at ${session.link.port.baud} baud`)
    try {
      const loaded = session.models.some((model) => model.slot === this.config.slot && model.state === 'loaded')
      if (loaded) await session.stream(this.config)
      else this.log('info', `slot ${this.config.slot} holds no loaded model: deploy one to see results`)
      const reason = await session.ended
      if (!this.abort.signal.aborted && !this.paused && this.state === 'running') this.setState('lost', reason)
    } finally {
      this.session = undefined
      this.latest = undefined
      await session.close()
    }
  }

  private async probe(port: Port): Promise<void> {
    const found = await probeBoard(port, this.abort.signal).catch(() => undefined)
    if (!found)
      this.setState(
        this.state === 'running' || this.state === 'lost' ? 'lost' : 'absent',
        'neither shim, ROM nor stub answers',
      )
    else this.setState(found.stage, found.note)
  }

  private listener(): SessionListener {
    return {
      result: (fields, link) => this.onResult(fields, link),
      picture: (fields) => this.onPicture(fields),
      log: (level, text) => this.log(level, text),
      changed: () => this.emitter.emit('board', this.view()),
    }
  }

  private onResult(fields: Payload<typeof resultRow>, link: LinkSession): void {
    const hash = Buffer.from(fields.modelHash).toString('hex')
    const modelSha256 = this.session?.models.find((model) => model.sha256.startsWith(hash))?.sha256 ?? hash
    this.lostResults = link.statistics().datagramsLost
    const event: ResultEvent = {
      boardId: this.id,
      frameId: fields.frameId,
      deviceTimeUs: fields.doneUs,
      modelSha256,
      latencyMs: Math.round((link.port.clock.now() - link.toHostMs(fields.captureUs)) * 10) / 10,
      stagesUs: toStages(fields.stageUs),
      lostResults: this.lostResults,
      detections: toDetections(fields.boxes, this.cards.get(modelSha256)?.labels ?? []),
    }
    this.emitter.emit('result', event)
  }

  private onPicture({ frameId, captureUs, width, height, data }: Payload<typeof pictureRow>): void {
    this.latest = { boardId: this.id, frameId, captureUs, width, height, jpeg: data }
    this.emitter.emit('picture', this.latest)
  }

  private log(level: LogEvent['level'], text: string): void {
    const event: LogEvent = { boardId: this.id, level, text, timeMs: Date.now() }
    this.lines.push(event)
    if (this.lines.length > LOG_LINES) this.lines.shift()
    this.options.logger.debug({ level }, text)
    this.emitter.emit('log', event)
  }

  private setState(state: BoardState, note: string): void {
    if (this.state === state && this.note === note) return
    this.state = state
    this.note = note
    this.emitter.emit('board', this.view())
    this.log(state === 'lost' || state === 'quarantined' ? 'warn' : 'info', note ? `${state}: ${note}` : state)
  }

  private running(): BoardSession {
    if (this.session) return this.session
    throw new BridgeError('CONFLICT', {
      what: `the board is ${this.state}, not running${this.note ? `: ${this.note}` : ''}`,
      where: { board: this.id },
      fix: 'Flash its firmware, or wait until it has booted.',
    })
  }

  /** Waits before the next attempt; ends early when somebody needs the loop. */
  private async rest(ms: number): Promise<void> {
    const clock: Clock = this.port?.clock ?? wallClock
    await sleep(clock, ms, this.abort.signal).catch(() => undefined)
  }
}

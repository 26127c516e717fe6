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
import { sleep, wallClock } from '../foundation/clock.js'
import { asBridgeError, BridgeError, isBridgeError } from '../foundation/errors.js'
import { readKmodel } from '../kmodel/read.js'
import type { LinkSession } from '../link/session.js'
import { sendTransfer } from '../link/transfer.js'
import type { Port } from '../port/port.js'
import type { PlanarPicture } from '../tensor/tensor.js'
import { type BoardConfig, BoardSession, type SessionListener } from './board-session.js'
import { refuseUnloadable } from './check-kmodel.js'
import type { CardBook, DeployResult, DeviceOptions, InferResult, WorkOptions } from './device-types.js'
import type { BoardEvents, BoardState, BoardView, LogEvent, PictureEvent, ResultEvent } from './events.js'
import { NewestPicture } from './newest-picture.js'
import { bootBoard, enterRom, probeBoard, resetByLines } from './probe.js'
import { rebootIntoRom } from './reboot-into-rom.js'
import { toDetections, toStages } from './result-event.js'

const BOOT_BAUD = 115_200
const DEFAULT_BAUD = 1_500_000
const RETRY_MS = 700
const LOG_LINES = 200
/** A board whose sessions end this often, each within this time, is left alone for a while. */
const SHORT_LIVES = 5
const SHORT_LIFE_MS = 15_000
const QUARANTINE_MS = 10_000
const IN_ROM = 'the boot ROM answers; there is no firmware that it boots'
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
  private readonly cards: CardBook
  private readonly abort = new AbortController()
  private state: BoardState = 'absent'
  private note = 'not opened yet'
  private port: Port | undefined
  private session: BoardSession | undefined
  private readonly pictures = new NewestPicture()
  private lostResults = 0
  private exclusive: Promise<unknown> = Promise.resolve()
  /** Work on the running shim, one after the other. */
  private turns: Promise<unknown> = Promise.resolve()
  private loop: Promise<void> | undefined
  private wake: () => void = () => {}
  private paused = false
  private attempting: Promise<void> = Promise.resolve()
  private attemptAbort = new AbortController()
  private shortLives = 0
  /** The board was sent into its ROM on purpose and stays there. */
  private keepRom = false
  /** A board that was found in its ROM is restarted once: then the ROM says why it does not boot. */
  private triedBoot = false

  constructor(private readonly options: DeviceOptions) {
    this.id = options.id
    this.url = options.url
    this.cards = options.cards ?? new Map<string, ModelCard>()
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
    return this.pictures.after(after, waitMs, signal)
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
    const config = { ...this.config, ...change }
    await this.session?.stream(config)
    this.config = config
    return config
  }

  /**
   * Restarts the board into its firmware or its boot ROM: a running shim by the link, any other by its reset lines.
   * A board that does not boot afterwards is in state `rom`, with the ROM's reason as note.
   * @throws BridgeError `FLASH_NO_ROM`, `PORT_*`, `CONFLICT` when nothing answers on a port without lines
   */
  async reset(target: 'firmware' | 'rom'): Promise<void> {
    this.keepRom = target === 'rom'
    this.triedBoot = false
    this.shortLives = 0
    const before = this.state
    const note = target === 'rom' ? 'asked to restart into the boot ROM' : 'asked to restart'
    if (this.session) {
      this.setState('booting', note)
      await this.session.reboot(target)
    } else {
      await this.withPort((port) => {
        this.setState('booting', note)
        return this.resetWithoutSession(port, target, before)
      })
    }
  }

  /**
   * Puts a kmodel and its card into a slot and loads it.
   * @throws BridgeError `KMODEL_*`, `LINK_REFUSED`, `COMPILE_MEMORY` before a byte is sent when this firmware cannot load
   *   or hold it; `LINK_*`
   */
  async deploy(
    input: { kmodel: Uint8Array; name: string; slot: number; card: ModelCard },
    options: WorkOptions,
  ): Promise<DeployResult> {
    const card = encodeBoardCard(input.card)
    const model = readKmodel(input.kmodel)
    return this.inTurn(async (session) => {
      refuseUnloadable(model, input.kmodel.length, session.board)
      const result = await sendTransfer(
        session.link,
        { target: 'modelSlot', slot: input.slot, bytes: input.kmodel, name: input.name, card },
        { signal: options.signal, onProgress: options.progress },
      )
      this.rememberCard(result.sha256, input.card)
      const load = { timeoutMs: 3000, busyMs: 10_000, signal: options.signal }
      const { mainBytes } = await session.link.request(modelLoad, { slot: input.slot }, load)
      await session.refresh()
      if (input.slot === this.config.slot) await session.stream(this.config)
      return { ...result, slot: input.slot, name: input.name, mainBytes }
    })
  }

  /** Runs the model of a slot on a picture of exactly the network's size; nothing is lost on the way. */
  async infer(picture: Pick<PlanarPicture, 'data'>, slot: number, options: WorkOptions = {}): Promise<InferResult> {
    return this.inTurn(async ({ link }) => {
      await sendTransfer(
        link,
        { target: 'input', slot, bytes: picture.data },
        { signal: options.signal, onProgress: options.progress },
      )
      const token = Math.floor(Math.random() * 2 ** 32)
      const run = { timeoutMs: 2000, busyMs: 10_000, signal: options.signal }
      const answer = await link.request(infer, { slot, source: INFER_SOURCE.input, token }, run)
      return {
        frameId: answer.frameId,
        deviceTimeUs: answer.doneUs,
        stagesUs: toStages(answer.stageUs),
        detections: toDetections(answer.boxes, this.cardOf(slot)?.labels ?? []),
      }
    })
  }

  /** Flashes the board through its boot ROM; afterwards it is looked after again. */
  flash(items: readonly FlashItem[], options: FlashOptions): Promise<FlashResult> {
    return this.withPort(async (port) => {
      this.keepRom = false
      this.triedBoot = false
      this.setState('booting', 'flashing')
      const result = await flashBoard(port, items, { askShimToReboot: rebootIntoRom, ...options })
      this.setState('booting', 'flashed')
      return result
    })
  }

  /** Takes the port for work that needs it alone; the session ends before and starts again after. */
  withPort<T>(work: (port: Port) => Promise<T>): Promise<T> {
    const turn = this.exclusive.then(async () => {
      if (this.abort.signal.aborted) throw this.abort.signal.reason
      this.paused = true
      this.attemptAbort.abort(new BridgeError('CANCELLED', { what: 'other work took the port' }))
      await this.attempting
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
    const reason = new BridgeError('CANCELLED', { what: 'the board was closed' })
    this.abort.abort(reason)
    this.attemptAbort.abort(reason)
    this.wake()
    await this.loop
    await this.port?.close()
    await this.exclusive // work that had the port has lost it and ends
  }

  /** Runs work on the open session when the work before it has ended. @throws BridgeError `CONFLICT` without session */
  private inTurn<T>(work: (session: BoardSession) => Promise<T>): Promise<T> {
    const turn = this.turns.then(() => work(this.running()))
    this.turns = turn.catch(() => undefined)
    return turn
  }

  private async resetWithoutSession(port: Port, target: 'firmware' | 'rom', before: BoardState): Promise<void> {
    const { signal } = this.abort
    if (target === 'rom') return enterRom(port, signal)
    if (before === 'rom' || before === 'stub') {
      const failure = await bootBoard(port, signal)
      if (failure !== undefined) this.foundRom(failure)
    } else if (port.hasModemLines) await resetByLines(port, signal)
    else throw this.notRunning(before)
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
    while (!this.abort.signal.aborted) {
      if (this.paused) {
        await new Promise<void>((resolve) => {
          this.wake = resolve
        })
        continue
      }
      this.attemptAbort = new AbortController()
      const { signal } = this.attemptAbort
      const attempt = this.attempt(signal)
      this.attempting = attempt.then(() => undefined)
      const hasLived = await attempt
      const pauseMs = this.state === 'quarantined' ? QUARANTINE_MS : hasLived ? RETRY_MS / 4 : RETRY_MS
      await sleep(this.port?.clock ?? wallClock, pauseMs, signal).catch(() => undefined)
    }
  }

  /** One life of the session; never rejects. @returns true when it was open */
  private async attempt(signal: AbortSignal): Promise<boolean> {
    try {
      this.port ??= await this.open()
      await this.live(await this.connect(this.port, signal), signal)
      return true
    } catch (thrown) {
      if (signal.aborted) return false
      const error = asBridgeError(thrown)
      this.options.logger.debug({ code: error.code, where: error.where }, error.what)
      if (isBridgeError(error, 'LINK_TIMEOUT') && this.port?.isOpen) await this.probe(this.port, signal)
      else this.setGone(error.fix ? `${error.what}. ${error.fix}` : error.what)
      return false
    }
  }

  /** A shim starts at 115200; one that a former session left speaks the rate it climbed to. */
  private async connect(port: Port, signal: AbortSignal): Promise<BoardSession> {
    const baud = this.options.baud ?? DEFAULT_BAUD
    for (const rate of [BOOT_BAUD, baud]) {
      await port.setBaud(rate)
      try {
        return await BoardSession.open(port, baud, this.listener(), signal)
      } catch (error) {
        if (!isBridgeError(error, 'LINK_TIMEOUT') || signal.aborted) throw error
      }
    }
    throw new BridgeError('LINK_TIMEOUT', { what: 'no shim answers' })
  }

  private async live(session: BoardSession, signal: AbortSignal): Promise<void> {
    const { clock } = session.link.port
    const sinceMs = clock.now()
    this.session = session
    this.keepRom = false
    this.triedBoot = false
    this.setState('running', '')
    this.log('info', `${session.board.board} runs ${session.board.buildId} at ${session.link.port.baud} baud`)
    let reason = ''
    try {
      await this.beginStream(session)
      reason = await session.ended
    } finally {
      this.session = undefined
      this.pictures.clear()
      await session.close()
    }
    if (reason !== '' && !signal.aborted) this.setEnded(reason, clock.now() - sinceMs)
  }

  /** A board that cannot stream is still a board: the reason goes into its log. */
  private async beginStream(session: BoardSession): Promise<void> {
    const { slot } = this.config
    if (session.models.some((model) => model.slot === slot && model.state === 'loaded')) {
      await session.stream(this.config).catch((error) => this.log('warn', asBridgeError(error).what))
    } else this.log('info', `slot ${slot} holds no loaded model: deploy one to see results`)
  }

  /** A session ended that nobody here wanted to end. */
  private setEnded(reason: string, livedMs: number): void {
    this.shortLives = livedMs < SHORT_LIFE_MS ? this.shortLives + 1 : 0
    if (this.shortLives < SHORT_LIVES) this.setState('lost', reason)
    else this.setState('quarantined', `${this.shortLives} sessions in a row ended within seconds; the last: ${reason}`)
  }

  /** Nothing answers. A board that never did is absent. */
  private setGone(note: string): void {
    if (this.state !== 'quarantined') this.setState(this.state === 'absent' ? 'absent' : 'lost', note)
  }

  private async probe(port: Port, signal: AbortSignal): Promise<void> {
    try {
      const found = await probeBoard(port, signal)
      if (!found) this.setGone('neither shim, ROM nor stub answers')
      else if (found.stage === 'stub') this.setState('stub', 'the flash stub answers')
      else await this.foundInRom(port, found.failure, signal)
    } catch (error) {
      if (!signal.aborted) this.setGone(asBridgeError(error).what)
    }
  }

  private async foundInRom(port: Port, failure: string | undefined, signal: AbortSignal): Promise<void> {
    const mayBoot = failure === undefined && port.hasModemLines && !this.keepRom && !this.triedBoot
    if (!mayBoot) return this.foundRom(failure)
    this.triedBoot = true
    const reason = await bootBoard(port, signal)
    if (reason === undefined) this.setState('booting', 'restarted by its reset line')
    else this.foundRom(reason)
  }

  /** What the ROM said once stays the note. */
  private foundRom(failure: string | undefined): void {
    const known = this.state === 'rom' ? this.note : this.keepRom ? 'the boot ROM waits, as it was asked to' : IN_ROM
    this.setState('rom', failure ?? known)
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
    const sinceMs = link.port.clock.now() - link.toHostMs(fields.captureUs)
    const event: ResultEvent = {
      boardId: this.id,
      frameId: fields.frameId,
      deviceTimeUs: fields.doneUs,
      modelSha256,
      latencyMs: sinceMs < 0 ? null : Math.round(sinceMs * 10) / 10,
      stagesUs: toStages(fields.stageUs),
      lostResults: this.lostResults,
      detections: toDetections(fields.boxes, this.cards.get(modelSha256)?.labels ?? []),
    }
    this.emitter.emit('result', event)
  }

  private onPicture({ frameId, captureUs, width, height, data }: Payload<typeof pictureRow>): void {
    const picture: PictureEvent = { boardId: this.id, frameId, captureUs, width, height, jpeg: data }
    this.pictures.put(picture)
    this.emitter.emit('picture', picture)
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
    throw this.notRunning(this.state)
  }

  private notRunning(state: BoardState): BridgeError {
    return new BridgeError('CONFLICT', {
      what: `the board is ${state}, not running${this.note ? `: ${this.note}` : ''}`,
      where: { board: this.id },
      fix: 'Flash its firmware, or wait until it has booted.',
    })
  }
}

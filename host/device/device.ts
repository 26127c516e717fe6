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
import { asBridgeError, BridgeError } from '../foundation/errors.js'
import { readKmodel } from '../kmodel/read.js'
import type { LinkSession } from '../link/session.js'
import { sendTransfer } from '../link/transfer.js'
import type { Port } from '../port/port.js'
import type { PlanarPicture } from '../tensor/tensor.js'
import { BoardKeeper, type KeptBoard } from './board-keeper.js'
import type { BoardConfig, BoardSession, SessionListener } from './board-session.js'
import { refuseUnloadable } from './check-kmodel.js'
import type { CardBook, DeployResult, DeviceOptions, InferResult, WorkOptions } from './device-types.js'
import type { BoardEvents, BoardView, LogEvent, PictureEvent, ResultEvent } from './events.js'
import { NewestPicture } from './newest-picture.js'
import { rebootIntoRom } from './reboot-into-rom.js'
import { toDetections, toStages } from './result-event.js'

const DEFAULT_BAUD = 1_500_000
const LOG_LINES = 200
const DEFAULT_CONFIG: BoardConfig = { slot: 0, results: true, pictureEvery: 1, quality: 55, scoreThreshold: 0 }

/** One board as an object: its state, what it streams, and the work that it is given. */
export class Device {
  readonly id: string
  readonly url: string
  config: BoardConfig
  private readonly emitter = new EventEmitter<BoardEvents>()
  private readonly lines: LogEvent[] = []
  private readonly cards: CardBook
  private readonly keeper: BoardKeeper
  private readonly pictures = new NewestPicture()
  private lostResults = 0
  private lastFrameId: number | null = null
  /** Work on the running shim, one after the other. */
  private turns: Promise<unknown> = Promise.resolve()

  constructor(private readonly options: DeviceOptions) {
    this.id = options.id
    this.url = options.url
    this.cards = options.cards ?? new Map<string, ModelCard>()
    this.config = { ...DEFAULT_CONFIG, ...options.config }
    this.emitter.setMaxListeners(0)
    this.keeper = new BoardKeeper(this.kept())
  }

  /** Begins to look after the board. @throws BridgeError `PORT_URL` for a malformed URL */
  start(): Promise<void> {
    return this.keeper.start()
  }

  /** Subscribes; the returned function ends it. */
  on<E extends keyof BoardEvents>(event: E, listener: (...values: BoardEvents[E]) => void): () => void {
    const call = listener as (...values: unknown[]) => void
    this.emitter.on(event, call as never)
    return () => this.emitter.off(event, call as never)
  }

  /** The board as the API shows it. */
  view(): BoardView {
    const board = this.keeper.session?.board
    return {
      id: this.id,
      port: this.url,
      state: this.keeper.state,
      firmware: board ? { version: board.buildId.split('+')[0]!, buildId: board.buildId, board: board.board } : null,
      memory: board ? { freeBytes: board.freeBytes, limitBytes: board.limitBytes } : null,
      models: this.keeper.session?.models ?? [],
      lastFrameId: this.keeper.session ? this.lastFrameId : null,
      link: { ...this.keeper.session?.counters, lostResults: this.lostResults },
      note: this.keeper.note,
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
    while (this.keeper.state !== 'running') {
      if (Date.now() > until) {
        throw new BridgeError('LINK_TIMEOUT', {
          what: `the board is not running but ${this.keeper.state}: ${this.keeper.note}`,
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
    const model = this.keeper.session?.models.find((candidate) => candidate.slot === slot)
    return model && this.cards.get(model.sha256)
  }

  /** Changes what is streamed. @throws BridgeError `LINK_REFUSED` when the slot holds no loaded model */
  async configure(change: Partial<BoardConfig>): Promise<BoardConfig> {
    const config = { ...this.config, ...change }
    await this.keeper.session?.stream(config)
    this.config = config
    return config
  }

  /**
   * Restarts the board into its firmware or its boot ROM. A board that does not boot afterwards is in state `rom`, with
   * the ROM's reason as note.
   * @throws BridgeError `FLASH_NO_ROM`, `PORT_*`, `CONFLICT` when nothing answers on a port without lines
   */
  reset(target: 'firmware' | 'rom'): Promise<void> {
    return this.keeper.reset(target)
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
      this.keeper.expectBoot()
      this.keeper.setState('booting', 'flashing')
      const result = await flashBoard(port, items, { askShimToReboot: rebootIntoRom, ...options })
      this.keeper.setState('booting', 'flashed')
      return result
    })
  }

  /** Takes the port for work that needs it alone; the session ends before and starts again after. */
  withPort<T>(work: (port: Port) => Promise<T>): Promise<T> {
    return this.keeper.withPort(work)
  }

  /** Ends everything of this board and closes its port. */
  close(): Promise<void> {
    return this.keeper.close()
  }

  /** Runs work on the open session when the work before it has ended. @throws BridgeError `CONFLICT` without session */
  private inTurn<T>(work: (session: BoardSession) => Promise<T>): Promise<T> {
    const turn = this.turns.then(() => work(this.keeper.running()))
    this.turns = turn.catch(() => undefined)
    return turn
  }

  private kept(): KeptBoard {
    const { id, url, openPort, logger, baud = DEFAULT_BAUD } = this.options
    return {
      ...{ id, url, openPort, logger, baud },
      listener: this.listener(),
      opened: (session) => this.beginStream(session),
      ended: () => this.pictures.clear(),
      changed: () => this.emitter.emit('board', this.view()),
      log: (level, text) => this.log(level, text),
    }
  }

  /** A board that cannot stream is still a board: the reason goes into its log. */
  private async beginStream(session: BoardSession): Promise<void> {
    const { slot } = this.config
    if (session.models.some((model) => model.slot === slot && model.state === 'loaded')) {
      await session.stream(this.config).catch((error) => this.log('warn', asBridgeError(error).what))
    } else this.log('info', `slot ${slot} holds no loaded model: deploy one to see results`)
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
    const modelSha256 = this.keeper.session?.models.find((model) => model.sha256.startsWith(hash))?.sha256 ?? hash
    this.lostResults = link.statistics().datagramsLost
    this.lastFrameId = fields.frameId
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
}

import { join } from 'node:path'
import type { Command } from 'commander'
import type { PictureEvent, ResultEvent } from '../device/events.js'
import { writeFileAtomic } from '../foundation/files.js'
import { withBoard } from '../jobs/board-at-port.js'
import { commandPortOpener, VirtualBoards } from './open-port.js'
import { type CommandIo, parseInteger, runCommand } from './runtime.js'
import { findTarget, type Target } from './target.js'

interface Options {
  readonly port?: string
  readonly save?: string
  readonly slot: string
  readonly count?: string
  readonly json?: boolean
}

/** A result line for people. */
function describe(result: ResultEvent): string {
  const boxes = result.detections.map(
    ({ box, score, label }) =>
      `${label ?? 'object'} ${score.toFixed(2)} [${box.map((value) => value.toFixed(0)).join(' ')}]`,
  )
  const latency = result.latencyMs === null ? '' : `  ${result.latencyMs.toFixed(0)} ms`
  return `#${result.frameId}${latency}  ${boxes.join(', ') || 'nothing'}`
}

/** Prints results as they come and, with `--save`, writes each picture under its frame id. */
class Watcher {
  private seen = 0
  private readonly writes = new Set<Promise<void>>()
  private finish: () => void = () => {}
  readonly done = new Promise<void>((resolve) => {
    this.finish = resolve
  })

  constructor(
    private readonly options: Options,
    private readonly io: CommandIo,
    private readonly limit: number,
  ) {
    if (io.signal.aborted) this.finish()
    io.signal.addEventListener('abort', () => this.finish(), { once: true })
  }

  readonly result = (result: ResultEvent): void => {
    if (this.seen >= this.limit) return
    this.io.line(this.io.json ? JSON.stringify(result) : describe(result))
    if (++this.seen >= this.limit) this.finish()
  }

  readonly picture = (picture: Pick<PictureEvent, 'frameId' | 'jpeg'>): void => {
    if (!this.options.save) return
    const file = join(this.options.save, `${String(picture.frameId).padStart(8, '0')}.jpg`)
    const write = writeFileAtomic(file, picture.jpeg).finally(() => this.writes.delete(write))
    this.writes.add(write)
  }

  async end(): Promise<void> {
    await Promise.all(this.writes)
  }
}

async function watchDaemon(
  { client, board }: Extract<Target, { kind: 'daemon' }>,
  watcher: Watcher,
  io: CommandIo,
  wantsPictures: boolean,
): Promise<void> {
  const abort = new AbortController()
  io.signal.addEventListener('abort', () => abort.abort(), { once: true })
  const events = (async () => {
    for await (const { event, data } of client.events(`/boards/${board}/events`, abort.signal))
      if (event === 'result') watcher.result(data as ResultEvent)
  })()
  const pictures = (async () => {
    for (let last = -1; wantsPictures && !abort.signal.aborted; ) {
      const picture = await client.picture(board, last, abort.signal)
      if (!picture) continue
      watcher.picture(picture)
      last = picture.frameId
    }
  })()
  await Promise.race([watcher.done, Promise.all([events, pictures])])
  abort.abort()
  await Promise.allSettled([events, pictures])
}

async function watchPort(
  url: string,
  watcher: Watcher,
  io: CommandIo,
  slot: number,
  wantsPictures: boolean,
): Promise<void> {
  const virtual = new VirtualBoards()
  const where = {
    openPort: commandPortOpener(virtual),
    url,
    config: { slot, results: true, pictureEvery: wantsPictures ? 1 : 0 },
    signal: io.signal,
  }
  await withBoard(where, async (device) => {
    const stops = [device.on('result', watcher.result), device.on('picture', watcher.picture)]
    await watcher.done
    for (const stop of stops) stop()
  }).finally(() => virtual.close())
}

/** `watch`. */
export function registerWatch(program: Command): void {
  program
    .command('watch')
    .description('Print what a board finds, a line a frame; NDJSON with --json')
    .option('--port <url>', 'board; default the only board of the daemon on this machine')
    .option('--save <dir>', 'keep the pictures as DIR/FRAME.jpg')
    .option('--slot <n>', 'model slot', '0')
    .option('--count <n>', 'stop after this many results')
    .option('--json', 'one JSON document a line')
    .addHelpText(
      'after',
      '\nExamples:\n  $ k210-bridge watch --port /dev/ttyUSB0\n  $ k210-bridge watch --port daemon:http://127.0.0.1:2100/virtual --json --count 100 > results.ndjson',
    )
    .action((options: Options) =>
      runCommand(options, async (io) => {
        const target = await findTarget(options.port)
        const limit = options.count ? parseInteger(options.count, '--count') : Number.POSITIVE_INFINITY
        const watcher = new Watcher(options, io, limit)
        const wantsPictures = options.save !== undefined
        if (target.kind === 'daemon') await watchDaemon(target, watcher, io, wantsPictures)
        else await watchPort(target.url, watcher, io, parseInteger(options.slot, '--slot'), wantsPictures)
        await watcher.end()
        return undefined
      }),
    )
}

import { MultiBar, Presets } from 'cli-progress'
import { asBridgeError, BridgeError } from '../foundation/errors.js'
import type { Progress, ProgressListener } from '../foundation/progress.js'

/** What a command says at its end. */
export interface CommandResult {
  /** The one document of `--json`. */
  readonly json: unknown
  /** The same for people. */
  readonly text: string
  /** 1 when the work was done but a check failed. */
  readonly exitCode?: 0 | 1
}

/** What a running command may use. */
export interface CommandIo {
  readonly json: boolean
  /** Aborted by Ctrl-C or SIGTERM. */
  readonly signal: AbortSignal
  readonly progress: ProgressListener
  /** A line for people: stdout, or stderr when stdout belongs to `--json`. */
  say(line: string): void
  /** A line of stdout whatever the mode (NDJSON of `watch`). */
  line(text: string): void
}

const PLAIN_STEP_MS = 2000

/** Bars on a terminal; elsewhere one plain line per stage and then one every two seconds. */
function progressReporter(): { listener: ProgressListener; stop(): void } {
  if (process.stderr.isTTY) return barReporter()
  let stage = ''
  let last = 0
  return {
    listener: (progress) => {
      const now = Date.now()
      const fresh = progress.stage !== stage
      if (!fresh && now - last < PLAIN_STEP_MS) return
      stage = progress.stage
      last = now
      process.stderr.write(
        `${progress.stage}${progress.total > 0 ? ` ${progress.done}/${progress.total} ${progress.unit}` : ''}\n`,
      )
    },
    stop: () => {},
  }
}

function barReporter(): { listener: ProgressListener; stop(): void } {
  const bars = new MultiBar(
    {
      stream: process.stderr,
      clearOnComplete: false,
      hideCursor: true,
      format: '{stage} {bar} {percentage}% {value}/{total} {unit}  {eta_formatted} left',
    },
    Presets.shades_classic,
  )
  const byStage = new Map<string, ReturnType<MultiBar['create']>>()
  const listener = ({ stage, done, total, unit }: Progress) => {
    if (total <= 0) return
    const bar = byStage.get(stage) ?? bars.create(total, done, { stage: stage.padEnd(12), unit })
    byStage.set(stage, bar)
    bar.setTotal(total)
    bar.update(done, { stage: stage.padEnd(12), unit })
  }
  return { listener, stop: () => bars.stop() }
}

/** Prints an error with code, what, where and fix. */
export function renderError(error: BridgeError, json: boolean): void {
  if (json) {
    process.stdout.write(`${JSON.stringify({ error: error.toJSON() })}\n`)
    return
  }
  const where = Object.entries(error.where).map(([key, value]) => `${key}=${value}`)
  process.stderr.write(`error ${error.code}: ${error.what}\n`)
  if (where.length > 0) process.stderr.write(`  where: ${where.join(', ')}\n`)
  if (error.fix) process.stderr.write(`  fix:   ${error.fix}\n`)
}

/** Runs a command's work: Ctrl-C, progress, the one JSON document, errors and the exit code. */
export async function runCommand(
  options: { json?: boolean },
  work: (io: CommandIo) => Promise<CommandResult | undefined>,
): Promise<void> {
  const json = options.json === true
  const abort = new AbortController()
  const stop = () => abort.abort(new BridgeError('CANCELLED', { what: 'stopped by the user' }))
  process.once('SIGINT', stop)
  process.once('SIGTERM', stop)
  const progress = progressReporter()
  const say = (text: string) => (json ? process.stderr : process.stdout).write(`${text}\n`)
  const line = (text: string) => process.stdout.write(`${text}\n`)
  try {
    const result = await work({ json, signal: abort.signal, progress: progress.listener, say, line })
    progress.stop()
    if (result) process.stdout.write(json ? `${JSON.stringify(result.json)}\n` : `${result.text}\n`)
    process.exitCode = result?.exitCode ?? 0
  } catch (thrown) {
    progress.stop()
    const error = asBridgeError(thrown)
    renderError(error, json)
    process.exitCode = error.exitCode
  } finally {
    process.removeListener('SIGINT', stop)
    process.removeListener('SIGTERM', stop)
  }
}

/** Resolves when the user stops the command. */
export function untilAborted(signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) resolve()
    else signal.addEventListener('abort', () => resolve(), { once: true })
  })
}

/** Columns padded to their widest cell. */
export function table(header: readonly string[], rows: readonly (readonly (string | number)[])[]): string {
  const cells = [header, ...rows].map((row) => row.map(String))
  const widths = header.map((_, column) => Math.max(...cells.map((row) => row[column]?.length ?? 0)))
  return cells
    .map((row) =>
      row
        .map((cell, column) => cell.padEnd(widths[column]!))
        .join('  ')
        .trimEnd(),
    )
    .join('\n')
}

/** 1234567 as `1.18 MiB`. */
export function formatBytes(bytes: number): string {
  if (bytes < 1024) return `${bytes} B`
  return bytes < 1 << 20 ? `${(bytes / 1024).toFixed(1)} KiB` : `${(bytes / (1 << 20)).toFixed(2)} MiB`
}

/** Parses `a,b,c` into numbers. @throws BridgeError `USAGE` */
export function parseNumbers(text: string, option: string): number[] {
  const numbers = text.split(',').map(Number)
  if (numbers.some((value) => !Number.isFinite(value))) {
    throw new BridgeError('USAGE', {
      what: `${option} ${text} is no list of numbers`,
      fix: `For example ${option} 127,127,127.`,
    })
  }
  return numbers
}

/** Parses a decimal or 0x number. @throws BridgeError `USAGE` */
export function parseInteger(text: string, option: string): number {
  const value = Number(text)
  if (!Number.isInteger(value) || value < 0)
    throw new BridgeError('USAGE', {
      what: `${option} ${text} is no whole number`,
      fix: `For example ${option} 0x200000.`,
    })
  return value
}

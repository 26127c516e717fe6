import type { Command } from 'commander'
import { BridgeError } from '../foundation/errors.js'
import { readFileBytes } from '../foundation/files.js'
import { toAddress } from '../foundation/hex.js'
import { flashItemsOfFiles } from '../jobs/flash-job.js'
import { type FlashedBoard, type FlashPortOptions, flashPorts } from '../jobs/flash-port.js'
import { commandPortOpener, VirtualBoards } from './open-port.js'
import {
  type CommandIo,
  type CommandResult,
  formatBytes,
  parseInteger,
  renderError,
  runCommand,
  table,
} from './runtime.js'
import { findTarget, type Target } from './target.js'

interface Options {
  readonly port: string[]
  readonly at: string[]
  readonly verify: boolean
  readonly baud?: string
  readonly erase?: boolean
  readonly force?: boolean
  readonly dryRun?: boolean
  readonly stub?: string
  readonly family?: string
  readonly json?: boolean
}

const HELP = `
FILE is a firmware image, a program (wrapped for address 0), a kfpkg package, or data with its address (--at).
Without FILE the shim's firmware is flashed. What the flash holds already is skipped, so flashing again resumes.

Examples:
  $ k210-bridge flash --port /dev/ttyUSB0 firmware.bin
  $ k210-bridge flash --port /dev/ttyUSB0 --port /dev/ttyUSB1 board.kfpkg
  $ k210-bridge flash --port tcp://127.0.0.1:4000 face.kmodel --at 0x300000 --dry-run`

const collect = (value: string, values: string[]): string[] => [...values, value]

function flashOptions(options: Options, io: CommandIo): FlashPortOptions {
  const family = options.family?.toUpperCase()
  if (family !== undefined && family !== 'A' && family !== 'B' && family !== 'C') {
    throw new BridgeError('USAGE', {
      what: `--family ${options.family} is not A, B or C`,
      fix: 'Leave it out to try all of them.',
    })
  }
  return {
    family,
    verify: options.stub ? undefined : options.verify,
    baud: options.baud ? parseInteger(options.baud, '--baud') : undefined,
    erase: options.erase,
    force: options.force,
    dryRun: options.dryRun,
    stubFile: options.stub,
    signal: io.signal,
  }
}

/** Flashes boards that a daemon owns: the files become artifacts, the work a job there. */
async function flashByDaemon(
  { client, board }: Extract<Target, { kind: 'daemon' }>,
  files: string[],
  at: number[],
  options: Options,
  io: CommandIo,
): Promise<FlashedBoard> {
  if (files.length === 0)
    throw new BridgeError('USAGE', {
      what: 'flashing through a daemon needs a file',
      fix: 'Name a firmware image or a kfpkg package.',
    })
  const items = await Promise.all(
    files.map(async (file, i) => ({
      artifact: (await client.upload(await readFileBytes(file), file.split('/').at(-1)!)).sha256,
      at: at[i],
    })),
  )
  const { verify, erase, dryRun, force } = options
  const body = {
    items,
    verify,
    erase,
    dryRun,
    force,
    baud: options.baud ? parseInteger(options.baud, '--baud') : undefined,
  }
  const result = await client.work(`/boards/${board}/flash`, body, { signal: io.signal, progress: io.progress })
  return { port: `daemon:${client.baseUrl}/${board}`, result: result as FlashedBoard['result'] }
}

async function flashAll(files: string[], options: Options, io: CommandIo): Promise<FlashedBoard[]> {
  const at = options.at.map((text) => parseInteger(text, '--at'))
  const targets = await Promise.all((options.port.length > 0 ? options.port : [undefined]).map(findTarget))
  const ports = targets.flatMap((target) => (target.kind === 'port' ? [target.url] : []))
  const byDaemon = targets.flatMap((target) =>
    target.kind === 'daemon' ? [flashByDaemon(target, files, at, options, io)] : [],
  )
  const virtual = new VirtualBoards()
  try {
    const many = targets.length > 1
    const local =
      ports.length === 0
        ? []
        : await flashPorts(commandPortOpener(virtual), ports, await flashItemsOfFiles(files, at), {
            ...flashOptions(options, io),
            onProgress: (port, progress) =>
              io.progress(many ? { ...progress, stage: `${port} ${progress.stage}` } : progress),
          })
    return [...local, ...(await Promise.all(byDaemon))]
  } finally {
    await virtual.close()
  }
}

function describe({ port, result, error }: FlashedBoard): string[] {
  if (!result) return [port, 'failed', '', '', '', error ? `${error.code}: ${error.what}` : '']
  return [
    port,
    result.isVerified ? 'verified' : 'written',
    formatBytes(result.sentBytes),
    formatBytes(result.skippedBytes),
    `${result.seconds.toFixed(1)} s`,
    result.warnings.join('; '),
  ]
}

function report(boards: readonly FlashedBoard[], options: Options): CommandResult {
  const first = boards.find((board) => board.result)?.result
  if (!first) throw boards[0]!.error!
  const failed = boards.filter((board) => board.error)
  if (!options.json) for (const board of failed) renderError(board.error!, false)
  const plan = first.plan.map((row) => [toAddress(row.address), row.name, row.role, formatBytes(row.bytes)])
  return {
    json: {
      bytes: first.bytes,
      sentBytes: first.sentBytes,
      skippedBytes: first.skippedBytes,
      seconds: first.seconds,
      sha256: first.sha256,
      plan: first.plan,
      warnings: first.warnings,
      boards: boards.map(({ port, result, error }) => ({
        port,
        ...result,
        ...(error ? { error: error.toJSON() } : {}),
      })),
    },
    text: options.dryRun
      ? `would write ${formatBytes(first.bytes)}:\n${table(['address', 'what', 'role', 'size'], plan)}${first.warnings.map((warning) => `\nwarning: ${warning}`).join('')}`
      : table(['port', 'result', 'sent', 'skipped', 'time', 'note'], boards.map(describe)),
    exitCode: failed.length > 0 ? 1 : 0,
  }
}

/** `flash`. */
export function registerFlash(program: Command): void {
  program
    .command('flash [file...]')
    .description('Flash boards through the boot ROM: skip unchanged, verify, resume')
    .option('--port <url>', 'board; several are flashed in parallel', collect, [])
    .option('--at <address>', 'address of a file, in the order of the files', collect, [])
    .option('--verify', 'compare a SHA-256 that the board computes (the default)', true)
    .option('--no-verify', 'do not')
    .option('--baud <n>', 'rate for the stub; lower ones are tried when it fails', '1500000')
    .option('--erase', 'erase the whole chip first')
    .option('--force', 'write a damaged firmware image too')
    .option('--dry-run', 'show the plan and touch nothing')
    .option('--stub <file>', 'a classic flash stub of yours (commands 0xD2 to 0xD7; no verify)')
    .option('--family <A|B|C>', 'how DTR and RTS are wired; default: try')
    .option('--json', 'print one JSON document')
    .addHelpText('after', HELP)
    .action((files: string[], options: Options) =>
      runCommand(options, async (io) => report(await flashAll(files, options, io), options)),
    )
}

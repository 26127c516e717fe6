import { spawn } from 'node:child_process'
import { join } from 'node:path'
import type { Command } from 'commander'
import type { ErrorCode } from '../foundation/error-codes.js'
import { BridgeError } from '../foundation/errors.js'
import type { Daemon } from '../http/daemon.js'
import { type DemoModel, demoModel, flashDemo } from '../jobs/demo-model.js'
import { DEFAULT_LISTEN, defaultDataFolder } from './data-folder.js'
import { sharedScene } from './open-port.js'
import { type CommandIo, formatBytes, runCommand } from './runtime.js'
import { withDaemon } from './with-daemon.js'

interface Options {
  readonly listen: string
  readonly data: string
  readonly open: boolean
  readonly json?: boolean
}

const BOARD = 'virtual'
const BOOT_MS = 30_000

/** Opens the page in the desktop's browser; where there is none, the printed URL has to do. */
function openBrowser(url: string): void {
  const [program, ...args] =
    process.platform === 'darwin' ? ['open'] : process.platform === 'win32' ? ['cmd', '/c', 'start', ''] : ['xdg-open']
  if (process.platform === 'linux' && !process.env.DISPLAY && !process.env.WAYLAND_DISPLAY) return
  spawn(program!, [...args, url], { stdio: 'ignore', detached: true })
    .on('error', () => {})
    .unref()
}

/** Compiles, then flashes firmware and model through the boot ROM, as with a board on the desk. */
async function bringUp(daemon: Daemon, model: DemoModel, io: CommandIo): Promise<void> {
  const device = daemon.services.fleet.get(BOARD)
  device.rememberCard(model.sha256, model.card)
  const job = daemon.services.jobs.start('flash', ({ signal, progress }) =>
    flashDemo(device, model, {
      signal,
      progress: (step) => {
        progress(step)
        io.progress(step)
      },
    }),
  )
  const cancel = () => void daemon.services.jobs.cancel(job.id)
  io.signal.addEventListener('abort', cancel, { once: true })
  const { error, result } = await daemon.services.jobs.wait(job.id)
  io.signal.removeEventListener('abort', cancel)
  if (error) throw new BridgeError(error.code as ErrorCode, error) // jobs keep the code of what was thrown
  const flash = result as { sentBytes: number; skippedBytes: number; seconds: number }
  io.say(
    `flashed in ${flash.seconds.toFixed(1)} s of board time: ${formatBytes(flash.sentBytes)} sent, ${formatBytes(flash.skippedBytes)} were there already`,
  )
  await device.whenRunning(BOOT_MS, io.signal)
  io.say(`the board runs ${device.view().firmware?.buildId} with ${model.card.name}`)
}

/** `demo`: the main job with nothing attached. */
export function registerDemo(program: Command): void {
  program
    .command('demo')
    .description('The main job with nothing attached: compile, flash, boot, watch, on a virtual board')
    .option('--listen <host:port>', 'address of the page and the API', DEFAULT_LISTEN)
    .option('--data <dir>', 'folder of database, artifacts and the compiled model', join(defaultDataFolder(), 'demo'))
    .option('--no-open', 'do not open a browser')
    .option('--json', 'print one JSON document when the page is there')
    .addHelpText('after', '\nExamples:\n  $ npm start\n  $ k210-bridge demo --listen 127.0.0.1:0 --no-open')
    .action((options: Options) =>
      runCommand(options, (io) =>
        withDaemon({ ...options, logLevel: 'warn' }, io, async (daemon, virtual) => {
          io.line(options.json ? JSON.stringify({ url: daemon.url }) : `live page: ${daemon.url}`)
          const model = await demoModel(options.data, { progress: io.progress, signal: io.signal })
          io.say(
            `${model.card.name}: ${formatBytes(model.kmodel.length)}, forecast ${model.card.forecast?.ms.toFixed(1)} ms a frame on the chip${model.isCached ? ' (compiled before)' : ''}`,
          )
          await virtual.create('virtual:', { pace: 'real', camera: { kind: 'scene', ...(await sharedScene()) } })
          await daemon.services.fleet.add('virtual:', BOARD)
          await bringUp(daemon, model, io)
          if (options.open && !options.json) openBrowser(daemon.url)
          io.say('press Ctrl-C to stop')
        }),
      ),
    )
}

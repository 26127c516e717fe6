import { basename } from 'node:path'
import type { Command } from 'commander'
import { readFileBytes } from '../foundation/files.js'
import { withBoard } from '../jobs/board-at-port.js'
import { checkKmodel, type DeployedModel, deployModel } from '../jobs/deploy-job.js'
import { findCard } from '../jobs/model-file.js'
import { commandPortOpener, VirtualBoards } from './open-port.js'
import { formatBytes, parseInteger, runCommand } from './runtime.js'
import { findTarget } from './target.js'

interface Options {
  readonly port?: string
  readonly slot: string
  readonly card?: string
  readonly json?: boolean
}

/** `deploy`. */
export function registerDeploy(program: Command): void {
  program
    .command('deploy <kmodel>')
    .description('Put a model into a slot of the running shim: skip unchanged, resume, verify, load')
    .option('--port <url>', 'board; default the only board of the daemon on this machine')
    .option('--slot <n>', 'model slot, 0..3', '0')
    .option('--card <file>', 'card; default the one beside the kmodel')
    .option('--json', 'print one JSON document')
    .addHelpText(
      'after',
      '\nExamples:\n  $ k210-bridge deploy face.kmodel --port /dev/ttyUSB0 --slot 0\n  $ k210-bridge deploy face.kmodel --port daemon:http://127.0.0.1:2100/virtual',
    )
    .action((file: string, options: Options) =>
      runCommand(options, async (io) => {
        const slot = parseInteger(options.slot, '--slot')
        const kmodel = await readFileBytes(file)
        await checkKmodel(kmodel)
        const card = await findCard(file, kmodel, options.card)
        const name = card?.name ?? basename(file).replace(/\.kmodel$/, '')
        const target = await findTarget(options.port)
        let result: DeployedModel
        if (target.kind === 'daemon') {
          const { client, board } = target
          const artifact = (await client.upload(kmodel, basename(file))).sha256
          const cardArtifact =
            card && (await client.upload(Buffer.from(JSON.stringify(card)), `${name}.card.json`)).sha256
          result = (await client.work(
            `/boards/${board}/models`,
            { artifact, card: cardArtifact, slot, name },
            io,
          )) as DeployedModel
        } else {
          const virtual = new VirtualBoards()
          const where = {
            openPort: commandPortOpener(virtual),
            url: target.url,
            config: { slot, results: false, pictureEvery: 0 },
            signal: io.signal,
          }
          result = await withBoard(where, (device) => deployModel(device, { kmodel, name, slot, card }, io)).finally(
            () => virtual.close(),
          )
        }
        const port = target.kind === 'port' ? target.url : `daemon:${target.client.baseUrl}/${target.board}`
        return {
          json: { ...result, boards: [{ port, ...result }] },
          text: `${name} is in slot ${result.slot} and loaded: ${formatBytes(result.sentBytes)} sent, ${formatBytes(result.skippedBytes)} were there already, ${result.seconds.toFixed(1)} s, sha256 ${result.sha256}`,
        }
      }),
    )
}

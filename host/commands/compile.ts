import type { Command } from 'commander'
import { BridgeError } from '../foundation/errors.js'
import { compileFile } from '../jobs/compile-file.js'
import { formatBytes, parseInteger, parseNumbers, runCommand, table } from './runtime.js'

interface Options {
  readonly output: string
  readonly card?: string
  readonly target: string
  readonly calibration?: string
  readonly samples: string
  readonly mean?: string
  readonly std?: string
  readonly method?: string
  readonly keepHead?: boolean
  readonly outputs?: string
  readonly inputShape?: string
  readonly dumpIr?: string
  readonly json?: boolean
}

const HELP = `
Examples:
  $ k210-bridge models get tiny-face-320x256 -o face.onnx
  $ k210-bridge compile face.onnx -o face.kmodel
  $ k210-bridge compile slim.onnx -o slim.kmodel --calibration pictures/ --mean 127,127,127 --std 128,128,128

The card beside MODEL (MODEL.card.json), --card, or the zoo's cards of known files say how pictures become the input
and how the outputs are decoded. Without a card pictures are stretched to the input's size. Without --calibration the zoo's own pictures are used.`

function inputShape(text: string): Record<string, number[]> {
  const match = /^([^=]+)=(\d+(?:x\d+)+)$/.exec(text)
  if (!match)
    throw new BridgeError('USAGE', {
      what: `--input-shape ${text} is not NAME=1x3xHxW`,
      fix: 'For example --input-shape input=1x3x240x320.',
    })
  return { [match[1]!]: match[2]!.split('x').map(Number) }
}

/** `compile MODEL -o OUT.kmodel`. */
export function registerCompile(program: Command): void {
  program
    .command('compile <model>')
    .description('Compile a network to a kmodel and its card')
    .requiredOption('-o, --output <file>', 'kmodel to write; the card goes beside it')
    .option('--card <file>', 'card of the network: input rule, decoder, labels')
    .option('--target <version>', 'v4', 'v4')
    .option('--calibration <dir|list>', 'folder of pictures, or a text file with one path a line')
    .option('--samples <n>', 'calibration pictures at most', '100')
    .option('--mean <a,b,c>', 'real = (pixel - mean) / std, pixels 0..255')
    .option('--std <a,b,c>', 'see --mean')
    .option('--method <name>', 'how ranges are chosen: minmax (all that was seen) or mse (least squared error)')
    .option('--keep-head', 'compile the whole graph instead of cutting it at the detection heads')
    .option('--outputs <a,b>', 'tensors to end at')
    .option('--input-shape <name=1x3xHxW>', 'fixes a dynamic input')
    .option('--dump-ir <dir>', 'writes the graph after every pass')
    .option('--json', 'print one JSON document')
    .addHelpText('after', HELP)
    .action((model: string, options: Options) =>
      runCommand(options, async (io) => {
        const report = await compileFile(
          {
            model,
            output: options.output,
            cardFile: options.card,
            target: options.target,
            calibration: options.calibration,
            samples: parseInteger(options.samples, '--samples'),
            mean: options.mean ? parseNumbers(options.mean, '--mean') : undefined,
            std: options.std ? parseNumbers(options.std, '--std') : undefined,
            method: options.method,
            keepHead: options.keepHead,
            outputs: options.outputs?.split(','),
            inputShape: options.inputShape ? inputShape(options.inputShape) : undefined,
            dumpIr: options.dumpIr,
          },
          { progress: io.progress, signal: io.signal },
        )
        for (const warning of report.warnings) process.stderr.write(`warning: ${warning}\n`)
        const rows = report.layers.map((layer) => [
          layer.name,
          layer.op,
          layer.where,
          (layer.macs / 1e6).toFixed(2),
          layer.predictedMs.toFixed(3),
          layer.snrDb?.toFixed(1) ?? '',
          layer.cosine?.toFixed(5) ?? '',
          layer.reason ?? '',
        ])
        const { memory } = report
        return {
          json: report,
          text: [
            table(['layer', 'op', 'where', 'MMAC', 'ms', 'SNR dB', 'cosine', 'reason'], rows),
            '',
            `${report.kmodel}: ${formatBytes(report.bytes)}, sha256 ${report.sha256}`,
            `memory: model ${formatBytes(memory.modelBytes)} + working ${formatBytes(memory.mainBytes)} = ${formatBytes(memory.peakBytes)} of ${formatBytes(memory.limitBytes)}, KPU rows ${memory.kpuRows}: ${memory.fits ? 'fits' : 'does NOT fit'}`,
            `forecast: ${report.predictedMs.toFixed(2)} ms a frame on the chip (not run on a board)`,
          ].join('\n'),
          exitCode: memory.fits ? 0 : 1,
        }
      }),
    )
}

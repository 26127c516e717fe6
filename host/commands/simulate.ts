import type { Command } from 'commander'
import { BridgeError } from '../foundation/errors.js'
import { type SimulationReport, simulateFile } from '../jobs/simulate.js'
import { parseInteger, runCommand, table } from './runtime.js'

interface Options {
  readonly input: string
  readonly out?: string
  readonly layers?: boolean
  readonly card?: string
  readonly draw?: string
  readonly threads: string
  readonly json?: boolean
}

const HELP = `
The input is the raw dense NCHW tensor in the model's input type, or a picture (JPEG, PNG, WebP, PGM, PPM), which the
card turns into the input: --card, the card beside the file, or the zoo's card of a known file. Where the card has a
decoder the boxes are printed, in pixels of the picture.

Examples:
  $ k210-bridge simulate face.kmodel --input photo.jpg --draw boxes.png
  $ k210-bridge simulate model.kmodel --input input.bin --out out/ --layers --json`

function reportText(report: SimulationReport): string {
  const layers = report.layers.map(({ index, kind, shape, sha256 }) => [index, kind, shape?.join('x') ?? '', sha256])
  const boxes = (report.detections ?? []).map(({ box, score, label }) => [
    label,
    score.toFixed(3),
    ...box.map((value) => value.toFixed(1)),
  ])
  return [
    ...(layers.length > 0 ? [table(['#', 'layer', 'shape', 'sha256'], layers), ''] : []),
    ...report.outputs.map(
      ({ index, bytes, sha256 }) => `output ${index}: ${bytes} bytes, sha256 ${sha256} ${report.files[index] ?? ''}`,
    ),
    ...(report.detections ? [`${boxes.length} detections`] : []),
    ...(boxes.length > 0 ? [table(['label', 'score', 'x', 'y', 'width', 'height'], boxes)] : []),
    `${report.ms.toFixed(2)} ms for one run on this machine (not on the chip)`,
  ].join('\n')
}

/** `simulate FILE.kmodel --input FILE`. */
export function registerSimulate(program: Command): void {
  program
    .command('simulate <kmodel>')
    .description('Run a kmodel bit for bit as the chip would')
    .requiredOption('--input <file>', 'raw tensor or picture')
    .option('--out <dir>', 'writes DIR/outN.bin')
    .option('--layers', "print the hash of every layer's result")
    .option('--card <file>', 'input rule, decoder and labels; default the card beside the kmodel')
    .option('--draw <file>', 'PNG or JPEG file that gets the picture with its boxes')
    .option('--threads <n>', 'worker threads', '1')
    .option('--json', 'print one JSON document')
    .addHelpText('after', HELP)
    .action((kmodel: string, options: Options) =>
      runCommand(options, async () => {
        const threads = parseInteger(options.threads, '--threads')
        if (threads < 1) throw new BridgeError('USAGE', { what: `--threads ${threads}: at least 1 is needed` })
        if (threads > 1) process.stderr.write(`--threads ${threads}: this version runs on one thread\n`)
        const { input, out, layers, card: cardFile, draw } = options
        const report = await simulateFile({ kmodel, input, out, layers, cardFile, draw })
        for (const warning of report.warnings) process.stderr.write(`warning: ${warning}\n`)
        return { json: report, text: reportText(report) }
      }),
    )
}

import type { Command } from 'commander'
import { type EvaluateReport, evaluateFile } from '../jobs/evaluate-job.js'
import { parseInteger, runCommand, table } from './runtime.js'

interface Options {
  readonly task: string
  readonly data: string
  readonly card?: string
  readonly limit?: string
  readonly exclude?: string
  readonly json?: boolean
}

const HELP = `
DIR holds pictures and labels.json: a list of {file, boxes: [[x, y, width, height]...], ignore: [...]}. AP50 counts every
box from score 0.1 on; recall and precision are taken at the card's score threshold.

Examples:
  $ k210-bridge evaluate face.onnx --task face-detect --data pictures/
  $ k210-bridge evaluate face.kmodel --task face-detect --data pictures/ --exclude calibration/ --json`

const percent = (share: number): string => (Number.isFinite(share) ? (100 * share).toFixed(2) : '-')

function reportText(report: EvaluateReport): string {
  const rows = report.byMinSize.map(({ minSize, faces, ap50, recall, precision }) => [
    `>= ${minSize} px`,
    faces,
    percent(ap50),
    percent(recall),
    percent(precision),
  ])
  const what = report.runs === 'kmodel' ? 'kmodel in the simulator' : 'float network'
  return [
    `${report.model} (${what}, card ${report.card}) on ${report.images} pictures`,
    table(['faces', 'count', 'AP50 %', 'recall %', 'precision %'], rows),
    `recall and precision at score ${report.threshold}`,
  ].join('\n')
}

/** `evaluate MODEL_OR_KMODEL`. */
export function registerEvaluate(program: Command): void {
  program
    .command('evaluate <model>')
    .description('Accuracy of a model file or a kmodel on labelled pictures')
    .requiredOption('--task <name>', 'face-detect (face-verify and classify come later)')
    .requiredOption('--data <dir>', 'pictures with labels.json')
    .option('--card <file>', "input rule and decoder; default the card beside the model or the zoo's")
    .option('--limit <n>', 'pictures at most')
    .option('--exclude <dir|list>', 'pictures to leave out, by their bytes: those of the calibration')
    .option('--json', 'print one JSON document')
    .addHelpText('after', HELP)
    .action((model: string, options: Options) =>
      runCommand(options, async (io) => {
        const { task, data, card: cardFile, exclude } = options
        const limit = options.limit === undefined ? undefined : parseInteger(options.limit, '--limit')
        const report = await evaluateFile({ model, task, data, cardFile, limit, exclude }, io)
        return { json: report, text: reportText(report) }
      }),
    )
}

import type { Command } from 'commander'
import { getModel, listModels } from '../jobs/models.js'
import { formatBytes, runCommand, table } from './runtime.js'

/** `models list` and `models get NAME`. */
export function registerModels(program: Command): void {
  const models = program
    .command('models')
    .description('Networks that npm packages ship')
    .addHelpText(
      'after',
      '\nExamples:\n  $ k210-bridge models list\n  $ k210-bridge models get tiny-face-320x256 -o face.onnx',
    )
  models
    .command('list')
    .description('List the networks')
    .option('--json', 'print one JSON document')
    .action((options: { json?: boolean }) =>
      runCommand(options, async () => {
        const rows = listModels()
        return {
          json: { models: rows },
          text: table(
            ['name', 'task', 'input', 'parameters', 'package', 'licence'],
            rows.map((row) => [row.name, row.task, row.input.join('x'), row.parameters, row.package, row.licence]),
          ),
        }
      }),
    )
  models
    .command('get <name>')
    .description('Write a network as ONNX, with its card beside it')
    .option('-o, --output <file>', 'default NAME.onnx')
    .option('--json', 'print one JSON document')
    .action((name: string, options: { output?: string; json?: boolean }) =>
      runCommand(options, async () => {
        const result = await getModel(name, options.output ?? `${name}.onnx`)
        return {
          json: result,
          text: `${result.file}: ${formatBytes(result.bytes)}, sha256 ${result.sha256}\n${result.card}: the card`,
        }
      }),
    )
}

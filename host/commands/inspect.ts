import type { Command } from 'commander'
import { type Inspection, inspectFile } from '../jobs/inspect.js'
import { inspectionText } from './inspect-text.js'
import { runCommand } from './runtime.js'

interface Options {
  readonly card?: string
  readonly json?: boolean
}

const HELP = `
Knows kmodel v3 and v4, kfpkg packages, firmware images and programs, copies of a whole flash (also the flash file of a
virtual board), ONNX models and model cards. Ends with 1 when the file is damaged: a firmware image that the boot ROM
would refuse, a model in flash whose hash is wrong, a kmodel that breaks a rule.

Examples:
  $ k210-bridge inspect face.kmodel
  $ k210-bridge inspect maixpy.kfpkg
  $ k210-bridge inspect board.bin --json`

/** True when what was found is sound. */
function isSound(found: Inspection): boolean {
  if (found.kind === 'firmware') return found.boots
  if (found.kind === 'flash') return found.problems.length === 0
  return found.kind !== 'kmodel' || found.isValid
}

/** `inspect FILE`. */
export function registerInspect(program: Command): void {
  program
    .command('inspect <file>')
    .description('Tell what a file is and what is in it: layers, memory map, forecast, hashes')
    .option('--card <file>', 'card of a kmodel; default the one beside it')
    .option('--json', 'print one JSON document')
    .addHelpText('after', HELP)
    .action((file: string, options: Options) =>
      runCommand(options, async () => {
        const found = await inspectFile(file, options.card)
        return { json: found, text: inspectionText(file, found), exitCode: isSound(found) ? 0 : 1 }
      }),
    )
}

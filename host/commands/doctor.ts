import type { Command } from 'commander'
import { runDoctor } from '../jobs/doctor.js'
import { runCommand, table } from './runtime.js'
import { localDaemonUrl } from './target.js'

/** `doctor`. */
export function registerDoctor(program: Command): void {
  program
    .command('doctor')
    .description('Check this machine: Node, packages, firmware files, ports and permissions, daemon')
    .option('--json', 'print one JSON document')
    .addHelpText('after', '\nEnds with 1 when something has to be repaired.\n\nExample:\n  $ k210-bridge doctor')
    .action((options: { json?: boolean }) =>
      runCommand(options, async () => {
        const checks = await runDoctor(localDaemonUrl())
        const fixes = checks.filter(({ fix }) => fix !== '').map(({ name, fix }) => `${name}: ${fix}`)
        const rows = checks.map(({ name, state, detail }) => [state, name, detail])
        return {
          json: { checks },
          text: [table(['state', 'check', 'detail'], rows), ...(fixes.length > 0 ? ['', ...fixes] : [])].join('\n'),
          exitCode: checks.some(({ state }) => state === 'fail') ? 1 : 0,
        }
      }),
    )
}

import type { Command } from 'commander'
import { listPorts } from '../port/list.js'
import { runCommand, table } from './runtime.js'

/** `ports`. */
export function registerPorts(program: Command): void {
  program
    .command('ports')
    .description('List serial ports with a guess which is a K210 and how it is wired')
    .option('--json', 'print one JSON document')
    .addHelpText('after', '\nExample:\n  $ k210-bridge ports')
    .action((options: { json?: boolean }) =>
      runCommand(options, async () => {
        const ports = await listPorts()
        const rows = ports.map((port) => [
          port.path,
          port.vendorId ? `${port.vendorId}:${port.productId ?? '?'}` : '-',
          port.serialNumber ?? '-',
          port.isLikelyK210 ? `yes${port.wiring ? `, wiring ${port.wiring}` : ''}` : 'no',
          port.guess,
        ])
        const none = 'no serial ports; `k210-bridge doctor` says what to check, `--port virtual:` needs none'
        return {
          json: { ports },
          text: rows.length > 0 ? table(['port', 'usb', 'serial', 'k210', 'guess'], rows) : none,
        }
      }),
    )
}

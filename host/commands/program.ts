import { Command, type CommanderError } from 'commander'
import { BridgeError } from '../foundation/errors.js'
import { bridgeVersion } from '../jobs/bridge-version.js'
import { renderError } from './runtime.js'

/**
 * Commands by the word on the command line. A run loads the module of its own command only: it starts sooner, and
 * `doctor` works where a native package of another command does not load.
 */
const COMMANDS: Readonly<Record<string, () => Promise<(program: Command) => void>>> = {
  demo: async () => (await import('./demo.js')).registerDemo,
  serve: async () => (await import('./serve.js')).registerServe,
  models: async () => (await import('./models.js')).registerModels,
  compile: async () => (await import('./compile.js')).registerCompile,
  inspect: async () => (await import('./inspect.js')).registerInspect,
  simulate: async () => (await import('./simulate.js')).registerSimulate,
  evaluate: async () => (await import('./evaluate.js')).registerEvaluate,
  flash: async () => (await import('./flash.js')).registerFlash,
  deploy: async () => (await import('./deploy.js')).registerDeploy,
  watch: async () => (await import('./watch.js')).registerWatch,
  ports: async () => (await import('./ports.js')).registerPorts,
  doctor: async () => (await import('./doctor.js')).registerDoctor,
  'virtual-board': async () => (await import('./virtual-board.js')).registerVirtualBoard,
}

/** Words by which commander ends a run that is no error. */
const QUIET = new Set(['commander.helpDisplayed', 'commander.help', 'commander.version'])

/** Wrong usage ends with code 2 and the form that every error has. */
function endUsage(error: CommanderError): never {
  if (QUIET.has(error.code)) process.exit(0)
  const what = error.message.replace(/^error: /, '')
  renderError(new BridgeError('USAGE', { what, fix: 'See k210-bridge --help.' }), process.argv.includes('--json'))
  process.exit(2)
}

/** The command line with all its commands, or with `only` one of them when there is one of that name. */
export async function createProgram(only = ''): Promise<Command> {
  const program = new Command('k210-bridge')
    .description('Compile face networks for the Kendryte K210, flash boards, watch live face recognition.')
    .version(bridgeVersion)
    .showHelpAfterError(false)
    .configureOutput({ outputError: () => {} })
    .exitOverride(endUsage)
  const chosen = Object.hasOwn(COMMANDS, only) ? [COMMANDS[only]!] : Object.values(COMMANDS)
  for (const load of chosen) (await load())(program)
  for (const command of program.commands) {
    for (const one of [command, ...command.commands])
      one.configureOutput({ outputError: () => {} }).exitOverride(endUsage)
  }
  return program
}

import { Command, type CommanderError } from 'commander'
import { BridgeError } from '../foundation/errors.js'
import { bridgeVersion } from '../jobs/bridge-version.js'
import { registerCompile } from './compile.js'
import { registerDemo } from './demo.js'
import { registerDeploy } from './deploy.js'
import { registerDoctor } from './doctor.js'
import { registerEvaluate } from './evaluate.js'
import { registerFlash } from './flash.js'
import { registerInspect } from './inspect.js'
import { registerModels } from './models.js'
import { registerPorts } from './ports.js'
import { renderError } from './runtime.js'
import { registerServe } from './serve.js'
import { registerSimulate } from './simulate.js'
import { registerVirtualBoard } from './virtual-board.js'
import { registerWatch } from './watch.js'

const REGISTER = [
  registerDemo,
  registerServe,
  registerModels,
  registerCompile,
  registerInspect,
  registerSimulate,
  registerEvaluate,
  registerFlash,
  registerDeploy,
  registerWatch,
  registerPorts,
  registerDoctor,
  registerVirtualBoard,
]

/** Words by which commander ends a run that is no error. */
const QUIET = new Set(['commander.helpDisplayed', 'commander.help', 'commander.version'])

/** Wrong usage ends with code 2 and the form that every error has. */
function endUsage(error: CommanderError): never {
  if (QUIET.has(error.code)) process.exit(0)
  const what = error.message.replace(/^error: /, '')
  renderError(new BridgeError('USAGE', { what, fix: 'See k210-bridge --help.' }), process.argv.includes('--json'))
  process.exit(2)
}

/** The command line with all its commands. */
export function createProgram(): Command {
  const program = new Command('k210-bridge')
    .description('Compile face networks for the Kendryte K210, flash boards, watch live face recognition.')
    .version(bridgeVersion)
    .showHelpAfterError(false)
    .configureOutput({ outputError: () => {} })
    .exitOverride(endUsage)
  for (const register of REGISTER) register(program)
  for (const command of program.commands) {
    for (const one of [command, ...command.commands])
      one.configureOutput({ outputError: () => {} }).exitOverride(endUsage)
  }
  return program
}

import { constants } from 'node:fs'
import { access, readFile } from 'node:fs/promises'
import { userInfo } from 'node:os'
import { delimiter, join } from 'node:path'
import { type DoctorCheck, fail, ok, reasonOf, warn } from './check.js'

const NO_PORTS_FIX =
  'Plug the board in with a data cable; virtual boards need no port: k210-bridge demo, or --port virtual:.'

/** Serial ports of this machine and whether this user may open them. */
export async function checkPorts(): Promise<DoctorCheck[]> {
  try {
    const { listPorts } = await import('../../port/list.js')
    const ports = await listPorts()
    if (ports.length === 0) return [warn('serial ports', 'none found', NO_PORTS_FIX)]
    return Promise.all(ports.map(({ path, guess }) => checkPort(path, guess)))
  } catch (error) {
    return [fail('serial ports', `cannot be listed: ${reasonOf(error)}`, 'Run npm ci again on this machine.')]
  }
}

async function checkPort(path: string, guess: string): Promise<DoctorCheck> {
  const name = `port ${path}`
  if (process.platform === 'win32') return ok(name, guess)
  try {
    await access(path, constants.R_OK | constants.W_OK)
    return ok(name, guess)
  } catch (error) {
    const { serialOpenError } = await import('../../port/serial-errors.js')
    const { what, fix } = serialOpenError(path, new Error(`permission denied: ${reasonOf(error)}`))
    return fail(name, what, fix)
  }
}

const SERIAL_GROUPS = ['dialout', 'uucp']

/** Who is asking, and what /etc/group says. */
export interface UserFacts {
  readonly uid: number
  readonly name: string
  readonly groupIds: readonly number[]
  /** Text of /etc/group. */
  readonly groupFile: string
}

/** Membership in the group that Linux gives serial ports to. */
export function checkGroup(facts: UserFacts): DoctorCheck {
  if (facts.uid === 0) return ok('serial group', 'root may open every port')
  const rows = facts.groupFile.split('\n').map((line) => line.split(':'))
  const group = rows.find(([name = '']) => SERIAL_GROUPS.includes(name))
  if (!group) return warn('serial group', 'this system has neither dialout nor uucp', 'Use a udev rule: see above.')
  const [name, , id] = group
  if (facts.groupIds.includes(Number(id))) return ok('serial group', `${facts.name} is in ${name}`)
  return warn(
    'serial group',
    `${facts.name} is not in ${name}`,
    `sudo usermod -aG ${name} ${facts.name}, then log in again. Or put this line into /etc/udev/rules.d/99-k210.rules: ${UDEV_RULE}`,
  )
}

/** Rule that opens the USB bridges of K210 boards to everybody. */
export const UDEV_RULE = 'SUBSYSTEM=="tty", ATTRS{idVendor}=="1a86|0403|067b|10c4|c251", MODE="0666"'

/** The user's group on Linux; elsewhere there is nothing to check. */
export async function checkUser(): Promise<DoctorCheck[]> {
  if (process.platform !== 'linux') return []
  const { uid, username } = userInfo()
  const groupFile = await readFile('/etc/group', 'utf8').catch(() => '')
  return [checkGroup({ uid, name: username, groupIds: process.getgroups?.() ?? [], groupFile })]
}

async function onPath(names: readonly string[]): Promise<string | undefined> {
  const folders = (process.env.PATH ?? '').split(delimiter).filter((folder) => folder !== '')
  for (const file of folders.flatMap((folder) => names.map((name) => join(folder, name)))) {
    const isThere = await access(file, constants.X_OK).then(
      () => true,
      () => false,
    )
    if (isThere) return file
  }
  return undefined
}

/** Programs that some commands want. */
const TOOLS: readonly { readonly names: readonly string[]; readonly use: string; readonly fix: string }[] = [
  { names: ['udevadm'], use: 'serial numbers of ports; without it /sys is read', fix: 'Install udev.' },
  { names: ['socat'], use: 'virtual-board --pty', fix: 'Install socat if you want virtual serial ports.' },
  {
    names: ['chromium', 'chromium-browser', 'google-chrome'],
    use: 'the test of the live page; any browser shows it',
    fix: 'Install chromium to run that test.',
  },
]

/** Optional programs. */
export async function checkTools(): Promise<DoctorCheck[]> {
  if (process.platform !== 'linux') return []
  return Promise.all(
    TOOLS.map(async ({ names, use, fix }) => {
      const file = await onPath(names)
      return file ? ok(`tool ${names[0]}`, `${file} (${use})`) : warn(`tool ${names[0]}`, `absent (${use})`, fix)
    }),
  )
}

const DAEMON_MS = 1000

/** The daemon of this machine. @param url - for example http://127.0.0.1:2100 */
export async function checkDaemon(url: string): Promise<DoctorCheck> {
  try {
    const response = await fetch(`${url}/api/v1/health`, { signal: AbortSignal.timeout(DAEMON_MS) })
    if (response.ok) return ok('daemon', `answers at ${url}`)
    return warn('daemon', `${url} answers with status ${response.status}`, 'Check what listens there.')
  } catch {
    return warn('daemon', `none at ${url}; commands open ports themselves`, 'Start one with k210-bridge serve.')
  }
}

import { readFileSync, statSync } from 'node:fs'
import type { ErrorCode } from '../foundation/error-codes.js'
import { BridgeError, type ErrorDetails } from '../foundation/errors.js'

/** What must be known of this machine to say how a permission problem is solved. */
export interface PermissionFacts {
  /** Group that owns the device file, for example `dialout`; undefined where it cannot be known. */
  readonly group?: string
  readonly user?: string
}

/** Turns what the operating system said on opening a serial port into PORT_PERMISSION, PORT_BUSY or PORT_OPEN. */
export function serialOpenError(
  path: string,
  thrown: unknown,
  facts: PermissionFacts = permissionFacts(path),
): BridgeError {
  const message = thrown instanceof Error ? thrown.message : String(thrown)
  const { code, what, fix } = classify(path, message, facts)
  return new BridgeError(code, { what, fix, where: { port: path }, cause: thrown })
}

function classify(
  path: string,
  message: string,
  facts: PermissionFacts,
): { readonly code: ErrorCode } & Required<Pick<ErrorDetails, 'what' | 'fix'>> {
  if (/permission denied|operation not permitted/i.test(message)) {
    return { code: 'PORT_PERMISSION', what: `the user may not open ${path}`, fix: permissionFix(path, facts) }
  }
  if (/busy|lock port|temporarily unavailable|access denied|access is denied/i.test(message)) {
    return {
      code: 'PORT_BUSY',
      what: `another program has ${path} open`,
      fix: `Close the other program (a terminal, an IDE or the daemon; on Linux "fuser -v ${path}" names it) and try again.`,
    }
  }
  if (/no such file|file not found|cannot find/i.test(message)) {
    return {
      code: 'PORT_OPEN',
      what: `there is no port ${path}`,
      fix: 'Plug the board in; "k210-bridge ports" lists what is there.',
    }
  }
  return {
    code: 'PORT_OPEN',
    what: `${path} cannot be opened: ${message}`,
    fix: 'Unplug the board and plug it in again.',
  }
}

function permissionFix(path: string, facts: PermissionFacts): string {
  const rule = `SUBSYSTEM=="tty", ATTRS{idVendor}=="1a86|0403|067b|10c4|c251", MODE="0666"`
  const ruleText = `put the udev rule '${rule}' into /etc/udev/rules.d/99-k210.rules and plug the board in again`
  if (facts.group === undefined || facts.group === 'root') return `Give the user access to ${path}: ${ruleText}.`
  return `Add the user to the group that owns it: "sudo usermod -aG ${facts.group} ${facts.user ?? '$USER'}", then log in again. Or ${ruleText}.`
}

function permissionFacts(path: string): PermissionFacts {
  const user = process.env.USER
  try {
    const gid = statSync(path).gid
    const line = readFileSync('/etc/group', 'utf8')
      .split('\n')
      .find((row) => row.split(':')[2] === String(gid))
    return { group: line?.split(':')[0] ?? 'dialout', user }
  } catch {
    return { group: process.platform === 'linux' ? 'dialout' : undefined, user }
  }
}

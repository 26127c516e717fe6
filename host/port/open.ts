import { BridgeError } from '../foundation/errors.js'
import type { PortOpener } from './port.js'
import { openSerial } from './serial.js'
import { openTcp } from './tcp.js'

/** Openers by scheme, without the colon. What has no scheme (a path, COM3) is a serial port. */
export type SchemeTable = Readonly<Record<string, PortOpener>>

const later: PortOpener = async (url) => {
  throw new BridgeError('PORT_URL', {
    what: `${url}: RFC 2217 ports come later`,
    where: { port: url },
    fix: 'Use the serial port itself, or tcp://host:port where no reset by modem lines is needed.',
  })
}

const BUILT_IN: SchemeTable = {
  serial: (url, options) => openSerial(url.replace(/^serial:(\/\/)?/, ''), options),
  tcp: openTcp,
  rfc2217: later,
}

/**
 * Makes the opener of a process.
 * @param extra - further schemes; folders above this one register theirs here, for example `virtual`
 */
export function createPortOpener(extra: SchemeTable = {}): PortOpener {
  const schemes: SchemeTable = { ...BUILT_IN, ...extra }
  return async (url, options) => {
    const scheme = schemeOf(url)
    const open = schemes[scheme]
    if (open === undefined) {
      throw new BridgeError('PORT_URL', {
        what: `the scheme ${scheme}: is unknown`,
        where: { port: url },
        fix: `Use a serial port such as /dev/ttyUSB0 or COM3, or one of ${Object.keys(schemes).join(', ')}.`,
      })
    }
    return open(url, options)
  }
}

/** Opens serial and tcp ports. */
export const openPort: PortOpener = createPortOpener()

/** Scheme of a port URL; `serial` for a path or a COM port. @throws BridgeError `PORT_URL` when it is empty */
function schemeOf(url: string): string {
  if (url.trim() === '') {
    throw new BridgeError('PORT_URL', {
      what: 'the port URL is empty',
      fix: 'Name a port, for example /dev/ttyUSB0; "k210-bridge ports" lists them.',
    })
  }
  if (/^COM\d+$/i.test(url)) return 'serial'
  const match = /^([a-z][a-z0-9+.-]*):/i.exec(url)
  return match ? match[1]!.toLowerCase() : 'serial'
}

import { readdir, readFile, readlink, realpath } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { SerialPort } from 'serialport'

/** Wiring families of isp.md section 1.2: how DTR and RTS reach RESET and IO16. */
export type WiringGuess = 'A' | 'B' | 'C'

/** One serial port of this machine. */
export interface ListedPort {
  readonly path: string
  readonly vendorId?: string
  readonly productId?: string
  readonly manufacturer?: string
  readonly serialNumber?: string
  /** Stable name below /dev/serial/by-id, where there is one. */
  readonly byId?: string
  /** True when the USB bridge is one that K210 boards carry. */
  readonly isLikelyK210: boolean
  /** Family to try first; the flasher tries the others too. */
  readonly wiring?: WiringGuess
  /** The guess in words. */
  readonly guess: string
}

/** What a port is known by, before the guess. */
export type PortFacts = Omit<ListedPort, 'isLikelyK210' | 'wiring' | 'guess'>

/** Bridges of K210 boards by USB id. Source: isp.md sections 1.2, 1.4 and 1.5. */
const BRIDGES: readonly {
  readonly vendor: string
  readonly product?: string
  readonly wiring?: WiringGuess
  readonly guess: string
}[] = [
  { vendor: '1a86', product: '7523', wiring: 'A', guess: 'CH340: Maix Dock, Maix Bit without microphone' },
  {
    vendor: '0403',
    product: '6010',
    wiring: 'B',
    guess: 'FT2232 or look-alike: Maix Bit with microphone, M5StickV, Amigo, Cube, Maix Go, Trainer',
  },
  { vendor: '0403', wiring: 'B', guess: 'FTDI bridge' },
  { vendor: 'c251', wiring: 'C', guess: 'CMSIS-DAP: Maix Go with older bridge firmware' },
  { vendor: '1a86', wiring: 'B', guess: 'CH55x: Maixduino and others' },
  { vendor: '10c4', guess: 'CP210x bridge: wiring unknown' },
  { vendor: '067b', guess: 'Prolific bridge: wiring unknown' },
]

/** Adds the guess to the facts. Pure, for tests. */
export function guessBoard(facts: PortFacts): ListedPort {
  const vendor = facts.vendorId?.toLowerCase()
  const product = facts.productId?.toLowerCase()
  const bridge = BRIDGES.find((row) => row.vendor === vendor && (row.product === undefined || row.product === product))
  if (bridge === undefined) return { ...facts, isLikelyK210: false, guess: 'no bridge that K210 boards carry' }
  return { ...facts, isLikelyK210: true, wiring: bridge.wiring, guess: bridge.guess }
}

/** Lists the serial ports with a guess which is a K210, likely ones first. Never throws: what cannot be read is left out. */
export async function listPorts(): Promise<readonly ListedPort[]> {
  const found = new Map<string, PortFacts>()
  for (const facts of process.platform === 'linux' ? await listFromSys() : []) found.set(facts.path, facts)
  for (const facts of await listFromSerialport()) found.set(facts.path, { ...found.get(facts.path), ...facts })
  const byId = await linksByTarget('/dev/serial/by-id')
  return [...found.values()]
    .map((facts) => guessBoard({ ...facts, byId: byId.get(facts.path) }))
    .sort(
      (a, b) =>
        Number(b.isLikelyK210) - Number(a.isLikelyK210) || a.path.localeCompare(b.path, 'en', { numeric: true }),
    )
}

/** On Linux this calls udevadm, which small systems lack: then /sys must do. */
async function listFromSerialport(): Promise<readonly PortFacts[]> {
  try {
    const ports = await SerialPort.list()
    return ports.filter((port) => port.vendorId !== undefined || process.platform !== 'linux').map(knownFacts)
  } catch {
    return []
  }
}

function knownFacts(port: PortFacts): PortFacts {
  const { path, vendorId, productId, manufacturer, serialNumber } = port
  const facts = { path, vendorId, productId, manufacturer, serialNumber }
  return Object.fromEntries(Object.entries(facts).filter(([, value]) => value !== undefined)) as PortFacts & object
}

/**
 * USB serial ports as the kernel names them: the USB device is a parent folder of the tty's device.
 * @param root - /sys/class/tty, another folder in tests
 */
export async function listFromSys(root = '/sys/class/tty'): Promise<readonly PortFacts[]> {
  const names = (await readdir(root).catch(() => [])).filter((name) => /^tty(USB|ACM|WCH|XRUSB)/.test(name))
  const ports = await Promise.all(
    names.map(async (name): Promise<PortFacts> => {
      const usb = await usbParent(join(root, name, 'device'))
      return { path: `/dev/${name}`, ...usb }
    }),
  )
  return ports
}

async function usbParent(device: string): Promise<Omit<PortFacts, 'path'>> {
  let folder = await realpath(device).catch(() => '')
  for (let depth = 0; folder.length > 1 && depth < 6; depth++, folder = dirname(folder)) {
    const vendorId = await attribute(folder, 'idVendor')
    if (vendorId === undefined) continue
    return {
      vendorId,
      productId: await attribute(folder, 'idProduct'),
      manufacturer: await attribute(folder, 'manufacturer'),
      serialNumber: await attribute(folder, 'serial'),
    }
  }
  return {}
}

async function attribute(folder: string, name: string): Promise<string | undefined> {
  const text = await readFile(join(folder, name), 'utf8').catch(() => '')
  return text.trim() || undefined
}

async function linksByTarget(folder: string): Promise<ReadonlyMap<string, string>> {
  const names = await readdir(folder).catch(() => [])
  const links = await Promise.all(
    names.map(async (name): Promise<[string, string]> => {
      const target = await readlink(join(folder, name)).catch(() => '')
      return [`/dev/${basename(target)}`, join(folder, name)]
    }),
  )
  return new Map(links)
}

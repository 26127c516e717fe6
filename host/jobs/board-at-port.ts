import type { BoardConfig } from '../device/board-session.js'
import { Device } from '../device/device.js'
import { silentLogger } from '../foundation/logger.js'
import type { PortOpener } from '../port/port.js'

const START_MS = 15_000

/**
 * Opens the board of a port for one command, waits until it runs and closes it afterwards.
 * @throws BridgeError `LINK_TIMEOUT` when no shim runs there, `PORT_*`
 */
export async function withBoard<T>(
  options: { openPort: PortOpener; url: string; config: Partial<BoardConfig>; signal: AbortSignal },
  work: (device: Device) => Promise<T>,
): Promise<T> {
  const { url, openPort, config, signal } = options
  // The first opening is our own, so that a port that cannot be opened is an error here and not a board that is awaited.
  await (await openPort(url)).close()
  const device = new Device({ id: 'board', url, openPort, config, logger: silentLogger })
  try {
    await device.start()
    await device.whenRunning(START_MS, signal)
    return await work(device)
  } finally {
    await device.close()
  }
}

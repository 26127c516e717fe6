import { BridgeError } from '../foundation/errors.js'
import type { Logger } from '../foundation/logger.js'
import type { PortOpener } from '../port/port.js'
import { Device } from './device.js'
import type { DeviceOptions } from './device-types.js'

/** Boards of one process by id; one board's trouble never touches another's. */
export class Fleet {
  private readonly devices = new Map<string, Device>()
  private readonly listeners = new Set<(change: 'added' | 'removed', device: Device) => void>()

  constructor(
    private readonly openPort: PortOpener,
    private readonly logger: Logger,
    private readonly options: Partial<DeviceOptions> = {},
  ) {}

  list(): Device[] {
    return [...this.devices.values()]
  }

  /** @throws BridgeError `NOT_FOUND` */
  get(id: string): Device {
    const device = this.devices.get(id)
    if (device) return device
    throw new BridgeError('NOT_FOUND', {
      what: `there is no board ${id}`,
      where: { board: id },
      fix: 'GET /api/v1/boards lists them; POST adds one.',
    })
  }

  /**
   * Adds a board and starts looking after it; the board need not be there yet.
   * @param id - default: from the port's name
   * @throws BridgeError `CONFLICT` when the port or id is taken, `PORT_URL` when the URL is malformed
   */
  async add(port: string, id = defaultId(port)): Promise<Device> {
    const taken = this.list().find((device) => device.url === port || device.id === id)
    if (taken)
      throw new BridgeError('CONFLICT', {
        what: `board ${taken.id} already uses ${taken.url}`,
        where: { port },
        fix: 'Remove it first, or give another id.',
      })
    const device = new Device({
      ...this.options,
      id,
      url: port,
      openPort: this.openPort,
      logger: this.logger.child({ board: id }),
    })
    this.devices.set(id, device)
    try {
      await device.start()
    } catch (error) {
      this.devices.delete(id)
      await device.close()
      throw error
    }
    for (const listener of this.listeners) listener('added', device)
    return device
  }

  async remove(id: string): Promise<void> {
    const device = this.get(id)
    this.devices.delete(id)
    await device.close()
    for (const listener of this.listeners) listener('removed', device)
  }

  /** Calls `listener` whenever a board is added or removed. */
  onChange(listener: (change: 'added' | 'removed', device: Device) => void): () => void {
    this.listeners.add(listener)
    return () => this.listeners.delete(listener)
  }

  async close(): Promise<void> {
    await Promise.all(this.list().map((device) => device.close()))
    this.devices.clear()
  }
}

function defaultId(port: string): string {
  const name = port.startsWith('virtual:') ? 'virtual' : port.replace(/^[a-z0-9]+:\/\//, '').replace(/^\/dev\//, '')
  return name.replace(/[^\w.-]+/g, '-').slice(0, 64) || 'board'
}

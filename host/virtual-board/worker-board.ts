import { existsSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { Worker } from 'node:worker_threads'
import { type Clock, wallClock } from '../foundation/clock.js'
import { BridgeError } from '../foundation/errors.js'
import type { ModemLines, Port, Unsubscribe } from '../port/port.js'
import type { BoardOptions, BoardStats, VirtualBoard } from './board.js'
import type { BoardPortOptions } from './board-port.js'
import { type BoardCallName, type BoardCalls, fromPlain, type WorkerMessage } from './worker-messages.js'

/** worker.js beside this file in dist; worker.ts when this file runs from source under a TypeScript loader. */
function workerFile(): URL {
  const compiled = new URL('./worker.js', import.meta.url)
  return existsSync(fileURLToPath(compiled)) ? compiled : new URL('./worker.ts', import.meta.url)
}

interface PendingCall {
  readonly resolve: (value: unknown) => void
  readonly reject: (error: BridgeError) => void
}

/**
 * A board in its own thread, so that the KPU's work never blocks this one. Its port runs on this process's wall
 * clock, which is right for real pace: the board keeps to the wall clock too, and lags when the machine is slow.
 */
class WorkerBoard implements VirtualBoard {
  private readonly calls = new Map<number, PendingCall>()
  private nextId = 1
  private openPort: WorkerPort | undefined
  private failure: BridgeError | undefined

  constructor(private readonly worker: Worker) {
    worker.on('message', (message: WorkerMessage) => this.receive(message))
    worker.on('error', (error) => this.fail(new BridgeError('INTERNAL', { what: error.message, cause: error })))
    worker.on('exit', () => this.fail(new BridgeError('PORT_CLOSED', { what: 'the virtual board has ended' })))
  }

  port(options: BoardPortOptions = {}): Port {
    if (this.failure) throw this.failure
    const where = { port: options.url ?? 'virtual:' }
    if (this.openPort) throw new BridgeError('PORT_BUSY', { what: 'the virtual board has an open port', where })
    const port = new WorkerPort(this, options, () => {
      if (this.openPort === port) this.openPort = undefined
    })
    this.openPort = port
    this.call('openPort', options).catch((error) => port.end(error))
    return port
  }

  async reset(): Promise<void> {
    await this.call('reset')
  }

  async powerCycle(): Promise<void> {
    await this.call('powerCycle')
  }

  async unplug(): Promise<void> {
    await this.call('unplug')
  }

  async replug(): Promise<void> {
    await this.call('replug')
  }

  async stats(): Promise<BoardStats> {
    return (await this.call('stats')) as BoardStats // worker.ts answers with the board's
  }

  async readFlash(address: number, length: number): Promise<Uint8Array> {
    return (await this.call('readFlash', address, length)) as Uint8Array // worker.ts answers with the board's
  }

  async writeFlash(address: number, bytes: Uint8Array): Promise<void> {
    await this.call('writeFlash', address, bytes)
  }

  async close(): Promise<void> {
    if (this.failure) return
    await this.call('close').finally(() => this.worker.terminate())
  }

  /** Calls the board in its thread. @throws what it threw there */
  call<N extends BoardCallName>(name: N, ...args: BoardCalls[N]): Promise<unknown> {
    if (this.failure) return Promise.reject(this.failure)
    const id = this.nextId++
    this.worker.postMessage({ id, name, args })
    return new Promise((resolve, reject) => this.calls.set(id, { resolve, reject }))
  }

  private receive(message: WorkerMessage): void {
    if (message.kind === 'data') this.openPort?.deliver(message.bytes)
    if (message.kind === 'portClosed') this.openPort?.end(message.reason && fromPlain(message.reason))
    if (message.kind !== 'answer') return
    const call = this.calls.get(message.id)
    this.calls.delete(message.id)
    if (message.error) call?.reject(fromPlain(message.error))
    else call?.resolve(message.value)
  }

  private fail(error: BridgeError): void {
    this.failure ??= error
    for (const call of this.calls.values()) call.reject(this.failure)
    this.calls.clear()
    this.openPort?.end(this.failure)
  }
}

/** The host's end of a board in another thread. */
class WorkerPort implements Port {
  readonly url: string
  readonly hasModemLines: boolean
  readonly clock: Clock = wallClock
  baud: number
  isOpen = true

  private readonly dataListeners = new Set<(bytes: Uint8Array) => void>()
  private readonly closeListeners = new Set<(reason?: BridgeError) => void>()

  constructor(
    private readonly board: WorkerBoard,
    options: BoardPortOptions,
    private readonly released: () => void,
  ) {
    this.url = options.url ?? 'virtual:'
    this.hasModemLines = options.modemLines ?? true
    this.baud = options.baud ?? 115_200
  }

  async write(bytes: Uint8Array): Promise<void> {
    this.assertOpen()
    await this.board.call('write', bytes)
  }

  async drain(): Promise<void> {
    this.assertOpen()
    await this.board.call('drain')
  }

  async setBaud(baud: number): Promise<void> {
    this.assertOpen()
    await this.board.call('setBaud', baud)
    this.baud = baud
  }

  async setLines(lines: ModemLines): Promise<void> {
    this.assertOpen()
    await this.board.call('setLines', lines.dtr, lines.rts)
  }

  onData(listener: (bytes: Uint8Array) => void): Unsubscribe {
    this.dataListeners.add(listener)
    return () => this.dataListeners.delete(listener)
  }

  onClose(listener: (reason?: BridgeError) => void): Unsubscribe {
    this.closeListeners.add(listener)
    return () => this.closeListeners.delete(listener)
  }

  async close(): Promise<void> {
    if (!this.isOpen) return
    await this.board.call('closePort').catch(() => undefined)
    this.end()
  }

  deliver(bytes: Uint8Array): void {
    for (const listener of this.dataListeners) listener(bytes)
  }

  end(reason?: BridgeError): void {
    if (!this.isOpen) return
    this.isOpen = false
    this.released()
    for (const listener of this.closeListeners) listener(reason)
    this.dataListeners.clear()
    this.closeListeners.clear()
  }

  private assertOpen(): void {
    if (!this.isOpen) throw new BridgeError('PORT_CLOSED', { what: 'the port is closed', where: { port: this.url } })
  }
}

/**
 * Makes a virtual board in a worker thread.
 * @param options - default pace here is `real`
 * @throws BridgeError as `createVirtualBoard` does
 */
export async function createWorkerBoard(options: BoardOptions = {}): Promise<VirtualBoard> {
  const worker = new Worker(workerFile(), { workerData: { pace: 'real', ...options } })
  await new Promise<void>((resolve, reject) => {
    worker.once('message', (message: WorkerMessage) => {
      if (message.kind === 'failed') {
        void worker.terminate()
        reject(fromPlain(message.error))
      } else resolve()
    })
    worker.once('error', (error) => reject(new BridgeError('INTERNAL', { what: error.message, cause: error })))
  })
  return new WorkerBoard(worker)
}

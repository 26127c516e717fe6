/** Entry of the thread that a {@link createWorkerBoard} board lives in: serves calls, sends the port's bytes. */
import { parentPort, workerData } from 'node:worker_threads'
import { asBridgeError } from '../foundation/errors.js'
import type { Port } from '../port/port.js'
import type { BoardOptions, VirtualBoard } from './board.js'
import type { BoardPortOptions } from './board-port.js'
import { createVirtualBoard } from './inline-board.js'
import type { BoardCalls, CallMessage, WorkerMessage } from './worker-messages.js'

const host = parentPort!
const send = (message: WorkerMessage) => host.postMessage(message)

type Handlers = { readonly [N in keyof BoardCalls]: (...args: BoardCalls[N]) => Promise<unknown> | unknown }

/** One function a call; at most one port is open. */
function handlers(board: VirtualBoard): Handlers {
  let port: Port | undefined
  return {
    openPort(options: BoardPortOptions) {
      port = board.port(options)
      port.onData((bytes) => send({ kind: 'data', bytes }))
      port.onClose((reason) => send({ kind: 'portClosed', reason: reason?.toJSON() }))
    },
    closePort: () => port?.close(),
    write: (bytes) => port?.write(bytes),
    drain: () => port?.drain(),
    setBaud: (baud) => port?.setBaud(baud),
    setLines: (dtr, rts) => port?.setLines({ dtr, rts }),
    reset: () => board.reset(),
    powerCycle: () => board.powerCycle(),
    unplug: () => board.unplug(),
    replug: () => board.replug(),
    stats: () => board.stats(),
    readFlash: (address, length) => board.readFlash(address, length),
    writeFlash: (address, bytes) => board.writeFlash(address, bytes),
    async close() {
      await board.close()
      host.unref()
    },
  }
}

async function serve(): Promise<void> {
  const calls = handlers(await createVirtualBoard(workerData as BoardOptions)) // sent by createWorkerBoard
  host.on('message', async ({ id, name, args }: CallMessage) => {
    try {
      const run = calls[name] as (...args: readonly unknown[]) => unknown // arguments are those of BoardCalls[name]
      send({ kind: 'answer', id, value: await run(...args) })
    } catch (error) {
      send({ kind: 'answer', id, error: asBridgeError(error).toJSON() })
    }
  })
  send({ kind: 'ready' })
}

serve().catch((error) => send({ kind: 'failed', error: asBridgeError(error).toJSON() }))

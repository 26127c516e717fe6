import { join } from 'node:path'
import type { FastifyInstance } from 'fastify'
import { Fleet } from '../device/fleet.js'
import type { Logger } from '../foundation/logger.js'
import { bridgeVersion } from '../jobs/bridge-version.js'
import { JobManager } from '../jobs/job-manager.js'
import type { PortOpener } from '../port/port.js'
import { ArtifactStore } from '../store/artifacts.js'
import { BoardTable } from '../store/board-table.js'
import { CardTable } from '../store/card-table.js'
import { openDatabase } from '../store/database.js'
import { lockFolder } from '../store/folder-lock.js'
import { JobTable } from '../store/job-table.js'
import { listen } from './app.js'
import type { Services } from './services.js'
import { StoredCards } from './stored-cards.js'

/** A running daemon. */
export interface Daemon {
  /** The live page. */
  readonly url: string
  readonly services: Services
  close(): Promise<void>
}

/** Options of {@link startDaemon}. */
export interface DaemonOptions {
  /** `HOST:PORT`; port 0 takes a free one. */
  readonly listen: string
  /** Folder of the database and the artifacts. */
  readonly dataDir: string
  readonly openPort: PortOpener
  readonly logger: Logger
}

/** Work that ignores its cancel does not hold the process longer. */
const JOBS_END_MS = 5000

/** Opens the store, takes up the boards of last time and listens. @throws BridgeError `FILE_WRITE`, `CONFLICT`, `HTTP_TOKEN` */
export async function startDaemon(options: DaemonOptions): Promise<Daemon> {
  const release = lockFolder(options.dataDir)
  try {
    return await openDaemon(options, release)
  } catch (error) {
    release()
    throw error
  }
}

async function openDaemon(
  { logger, dataDir, openPort, listen: address }: DaemonOptions,
  release: () => void,
): Promise<Daemon> {
  const db = openDatabase(join(dataDir, 'bridge.sqlite'))
  const fleet = new Fleet(openPort, logger, { cards: new StoredCards(new CardTable(db), logger) })
  const artifacts = new ArtifactStore(db, join(dataDir, 'artifacts'))
  const jobs = new JobManager(new JobTable(db))
  const services: Services = { fleet, jobs, artifacts, logger, version: bridgeVersion }
  let app: FastifyInstance
  let url: string
  try {
    await artifacts.clearRests()
    ;({ app, url } = await listen(services, address))
    await rememberBoards(fleet, new BoardTable(db), logger)
  } catch (error) {
    await fleet.close()
    db.close()
    throw error
  }
  return {
    url,
    services,
    async close() {
      const ended = jobs.cancelAll(JOBS_END_MS)
      await app.close()
      await fleet.close()
      await ended
      db.close()
      release()
    },
  }
}

/** Opens the boards that were added before, and keeps the table in step. Virtual boards live as long as their process. */
async function rememberBoards(fleet: Fleet, table: BoardTable, logger: Logger): Promise<void> {
  for (const { id, port } of table.all()) {
    await fleet
      .add(port, id)
      .catch((error) => logger.warn({ err: error, port }, 'a board of last time cannot be added'))
  }
  fleet.onChange((change, device) => {
    if (change === 'removed') table.remove(device.id)
    else if (!device.url.startsWith('virtual:')) table.add({ id: device.id, port: device.url })
  })
}

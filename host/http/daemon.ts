import { join } from 'node:path'
import type { FastifyInstance } from 'fastify'
import { Fleet } from '../device/fleet.js'
import type { Logger } from '../foundation/logger.js'
import { bridgeVersion } from '../jobs/bridge-version.js'
import { JobManager } from '../jobs/job-manager.js'
import type { PortOpener } from '../port/port.js'
import { ArtifactStore } from '../store/artifacts.js'
import { BoardTable } from '../store/board-table.js'
import { openDatabase } from '../store/database.js'
import { JobTable } from '../store/job-table.js'
import { listen } from './app.js'
import type { Services } from './services.js'

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

/** Opens the store, takes up the boards of last time and listens. @throws BridgeError `FILE_WRITE`, `CONFLICT`, `HTTP_TOKEN` */
export async function startDaemon(options: DaemonOptions): Promise<Daemon> {
  const { logger, dataDir } = options
  const db = openDatabase(join(dataDir, 'bridge.sqlite'))
  const fleet = new Fleet(options.openPort, logger)
  const services: Services = {
    fleet,
    jobs: new JobManager(new JobTable(db)),
    artifacts: new ArtifactStore(db, join(dataDir, 'artifacts')),
    logger,
    version: bridgeVersion,
  }
  let app: FastifyInstance
  let url: string
  try {
    ;({ app, url } = await listen(services, options.listen))
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
      for (const job of services.jobs.list()) services.jobs.cancel(job.id)
      await app.close()
      await fleet.close()
      db.close()
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

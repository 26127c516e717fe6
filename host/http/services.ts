import type { Fleet } from '../device/fleet.js'
import type { Logger } from '../foundation/logger.js'
import type { JobManager } from '../jobs/job-manager.js'
import type { ArtifactStore } from '../store/artifacts.js'

/** What the routes work with; made by the daemon, or by a test with doubles. */
export interface Services {
  readonly fleet: Fleet
  readonly jobs: JobManager
  readonly artifacts: ArtifactStore
  readonly logger: Logger
  readonly version: string
}

/** Limits of the API; one table. */
export const HTTP_LIMITS = {
  /** Largest upload: a whole 16 MiB flash image with room to spare. */
  uploadBytes: 64 << 20,
  /** A JSON request. */
  jsonBytes: 1 << 20,
  /** How long `snapshot.jpg?after=` waits for a newer picture. */
  snapshotWaitMs: 10_000,
  /** A comment line keeps idle event streams open through proxies. */
  keepAliveMs: 15_000,
} as const

import { randomUUID } from 'node:crypto'
import { sleep, wallClock } from '../foundation/clock.js'
import { asBridgeError, BridgeError, isBridgeError } from '../foundation/errors.js'
import type { Progress, ProgressListener } from '../foundation/progress.js'
import type { JobTable } from '../store/job-table.js'

/** Life of a job; the last three are final. */
export type JobState = 'queued' | 'running' | 'done' | 'failed' | 'cancelled'

/** A piece of long work as the API shows it. */
export interface Job {
  readonly id: string
  readonly kind: string
  readonly state: JobState
  /** 0..1 of the present stage. */
  readonly progress: number
  readonly stage: string
  /** Time left in this stage, estimated from its pace; null when unknown. */
  readonly etaMs: number | null
  readonly result?: unknown
  readonly error?: { code: string; what: string; where: Readonly<Record<string, string | number>>; fix: string }
}

/** What the work gets. */
export interface JobContext {
  readonly signal: AbortSignal
  readonly progress: ProgressListener
}

interface Entry {
  job: Job
  readonly createdMs: number
  readonly abort: AbortController
  readonly finished: Promise<void>
  stageStartedMs: number
}

const FINAL: readonly JobState[] = ['done', 'failed', 'cancelled']

/** True when a job will not change any more. */
export const isFinal = (job: Job): boolean => FINAL.includes(job.state)

/** Keeps at most this many ended jobs in memory. */
const KEPT_JOBS = 200

/** Runs work with progress and cancel, and remembers how it ended. */
export class JobManager {
  private readonly entries = new Map<string, Entry>()
  private readonly listeners = new Set<(job: Job) => void>()

  /** @param table - where ends are kept; jobs that were running when the process died are marked failed */
  constructor(private readonly table?: JobTable) {
    table?.keepNewest(KEPT_JOBS)
    for (const row of table?.all() ?? []) {
      const died = !FINAL.includes(row.state as JobState)
      const job: Job = {
        id: row.id,
        kind: row.kind,
        state: died ? 'failed' : (row.state as JobState),
        progress: row.state === 'done' ? 1 : 0,
        stage: '',
        etaMs: null,
        ...(row.result === null ? {} : { result: JSON.parse(row.result) }),
        ...(died ? { error: restartError } : row.error === null ? {} : { error: JSON.parse(row.error) }),
      }
      this.entries.set(job.id, {
        job,
        createdMs: row.createdMs,
        abort: new AbortController(),
        finished: Promise.resolve(),
        stageStartedMs: 0,
      })
      if (died) this.save(job.id)
    }
  }

  /** Starts work at once and returns its job. */
  start(kind: string, work: (context: JobContext) => Promise<unknown>): Job {
    const id = randomUUID()
    const abort = new AbortController()
    const job: Job = { id, kind, state: 'running', progress: 0, stage: 'start', etaMs: null }
    const finished = Promise.resolve().then(() => this.run(id, work, abort.signal))
    this.entries.set(id, { job, createdMs: Date.now(), abort, finished, stageStartedMs: Date.now() })
    this.save(id)
    this.forgetOld()
    return job
  }

  /** @throws BridgeError `NOT_FOUND` */
  get(id: string): Job {
    return this.entry(id).job
  }

  list(): Job[] {
    return [...this.entries.values()].map((entry) => entry.job)
  }

  /** Asks the work to stop; its job ends as `cancelled` as soon as it does. */
  cancel(id: string): Job {
    const entry = this.entry(id)
    if (!isFinal(entry.job))
      entry.abort.abort(new BridgeError('CANCELLED', { what: 'the job was cancelled', where: { job: id } }))
    return entry.job
  }

  /** Resolves with the ended job. */
  async wait(id: string): Promise<Job> {
    await this.entry(id).finished
    return this.get(id)
  }

  /** Cancels everything and resolves when no work is under way any more, or after `limitMs`. */
  async cancelAll(limitMs: number): Promise<void> {
    for (const id of this.entries.keys()) this.cancel(id)
    const enough = new AbortController()
    const ended = Promise.all([...this.entries.values()].map((entry) => entry.finished))
    await Promise.race([ended, sleep(wallClock, limitMs, enough.signal).catch(() => undefined)])
    enough.abort()
  }

  /** Calls `listener` on every change of every job; what it throws is dropped. */
  subscribe(listener: (job: Job) => void): () => void {
    this.listeners.add(listener)
    return () => this.listeners.delete(listener)
  }

  private entry(id: string): Entry {
    const entry = this.entries.get(id)
    if (!entry) throw new BridgeError('NOT_FOUND', { what: 'no such job', where: { job: id } })
    return entry
  }

  private async run(id: string, work: (context: JobContext) => Promise<unknown>, signal: AbortSignal): Promise<void> {
    try {
      const result = await work({ signal, progress: (progress) => this.advance(id, progress) })
      this.update(id, { state: 'done', progress: 1, etaMs: 0, result })
    } catch (thrown) {
      const error = asBridgeError(thrown).toJSON()
      const cancelled = signal.aborted || isBridgeError(thrown, 'CANCELLED')
      this.update(id, { state: cancelled ? 'cancelled' : 'failed', etaMs: null, error })
    }
    try {
      this.save(id)
    } catch {
      // The disk is full or the store is closed: the end is known in memory, and a restart will mark the job failed.
    }
  }

  private advance(id: string, { stage, done, total }: Progress): void {
    const entry = this.entry(id)
    if (isFinal(entry.job)) return
    if (entry.job.stage !== stage) entry.stageStartedMs = Date.now()
    const fraction = total > 0 ? Math.min(1, done / total) : 0
    const elapsedMs = Date.now() - entry.stageStartedMs
    const etaMs = fraction > 0 ? Math.round((elapsedMs * (1 - fraction)) / fraction) : null
    this.update(id, { stage, progress: fraction, etaMs })
  }

  private update(id: string, change: Partial<Job>): void {
    const entry = this.entry(id)
    entry.job = { ...entry.job, ...change }
    for (const listener of this.listeners) {
      try {
        listener(entry.job)
      } catch {
        // A reader's trouble is no trouble of the work.
      }
    }
  }

  private save(id: string): void {
    const { job, createdMs } = this.entry(id)
    this.table?.save({
      id,
      kind: job.kind,
      state: job.state,
      createdMs,
      endedMs: isFinal(job) ? Date.now() : null,
      result: job.result === undefined ? null : JSON.stringify(job.result),
      error: job.error === undefined ? null : JSON.stringify(job.error),
    })
  }

  private forgetOld(): void {
    for (const [id, entry] of this.entries) {
      if (this.entries.size <= KEPT_JOBS) return
      if (isFinal(entry.job)) this.entries.delete(id)
    }
  }
}

const restartError = {
  code: 'INTERNAL',
  what: 'the daemon stopped while this job was running',
  where: {},
  fix: 'Start the job again.',
} as const

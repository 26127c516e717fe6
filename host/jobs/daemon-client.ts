import type { BoardView } from '../device/events.js'
import { ERROR_CODES, type ErrorCode } from '../foundation/error-codes.js'
import { asBridgeError, BridgeError } from '../foundation/errors.js'
import type { ProgressListener } from '../foundation/progress.js'
import type { Artifact } from '../store/artifacts.js'
import type { Job } from './job-manager.js'

/** A board behind a running daemon: `daemon:http://127.0.0.1:2100/BOARD`. */
export interface DaemonTarget {
  readonly baseUrl: string
  /** Empty: the daemon's only board. */
  readonly board: string
}

/** Splits a `daemon:` port URL. @throws BridgeError `PORT_URL` */
export function parseDaemonUrl(url: string): DaemonTarget {
  const match = /^daemon:(https?:\/\/[^/]+)\/?([^/]*)$/.exec(url)
  const board = decoded(match?.[2] ?? '')
  if (!match || board === undefined) {
    throw new BridgeError('PORT_URL', {
      what: `${url} is no daemon port`,
      fix: 'Write daemon:http://127.0.0.1:2100/BOARD; GET /api/v1/boards lists the boards.',
    })
  }
  return { baseUrl: match[1]!, board }
}

function decoded(text: string): string | undefined {
  try {
    return decodeURIComponent(text)
  } catch {
    return undefined
  }
}

/** One server-sent event. */
export interface ServerEvent {
  readonly event: string
  readonly data: unknown
}

/** The daemon's HTTP API for commands: uploads, jobs with progress, events. */
export class DaemonClient {
  constructor(
    readonly baseUrl: string,
    private readonly token = process.env.K210_BRIDGE_TOKEN,
  ) {}

  async boards(signal?: AbortSignal): Promise<BoardView[]> {
    const response = await this.fetch('GET', '/boards', undefined, undefined, signal)
    return ((await response.json()) as { boards: BoardView[] }).boards
  }

  /** The board of that id, or the only one. @throws BridgeError `NOT_FOUND` */
  async board(id: string): Promise<BoardView> {
    const boards = await this.boards()
    const board = id === '' && boards.length === 1 ? boards[0] : boards.find((candidate) => candidate.id === id)
    if (board) return board
    throw new BridgeError('NOT_FOUND', {
      what: id === '' ? `the daemon has ${boards.length} boards; name one` : `the daemon has no board ${id}`,
      where: { daemon: this.baseUrl },
      fix: `Boards: ${boards.map((candidate) => candidate.id).join(', ') || 'none'}.`,
    })
  }

  async upload(bytes: Uint8Array, name: string): Promise<Artifact> {
    const response = await this.fetch(
      'POST',
      `/artifacts?name=${encodeURIComponent(name)}`,
      bytes,
      'application/octet-stream',
    )
    return ((await response.json()) as { artifact: Artifact }).artifact
  }

  /**
   * Starts work, follows its progress and returns its result; aborting the signal cancels the job.
   * @throws BridgeError the job's own error; `CANCELLED`; `DAEMON_UNREACHABLE` when the daemon went away before its end
   */
  async work(
    path: string,
    body: unknown,
    options: { signal?: AbortSignal; progress?: ProgressListener },
  ): Promise<unknown> {
    const { signal, progress } = options
    const { job } = (await this.json('POST', path, body)) as { job: Job }
    const reading = new AbortController()
    let timer: NodeJS.Timeout | undefined
    const cancel = () => {
      void this.json('DELETE', `/jobs/${job.id}`).catch(() => undefined)
      timer = setTimeout(() => reading.abort(signal?.reason), CANCEL_MS)
    }
    if (signal?.aborted) cancel()
    signal?.addEventListener('abort', cancel, { once: true })
    try {
      for await (const { data } of this.events(`/jobs/${job.id}/events`, reading.signal)) {
        const { state, stage, progress: share, result, error } = data as Job
        if (state === 'running') progress?.({ stage, done: Math.round(share * 100), total: 100, unit: 'steps' })
        if (state === 'done') return result
        if (error) throw remoteError(error)
      }
    } finally {
      signal?.removeEventListener('abort', cancel)
      clearTimeout(timer)
      reading.abort()
    }
    throw this.wentAway('the daemon closed the connection before the job ended')
  }

  /**
   * Server-sent events until the signal aborts or the daemon ends them.
   * @throws BridgeError `DAEMON_UNREACHABLE` when the connection breaks, `CANCELLED` when the signal aborts
   */
  async *events(path: string, signal?: AbortSignal): AsyncGenerator<ServerEvent> {
    const response = await this.fetch('GET', path, undefined, undefined, signal)
    const decoder = new TextDecoder()
    const chunks = (response.body as ReadableStream<Uint8Array>)[Symbol.asyncIterator]()
    try {
      for (let text = ''; ; ) {
        const { done, value } = await chunks.next()
        if (done) return
        text += decoder.decode(value, { stream: true })
        for (let end = text.indexOf('\n\n'); end >= 0; end = text.indexOf('\n\n')) {
          const parsed = parseEvent(text.slice(0, end))
          text = text.slice(end + 2)
          if (parsed) yield parsed
        }
      }
    } catch (error) {
      if (signal?.aborted) throw cancelled(signal)
      throw this.wentAway('the connection to the daemon broke', error)
    } finally {
      await chunks.return?.().catch(() => undefined) // a reader that has enough closes the connection
    }
  }

  /** The newest picture after a frame id; undefined when none came in the daemon's waiting time. */
  async picture(
    board: string,
    after: number,
    signal?: AbortSignal,
  ): Promise<{ frameId: number; jpeg: Uint8Array } | undefined> {
    const response = await this.fetch(
      'GET',
      `/boards/${encodeURIComponent(board)}/snapshot.jpg?after=${after}`,
      undefined,
      undefined,
      signal,
    )
    if (response.status !== 200) return undefined
    return { frameId: Number(response.headers.get('x-frame-id')), jpeg: new Uint8Array(await response.arrayBuffer()) }
  }

  async json(method: string, path: string, body?: unknown): Promise<unknown> {
    const response = await this.fetch(
      method,
      path,
      body === undefined ? undefined : JSON.stringify(body),
      'application/json',
    )
    return response.status === 204 ? undefined : response.json()
  }

  private async fetch(
    method: string,
    path: string,
    body?: string | Uint8Array,
    type?: string,
    signal?: AbortSignal,
  ): Promise<Response> {
    const headers: Record<string, string> = {}
    if (body !== undefined && type) headers['content-type'] = type
    if (this.token) headers.authorization = `Bearer ${this.token}`
    let response: Response
    try {
      response = await fetch(`${this.baseUrl}/api/v1${path}`, { method, headers, body, signal })
    } catch (error) {
      if (signal?.aborted) throw cancelled(signal)
      throw this.wentAway('the daemon does not answer', error)
    }
    if (!response.ok) throw remoteError((await response.json().catch(() => ({}))) as Partial<RemoteProblem>)
    return response
  }

  private wentAway(what: string, cause?: unknown): BridgeError {
    return new BridgeError('DAEMON_UNREACHABLE', {
      what,
      where: { daemon: this.baseUrl },
      fix: 'Start it with `k210-bridge serve`.',
      cause,
    })
  }
}

/** How long a job may take to end after it was cancelled. */
const CANCEL_MS = 3000

const cancelled = ({ reason }: AbortSignal): BridgeError =>
  asBridgeError(reason, 'CANCELLED', { what: 'the work was cancelled' })

interface RemoteProblem {
  readonly code: string
  readonly what: string
  readonly where: Readonly<Record<string, string | number>>
  readonly fix: string
}

/** The daemon's problem as the error that a local run would have thrown. */
function remoteError(problem: Partial<RemoteProblem>): BridgeError {
  const code = problem.code && problem.code in ERROR_CODES ? (problem.code as ErrorCode) : 'INTERNAL'
  return new BridgeError(code, {
    what: problem.what ?? 'the daemon refused the request',
    where: problem.where,
    fix: problem.fix,
  })
}

function parseEvent(block: string): ServerEvent | undefined {
  let event = 'message'
  const data: string[] = []
  for (const line of block.split('\n')) {
    if (line.startsWith('event: ')) event = line.slice(7)
    if (line.startsWith('data: ')) data.push(line.slice(6))
  }
  return data.length > 0 ? { event, data: JSON.parse(data.join('\n')) } : undefined
}

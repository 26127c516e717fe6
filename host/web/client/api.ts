/** Shapes of the HTTP API that the page reads (design section 4). */
export interface Detection {
  box: [number, number, number, number]
  score: number
  label?: string
}

export interface ResultEvent {
  boardId: string
  frameId: number
  deviceTimeUs: number
  modelSha256: string
  latencyMs: number | null
  stagesUs?: Record<string, number>
  detections: Detection[]
}

export interface Board {
  id: string
  port: string
  state: string
  firmware: { version: string; buildId: string } | null
  memory: { freeBytes: number; limitBytes: number } | null
  models: { slot: number; name: string; sha256: string; state?: string }[]
  link: Record<string, number>
  note?: string
}

export interface Job {
  id: string
  kind: string
  state: string
  stage: string
  progress: number
  etaMs: number | null
  error?: { what: string; fix: string }
}

const BASE = '/api/v1'

export async function getJson<T>(path: string): Promise<T> {
  const response = await fetch(BASE + path)
  if (!response.ok) throw new Error(`${response.status} for ${path}`)
  return (await response.json()) as T
}

/** The newest picture after `frameId`; waits on the server until there is one. */
export async function nextPicture(
  board: string,
  after: number,
  signal: AbortSignal,
): Promise<{ frameId: number; blob: Blob } | undefined> {
  const response = await fetch(`${BASE}/boards/${encodeURIComponent(board)}/snapshot.jpg?after=${after}`, { signal })
  if (response.status !== 200) return undefined
  return { frameId: Number(response.headers.get('X-Frame-Id')), blob: await response.blob() }
}

/** Server-sent events of one board; the browser reconnects by itself. */
export function boardEvents(
  board: string,
  on: {
    result(event: ResultEvent): void
    board(board: Board): void
    log(entry: { level: string; text: string; timeMs: number }): void
  },
): () => void {
  const source = new EventSource(`${BASE}/boards/${encodeURIComponent(board)}/events`)
  source.addEventListener('result', (event) => on.result(JSON.parse(event.data)))
  source.addEventListener('board', (event) => on.board(JSON.parse(event.data)))
  source.addEventListener('log', (event) => on.log(JSON.parse(event.data)))
  return () => source.close()
}

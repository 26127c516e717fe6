import { type Board, boardEvents, getJson, type Job, nextPicture, type ResultEvent } from './api.js'
import { chartLatency, RateMeter } from './figures.js'
import { drawFrame } from './view.js'

const element = (id: string) => document.getElementById(id)!
const text = (id: string, value: string) => {
  element(id).textContent = value
}

/** Boxes wait here for the picture of their frame: results come first, pictures a little later. */
const results = new Map<number, ResultEvent>()
const KEPT_RESULTS = 200
const frames = new RateMeter()
const pictures = new RateMeter()

let stopBoard = () => {}

function onResult(result: ResultEvent): void {
  results.set(result.frameId, result)
  for (const id of results.keys()) {
    if (results.size <= KEPT_RESULTS) break
    results.delete(id)
  }
  frames.tick()
  if (result.latencyMs !== null) text('latency', `${chartLatency(result.latencyMs).toFixed(0)} ms`)
  const { captureWait: _, ...work } = result.stagesUs ?? {}
  const busyUs = Object.values(work).reduce((sum, us) => sum + us, 0)
  text('device', `${(busyUs / 1000).toFixed(1)} ms`)
  text('count', String(result.detections.length))
}

async function pictureLoop(board: string, signal: AbortSignal): Promise<void> {
  let last = -1
  while (!signal.aborted) {
    const picture = await nextPicture(board, last, signal).catch(() => undefined)
    if (!picture) {
      await new Promise((resolve) => setTimeout(resolve, 300))
      continue
    }
    last = picture.frameId
    pictures.tick()
    element('empty').hidden = true
    text('frame', `#${picture.frameId}`)
    await drawFrame(picture.blob, results.get(picture.frameId)?.detections ?? [])
    document.documentElement.dataset.frame = String(picture.frameId)
  }
}

function rows(id: string, entries: [string, string][]): void {
  element(id).replaceChildren(
    ...entries.map(([key, value]) => {
      const row = document.createElement('tr')
      for (const cell of [key, value]) row.append(Object.assign(document.createElement('td'), { textContent: cell }))
      return row
    }),
  )
}

const bytes = (value: number) =>
  value >= 1 << 20 ? `${(value / (1 << 20)).toFixed(2)} MiB` : `${(value / 1024).toFixed(0)} KiB`
const words = (camel: string) => camel.replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`)

function showBoard(board: Board): void {
  const state = element('state')
  state.textContent = board.state
  state.className = `state ${board.state}`
  const models = board.models
    .map((model) => `slot ${model.slot}: ${model.name} (${model.sha256.slice(0, 8)})`)
    .join('\n')
  rows('facts', [
    ['Port', board.port],
    ['Firmware', board.firmware ? `${board.firmware.version} (${board.firmware.buildId})` : '–'],
    ['Models', models || '–'],
    ['Memory free', board.memory ? `${bytes(board.memory.freeBytes)} of ${bytes(board.memory.limitBytes)}` : '–'],
    ...(board.note ? [['Note', board.note] as [string, string]] : []),
  ])
  rows(
    'link',
    Object.entries(board.link).map(([key, value]) => [
      words(key),
      Number.isInteger(value) ? value.toLocaleString('en') : value.toFixed(2),
    ]),
  )
}

function log(entry: { level: string; text: string; timeMs: number }): void {
  const list = element('log')
  const line = document.createElement('li')
  line.textContent = `${new Date(entry.timeMs).toLocaleTimeString()} ${entry.text}`
  if (entry.level === 'error' || entry.level === 'warn') line.className = 'error'
  list.append(line)
  while (list.childElementCount > 200) list.firstElementChild!.remove()
  list.scrollTop = list.scrollHeight
}

function selectBoard(id: string): void {
  stopBoard()
  results.clear()
  const abort = new AbortController()
  const stopEvents = boardEvents(id, { result: onResult, board: showBoard, log })
  void pictureLoop(id, abort.signal)
  stopBoard = () => {
    abort.abort()
    stopEvents()
  }
}

function showJobs(jobs: Job[]): void {
  const active = jobs.filter((job) => job.state === 'running' || job.state === 'failed').slice(-4)
  if (active.length === 0) {
    element('jobs').innerHTML = '<p class="quiet">Nothing is running.</p>'
    return
  }
  element('jobs').replaceChildren(
    ...active.map((job) => {
      const item = document.createElement('div')
      const eta = job.etaMs === null ? '' : `, ${Math.ceil(job.etaMs / 1000)} s left`
      const line = Object.assign(document.createElement('p'), { className: job.error ? 'error' : 'quiet' })
      line.textContent = job.error
        ? `${job.kind} failed: ${job.error.what}. ${job.error.fix}`
        : `${job.kind}: ${job.stage}${eta}`
      item.append(line)
      if (job.state === 'running')
        item.append(Object.assign(document.createElement('progress'), { value: job.progress }))
      return item
    }),
  )
}

/** Keeps the board list, the present board and the jobs fresh; events carry everything that is urgent. */
async function refresh(): Promise<void> {
  const select = element('boards') as HTMLSelectElement
  const { boards } = await getJson<{ boards: Board[] }>('/boards')
  const known = [...select.options].map((option) => option.value).join()
  if (known !== boards.map((board) => board.id).join()) {
    const chosen = select.value
    select.replaceChildren(...boards.map((board) => new Option(`${board.id} (${board.port})`, board.id)))
    if (boards.some((board) => board.id === chosen)) select.value = chosen
    else if (boards[0]) selectBoard(boards[0].id)
  }
  const board = boards.find((candidate) => candidate.id === select.value)
  if (board) showBoard(board)
  showJobs((await getJson<{ jobs: Job[] }>('/jobs')).jobs)
  text('fps', frames.rate()?.toFixed(1) ?? '–')
  text('pps', pictures.rate()?.toFixed(1) ?? '–')
}

element('boards').addEventListener('change', (event) => selectBoard((event.target as HTMLSelectElement).value))
const tick = () => refresh().catch(() => text('state', 'daemon does not answer'))
await tick()
setInterval(tick, 1000)

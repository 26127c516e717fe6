import { rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { setTimeout as delay } from 'node:timers/promises'
import t, { type Test } from 'tap'
import type { ModelCard } from '../../host/card/card.js'
import type { BoardView, PictureEvent, ResultEvent } from '../../host/device/events.js'
import { wrapFirmware } from '../../host/flasher/image.js'
import { silentLogger } from '../../host/foundation/logger.js'
import { type Daemon, startDaemon } from '../../host/http/daemon.js'
import { DaemonClient } from '../../host/jobs/daemon-client.js'
import { demoScene } from '../../host/jobs/demo-scene.js'
import { shimFirmware } from '../../host/jobs/flash-job.js'
import type { Job } from '../../host/jobs/job-manager.js'
import type { PortOpener } from '../../host/port/port.js'
import type { Artifact } from '../../host/store/artifacts.js'
import type { VirtualBoard } from '../../host/virtual-board/board.js'
import { createWorkerBoard } from '../../host/virtual-board/worker-board.js'
import { placePicture } from '../../host/vision/letterbox.js'
import { decodePicture } from '../../host/vision/pictures.js'
import { buildZooModel, DEFAULT_NETWORK } from '../../host/zoo/catalogue.js'
import { readEvents } from '../support/daemon-process.js'
import { throwsCode } from '../support/throws-code.js'
import { within } from '../support/within.js'

// One board with the demo's camera, one daemon, one story: the tests below build on each other, in order.
const dataDir = join(tmpdir(), `k210-bridge-http-${process.pid}`)
let board: VirtualBoard
let daemon: Daemon
let api: string
let client: DaemonClient

const openPort: PortOpener = async (url, options) => board.port({ url, ...options })
const openDaemon = () => startDaemon({ listen: '127.0.0.1:0', dataDir, openPort, logger: silentLogger })

t.before(async () => {
  board = await createWorkerBoard({ camera: { kind: 'scene', ...(await demoScene()) } })
  daemon = await openDaemon()
  useDaemon()
})

t.teardown(async () => {
  await within(daemon.close(), 'closing the daemon')
  await within(board.close(), 'closing the board')
  await rm(dataDir, { recursive: true, force: true })
})

function useDaemon(): void {
  api = `${daemon.url}api/v1`
  client = new DaemonClient(daemon.url.replace(/\/$/, ''), '')
}

const json = async <T>(path: string, init?: RequestInit): Promise<T> => {
  const response = await fetch(api + path, init)
  if (!response.ok) throw new Error(`${response.status} for ${path}: ${await response.text()}`)
  return (await response.json()) as T
}

const send = (method: string, body: unknown): RequestInit => ({
  method,
  headers: { 'content-type': 'application/json' },
  body: JSON.stringify(body),
})

const view = async () => (await json<{ board: BoardView }>('/boards/desk')).board

async function whenBoard(state: string, note = /^/): Promise<BoardView> {
  const until = Date.now() + 40_000
  for (;;) {
    const seen = await view()
    if (seen.state === state && note.test(seen.note)) return seen
    if (Date.now() > until) throw new Error(`the board is ${seen.state}: ${seen.note}, not ${state}`)
    await delay(50)
  }
}

/** The next results of the board's event stream. */
async function results(count: number): Promise<ResultEvent[]> {
  const taken: ResultEvent[] = []
  await readEvents(`${api}/boards/desk/events`, (event, data) => {
    if (event === 'result') taken.push(data as ResultEvent)
    return taken.length >= count
  })
  return taken
}

async function snapshot(after = -1): Promise<{ frameId: number; jpeg: Uint8Array }> {
  const picture = await client.picture('desk', after)
  if (!picture) throw new Error('no picture came')
  return picture
}

/** Runs a job and returns its result; `seen` gets what its event stream said. */
async function runJob(path: string, body: unknown, seen: Job[] = []): Promise<unknown> {
  const { job } = await json<{ job: Job }>(path, send('POST', body))
  await readEvents(
    `${api}/jobs/${job.id}/events`,
    (_event, data) => {
      seen.push(data as Job)
      return ['done', 'failed', 'cancelled'].includes((data as Job).state)
    },
    90_000,
  )
  const ended = seen.at(-1)!
  if (ended.state !== 'done') throw Object.assign(new Error(`the job ${ended.state}`), { job: ended })
  return ended.result
}

async function failedJob(t: Test, path: string, body: unknown): Promise<Job> {
  try {
    await runJob(path, body)
  } catch (error) {
    const { job } = error as { job?: Job }
    if (job) return job
    throw error
  }
  t.fail('the job did not fail')
  throw new Error('the job did not fail')
}

let compiled: { kmodel: Artifact; card: Artifact; sha256: string; bytes: number }

t.test('flash over the API: a blank board, refused without firmware, boots after the job', async (t) => {
  const added = await json<{ board: BoardView }>('/boards', send('POST', { port: 'virtual:', id: 'desk' }))
  t.equal(added.board.id, 'desk')
  t.match((await whenBoard('rom')).note, /boot failed/)
  const image = await client.upload(wrapFirmware((await shimFirmware()).bytes), 'shim.bin')
  t.equal(image.kind, 'firmware')
  const dry = await runJob('/boards/desk/flash', { items: [{ artifact: image.sha256, at: 0 }], dryRun: true })
  t.match(dry, { sentBytes: 0, plan: [{ role: 'firmware', address: 0 }] })

  const first = await json<{ job: Job }>(
    '/boards/desk/flash',
    send('POST', { items: [{ artifact: image.sha256, at: 0 }] }),
  )
  await delay(300)
  t.equal((await fetch(`${api}/jobs/${first.job.id}`, { method: 'DELETE' })).status, 202)
  t.match(await within(daemon.services.jobs.wait(first.job.id), 'the cancelled job', 15_000), { state: 'cancelled' })

  const seen: Job[] = []
  const result = await runJob('/boards/desk/flash', { items: [{ artifact: image.sha256, at: 0 }], verify: true }, seen)
  t.match(result, { isVerified: true, sha256: image.sha256, baud: 1_500_000 })
  const stages = new Set(seen.map(({ stage }) => stage))
  for (const stage of ['write', 'verify', 'boot']) t.ok(stages.has(stage), `stage ${stage} was told`)
  t.match(await whenBoard('running'), { firmware: { buildId: /\S/, board: 'virtual' }, models: [] })
  t.match(await json('/health'), { boards: 1, running: 1 })
})

t.test('infer without a model: 409 that says what to do', async (t) => {
  const response = await fetch(`${api}/boards/desk/infer`, {
    method: 'POST',
    headers: { 'content-type': 'image/jpeg' },
    body: new Uint8Array([0xff, 0xd8, 0xff, 0xe0]),
  })
  t.match([response.status, await response.json()], [409, { code: 'CONFLICT', fix: /Deploy/ }])
})

t.test('compile over the API: ONNX artifact in, kmodel and card out; the daemon answers meanwhile', async (t) => {
  const { onnx } = await buildZooModel(DEFAULT_NETWORK)
  const model = await client.upload(onnx, `${DEFAULT_NETWORK}.onnx`)
  t.equal(model.kind, 'model')
  const delays = monitorEventLoopDelay({ resolution: 5 })
  delays.enable()
  const seen: Job[] = []
  const result = await runJob('/compile', { model: model.sha256, options: { samples: 12 } }, seen)
  delays.disable()
  t.comment(
    `event loop delay while compiling: ${(delays.max / 1e6).toFixed(0)} ms at most, 99 % below ${(delays.percentile(99) / 1e6).toFixed(0)} ms`,
  )
  compiled = result as typeof compiled
  t.match(result, {
    target: 'v4',
    sha256: compiled.kmodel.sha256,
    kmodel: { kind: 'kmodel', name: `${DEFAULT_NETWORK}.kmodel` },
    card: { kind: 'card' },
    layers: [{ name: String, where: 'kpu' }],
    memory: { fits: true },
  })
  t.ok(
    seen.some(({ progress }) => progress > 0 && progress < 1),
    'progress was told',
  )
  const card = await json<object>(`/artifacts/${compiled.card.sha256}`)
  t.match(card, { schema: 1, decoder: { kind: 'yolov2' }, input: { width: 320, height: 256 } })
})

t.test('compile over the API: what cannot be compiled ends as a failed job with the code', async (t) => {
  const text = await client.upload(Buffer.from('no network'), 'no.onnx')
  t.match(await failedJob(t, '/compile', { model: text.sha256, card: compiled.card.sha256 }), {
    state: 'failed',
    error: { code: 'MODEL_FORMAT', what: /\S/, fix: /\S/ },
  })
  t.match(await failedJob(t, '/compile', { model: text.sha256 }), {
    error: { code: 'COMPILE_CALIBRATION', fix: /card/ },
  })
})

t.test('deploy over the API: refused files send nothing; the model is loaded and streams', async (t) => {
  const kmodel = new Uint8Array(await (await fetch(`${api}/artifacts/${compiled.kmodel.sha256}`)).arrayBuffer())
  const five = kmodel.slice()
  five[4] = 5
  for (const [name, bytes, code] of [
    ['v5.kmodel', five, 'KMODEL_VERSION'],
    ['cut.kmodel', kmodel.subarray(0, 100_000), 'KMODEL_TRUNCATED'],
    ['text.kmodel', Buffer.from('this is a letter, not a model '.repeat(9)), 'KMODEL_FORMAT'],
  ] as const) {
    const artifact = await client.upload(bytes, name)
    const job = await failedJob(t, '/boards/desk/models', { artifact: artifact.sha256, slot: 0 })
    t.match(job.error, { code, fix: /\S/ }, name)
  }
  t.same((await view()).models, [])
  const body = { artifact: compiled.kmodel.sha256, card: compiled.card.sha256, slot: 0 }
  const result = await runJob('/boards/desk/models', body)
  t.match(result, { slot: 0, sha256: compiled.sha256, name: DEFAULT_NETWORK })
  t.match((await view()).models, [{ slot: 0, name: DEFAULT_NETWORK, sha256: compiled.sha256, state: 'loaded' }])
  t.match(await json('/boards/desk/models'), { models: [{ slot: 0 }] })
  t.equal((await results(1))[0]!.modelSha256, compiled.sha256)
})

t.test('events: results with boxes and labels, the board and its log', async (t) => {
  const kinds = new Map<string, unknown>()
  const taken: ResultEvent[] = []
  await readEvents(`${api}/boards/desk/events`, (event, data) => {
    kinds.set(event, data)
    if (event === 'result') taken.push(data as ResultEvent)
    return taken.length >= 40
  })
  t.match(kinds.get('board'), { id: 'desk', state: 'running', link: { baud: 1_500_000 } })
  t.match(kinds.get('log'), { boardId: 'desk', level: /\S/, text: /\S/ })
  const boxes = taken.flatMap(({ detections }) => detections)
  t.ok(boxes.length > 10, `${boxes.length} boxes on 40 frames`)
  for (const { box, score, label } of boxes) {
    t.ok(box.length === 4 && score > 0 && score <= 1 && label === 'face', `${label} ${score} at ${box}`)
  }
  const latencies = taken.flatMap(({ latencyMs }) => latencyMs ?? []).sort((a, b) => a - b)
  t.ok(
    latencies.length > 30 && latencies[20]! > 5 && latencies[20]! < 400,
    `latency ${latencies[0]} to ${latencies.at(-1)} ms, median ${latencies[20]}`,
  )
  t.comment(`latency: median ${latencies[20]} ms, ${latencies[0]} to ${latencies.at(-1)}`)
})

t.test('boards: link counters are flat numbers that grow', async (t) => {
  const before = (await view()).link
  await delay(2500)
  const { link } = await view()
  for (const [name, value] of Object.entries(link)) t.type(value, 'number', name)
  t.ok(link.datagramsReceived! > before.datagramsReceived!, 'counters are read now and then')
  t.ok(link.boardResultsSent! > 0)
})

t.test('snapshot.jpg: its frame id is one of the results, `after` waits for a newer one', async (t) => {
  const ids = new Set<number>()
  const reading = readEvents(`${api}/boards/desk/events`, (event, data) => {
    if (event === 'result') ids.add((data as ResultEvent).frameId)
    return ids.size >= 30
  })
  await delay(300)
  const first = await snapshot()
  const second = await snapshot(first.frameId)
  t.ok(second.frameId > first.frameId)
  await reading
  t.ok(ids.has(second.frameId), `frame ${second.frameId} has a result`)
  const picture = await decodePicture(second.jpeg)
  t.same([picture.width, picture.height], [320, 240])
  const head = await fetch(`${api}/boards/desk/snapshot.jpg`)
  t.match(Object.fromEntries(head.headers), { 'content-type': 'image/jpeg', 'x-frame-id': /^\d+$/ })
  await head.arrayBuffer()
})

t.test('stream.mjpeg: every part is a JPEG with its X-Frame-Id', async (t) => {
  const abort = new AbortController()
  const response = await fetch(`${api}/boards/desk/stream.mjpeg`, { signal: abort.signal })
  const boundary = /boundary=(\S+)/.exec(response.headers.get('content-type')!)![1]!
  let bytes = Buffer.alloc(0)
  for await (const chunk of response.body as unknown as AsyncIterable<Uint8Array>) {
    bytes = Buffer.concat([bytes, chunk])
    if (bytes.length > 60_000) break
  }
  abort.abort()
  const ids: number[] = []
  for (let at = bytes.indexOf(`--${boundary}`); at >= 0; ) {
    const end = bytes.indexOf('\r\n\r\n', at)
    const head = bytes.subarray(at, end).toString('latin1')
    const length = Number(/content-length: (\d+)/i.exec(head)?.[1])
    if (end < 0 || end + 4 + length > bytes.length) break
    t.same([...bytes.subarray(end + 4, end + 6)], [0xff, 0xd8], head.replaceAll('\r\n', ' '))
    ids.push(Number(/X-Frame-Id: (\d+)/.exec(head)![1]))
    at = bytes.indexOf(`--${boundary}`, end + 4 + length)
  }
  t.ok(ids.length >= 3, `${ids.length} parts`)
  t.same(
    ids,
    [...ids].sort((a, b) => a - b),
  )
})

interface Inference {
  readonly width: number
  readonly height: number
  readonly detections: { box: number[]; score: number; label?: string }[]
}

const infer = async (body: Uint8Array | FormData, type?: string, query = '') => {
  const headers: Record<string, string> = type ? { 'content-type': type } : {}
  const init = { method: 'POST', headers, body: body instanceof FormData ? body : Buffer.from(body) }
  return fetch(`${api}/boards/desk/infer${query}`, init)
}

/** A picture that surely has a face: JPEG may move a score near the threshold to its other side. */
async function pictureWithFaces(): Promise<Uint8Array> {
  const found = new Map<number, number>()
  const abort = new AbortController()
  const reading = readEvents(`${api}/boards/desk/events`, (event, data) => {
    const { frameId, detections } = data as ResultEvent
    if (event === 'result') found.set(frameId, Math.max(0, ...detections.map(({ score }) => score)))
    return abort.signal.aborted
  })
  for (let after = -1; ; ) {
    const picture = await snapshot(after)
    await delay(100)
    after = picture.frameId
    if ((found.get(after) ?? 0) < 0.7) continue
    abort.abort()
    await reading
    return picture.jpeg
  }
}

t.test(
  'infer: a JPEG raw and as multipart, and the raw tensor, give the same boxes while the board streams',
  async (t) => {
    const jpeg = await within(pictureWithFaces(), 'a picture with faces')
    const raw = await infer(jpeg, 'image/jpeg')
    t.equal(raw.status, 200)
    const answer = (await raw.json()) as Inference
    t.match(answer, { width: 320, height: 240, stagesUs: { layers: Number } })
    t.ok(answer.detections.length > 0, `${answer.detections.length} boxes`)
    for (const { box, label } of answer.detections) {
      t.equal(label, 'face')
      t.ok(box[0]! > -40 && box[0]! + box[2]! < 360 && box[1]! + box[3]! < 280, `box ${box}`)
    }
    const form = new FormData()
    form.set('image', new Blob([Buffer.from(jpeg)], { type: 'image/jpeg' }), 'face.jpg')
    const multipart = (await (await infer(form)).json()) as Inference
    t.same(multipart.detections, answer.detections, 'multipart')
    const card = await json<Pick<ModelCard, 'input'>>(`/artifacts/${compiled.card.sha256}`)
    const input = placePicture(await decodePicture(jpeg), card.input).picture
    const tensor = (await (await infer(input.data, 'application/octet-stream')).json()) as Inference
    t.match(tensor, { width: 320, height: 256 })
    t.same(tensor.detections, answer.detections, 'raw tensor')
    const asOctets = (await (await infer(jpeg, 'application/octet-stream')).json()) as Inference
    t.same(asOctets.detections, answer.detections, 'a picture without its type')
    const many = await Promise.all([1, 2].map(() => infer(jpeg, 'image/jpeg')))
    for (const one of many) t.same(((await one.json()) as Inference).detections, answer.detections, 'at the same time')
    t.equal((await results(5)).length, 5, 'the stream goes on')
  },
)

t.test('infer: what is no picture, of another size or for an empty slot is a problem with a code', async (t) => {
  const cases = [
    [422, 'PICTURE_FORMAT', await infer(Buffer.from('no picture'), 'image/jpeg')],
    [422, 'SIM_INPUT', await infer(new Uint8Array(100), 'application/octet-stream')],
    [409, 'CONFLICT', await infer(new Uint8Array([0xff, 0xd8, 0xff, 0xe0]), 'image/jpeg', '?slot=3')],
    [400, 'HTTP_INVALID', await infer(new Uint8Array([1]), 'image/jpeg', '?slot=7')],
    [400, 'HTTP_INVALID', await infer(Buffer.from('{}'), 'application/json')],
  ] as const
  for (const [status, code, response] of cases) t.match([response.status, await response.json()], [status, { code }])
  t.ok((await results(2)).length === 2, 'the stream goes on')
})

t.test('config: read, changed, refused', async (t) => {
  t.match(await json('/boards/desk/config'), { config: { slot: 0, results: true, pictureEvery: 1 } })
  t.match(await json('/boards/desk/config', send('PUT', { pictureEvery: 4 })), { config: { pictureEvery: 4, slot: 0 } })
  const pictures: PictureEvent[] = []
  const stop = daemon.services.fleet.get('desk').on('picture', (picture) => pictures.push(picture))
  await results(20)
  stop()
  t.ok(pictures.length <= 8, `${pictures.length} pictures for 20 results`)
  const refused = await fetch(`${api}/boards/desk/config`, send('PUT', { slot: 2 }))
  t.match([refused.status, await refused.json()], [422, { code: 'LINK_REFUSED' }])
  t.match(await json('/boards/desk/config', send('PUT', { pictureEvery: 1 })), { config: { slot: 0 } })
})

t.test('daemon client: boards, uploads and jobs as a command uses them', async (t) => {
  t.match(await client.boards(), [{ id: 'desk', state: 'running' }])
  t.match(await client.board(''), { id: 'desk' }, 'the only board needs no name')
  t.match(await throwsCode(t, 'NOT_FOUND', () => client.board('other')), { fix: /desk/ })
  const stages: string[] = []
  const body = { artifact: compiled.kmodel.sha256, card: compiled.card.sha256, slot: 1 }
  const result = await client.work('/boards/desk/models', body, { progress: ({ stage }) => stages.push(stage) })
  t.match(result, { slot: 1, sha256: compiled.sha256 })
  t.ok(stages.length > 0)
  const text = await client.upload(Buffer.from('text '.repeat(20)), 'x.kmodel')
  await throwsCode(t, 'KMODEL_FORMAT', () => client.work('/boards/desk/models', { artifact: text.sha256, slot: 1 }, {}))
  const abort = new AbortController()
  const work = client.work('/compile', { model: compiled.sha256 }, { signal: abort.signal })
  await throwsCode(t, 'COMPILE_CALIBRATION', () => work, 'a kmodel is no network')
  await throwsCode(t, 'DAEMON_UNREACHABLE', () => new DaemonClient('http://127.0.0.1:9', '').boards())
})

t.test('daemon restarted: the board is taken up again with its model, labels and input rule', async (t) => {
  await within(daemon.close(), 'closing')
  daemon = await openDaemon()
  useDaemon()
  t.same(await json('/boards'), { boards: [] }, 'virtual boards live as long as their process')
  await json('/boards', send('POST', { port: 'virtual:', id: 'desk' }))
  t.match(await whenBoard('running'), { models: [{ slot: 0, sha256: compiled.sha256 }, { slot: 1 }] })
  t.equal((await json<{ artifacts: Artifact[] }>('/artifacts')).artifacts.length > 3, true)
  const { jobs } = await json<{ jobs: Job[] }>('/jobs')
  t.ok(
    jobs.some(({ kind, state }) => kind === 'compile' && state === 'done'),
    'earlier jobs are known',
  )
  const jpeg = await within(pictureWithFaces(), 'a picture with faces')
  const answer = (await (await infer(jpeg, 'image/jpeg')).json()) as Inference
  t.equal(answer.detections[0]?.label, 'face')
})

t.test('reset: into the ROM and back, over the API', async (t) => {
  t.match(await json('/boards/desk/reset', send('POST', { target: 'rom' })), { board: { state: 'booting' } })
  await whenBoard('rom')
  const refused = await fetch(`${api}/boards/desk/config`, send('PUT', { pictureEvery: 2 }))
  t.equal(refused.status, 200, 'settings are kept for the next boot')
  t.match(await json('/boards/desk/reset', { method: 'POST' }), { board: { state: /booting|running/ } })
  await whenBoard('running')
  t.equal((await results(3)).length, 3)
  const gone = await fetch(`${api}/boards/desk`, { method: 'DELETE' })
  t.equal(gone.status, 204)
  t.same(await json('/boards'), { boards: [] })
})

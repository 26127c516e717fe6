import { setTimeout as delay } from 'node:timers/promises'
import t, { type Test } from 'tap'
import type { BoardView, ResultEvent } from '../../host/device/events.js'
import { detect, floatDetector } from '../../host/evaluate/detector.js'
import { matchBoxes } from '../../host/evaluate/match.js'
import { demoScene } from '../../host/jobs/demo-scene.js'
import { sceneSource } from '../../host/virtual-board/camera.js'
import type { Detection } from '../../host/vision/detection.js'
import { iou } from '../../host/vision/iou.js'
import { decodePicture } from '../../host/vision/pictures.js'
import { buildZooModel, DEFAULT_NETWORK } from '../../host/zoo/catalogue.js'
import { type DaemonProcess, isBuilt, notBuilt, readEvents, startDaemon } from '../support/daemon-process.js'

const FRAMES = 150
/** The score from which a box counts; the card's threshold, on the board as well. */
const COUNTED_SCORE = 0.5
/** A board box is no extra one when the float network sees the same thing only a little less surely. */
const NEARLY_SCORE = 0.4
const FOUND_IOU = 0.7
const SAME_IOU = 0.5

interface Story {
  readonly results: ResultEvent[]
  readonly snapshots: { frameId: number; jpeg: Uint8Array }[]
  readonly seconds: number
}

/** Watches the demo as the page does: results as events, pictures as snapshots. */
async function watch(url: string): Promise<Story> {
  const results: ResultEvent[] = []
  const snapshots: { frameId: number; jpeg: Uint8Array }[] = []
  let beginMs = 0
  const reading = readEvents(
    `${url}api/v1/boards/virtual/events`,
    (event, data) => {
      if (event !== 'result') return false
      if (results.length === 0) beginMs = performance.now()
      results.push(data as ResultEvent)
      return results.length >= FRAMES
    },
    90_000,
  )
  let isOver = false
  void reading.catch(() => undefined).then(() => (isOver = true))
  while (results.length === 0 && !isOver) await delay(50)
  for (let after = -1; !isOver && snapshots.length < 12; await delay(200)) {
    const response = await fetch(`${url}api/v1/boards/virtual/snapshot.jpg?after=${after}`)
    if (response.status !== 200) continue
    after = Number(response.headers.get('x-frame-id'))
    snapshots.push({ frameId: after, jpeg: new Uint8Array(await response.arrayBuffer()) })
  }
  await reading
  return { results, snapshots, seconds: (performance.now() - beginMs) / 1000 }
}

async function whenRunning(url: string): Promise<BoardView> {
  for (let i = 0; i < 900; i++) {
    const { boards } = (await (await fetch(`${url}api/v1/boards`)).json()) as { boards: BoardView[] }
    if (boards[0]?.state === 'running' && boards[0].models[0]?.state === 'loaded') return boards[0]
    await delay(100)
  }
  throw new Error('the board does not run')
}

interface Comparison {
  floatBoxes: number
  found: number
  boardBoxes: number
  extra: number
  readonly misses: string[]
}

/** Compares the boxes of one frame; misses and extras are told with what is known about them. */
function compareFrame(tally: Comparison, frameId: number, float: readonly Detection[], board: ResultEvent): void {
  const counted = float.filter(({ score }) => score >= COUNTED_SCORE)
  const seen = board.detections.filter(({ score }) => score >= COUNTED_SCORE)
  const { pairs, onlyA } = matchBoxes(counted, board.detections, FOUND_IOU)
  tally.floatBoxes += counted.length
  tally.found += pairs.length
  for (const i of onlyA) {
    const best = Math.max(0, ...board.detections.map(({ box }) => iou(box, counted[i]!.box)))
    tally.misses.push(`frame ${frameId}: float ${counted[i]!.score.toFixed(2)} best IoU ${best.toFixed(2)}`)
  }
  const nearly = float.filter(({ score }) => score >= NEARLY_SCORE)
  tally.boardBoxes += seen.length
  for (const i of matchBoxes(seen, nearly, SAME_IOU).onlyA) {
    tally.extra++
    tally.misses.push(`frame ${frameId}: extra on the board, score ${seen[i]!.score.toFixed(2)}`)
  }
}

/** The same frames, rebuilt from the scene by their ids, through the float network and the same decoder. */
async function compareWithFloat(results: readonly ResultEvent[]): Promise<Comparison> {
  const { onnx, card } = await buildZooModel(DEFAULT_NETWORK)
  const detector = await floatDetector(onnx, card)
  const camera = sceneSource(await demoScene())
  const tally: Comparison = { floatBoxes: 0, found: 0, boardBoxes: 0, extra: 0, misses: [] }
  try {
    for (const result of results) {
      const float = await detect(detector, camera.frame(result.frameId), { scoreThreshold: NEARLY_SCORE })
      compareFrame(tally, result.frameId, float, result)
    }
  } finally {
    await detector.dispose()
  }
  return tally
}

/** The camera's picture of a frame id is the one that the board sent, up to JPEG. */
async function checkPictures(t: Test, snapshots: Story['snapshots']): Promise<void> {
  const camera = sceneSource(await demoScene())
  for (const { frameId, jpeg } of snapshots.slice(0, 4)) {
    const sent = await decodePicture(jpeg)
    const difference = (id: number) => {
      const { data } = camera.frame(id)
      return data.reduce((sum, value, i) => sum + Math.abs(value - sent.data[i]!), 0) / data.length
    }
    const own = difference(frameId)
    t.ok(own < 8 && own < difference(frameId + 30), `frame ${frameId}: ${own.toFixed(1)} grey levels from its source`)
  }
}

t.test(
  'demo: boxes found on the board are those of the float network on the same frames',
  { skip: isBuilt ? false : notBuilt, timeout: 220_000 },
  async (t) => {
    const daemon: DaemonProcess = await startDaemon('demo', ['--no-open'])
    t.teardown(() => daemon.stop())
    t.ok(daemon.startMs < 60_000, `page URL after ${(daemon.startMs / 1000).toFixed(1)} s`)
    t.match(await (await fetch(daemon.url)).text(), /<canvas/, 'the page is there')
    const view = await whenRunning(daemon.url)
    t.match(view, { state: 'running', models: [{ slot: 0, name: DEFAULT_NETWORK }], firmware: { board: 'virtual' } })

    const { results, snapshots, seconds } = await watch(daemon.url)
    const ids = results.map(({ frameId }) => frameId)
    t.ok(snapshots.length >= 3, `${snapshots.length} snapshots`)
    const { lastFrameId } = await whenRunning(daemon.url)
    t.ok(Number(lastFrameId) >= ids[0]!, `/boards shows frame ${lastFrameId}, events began at ${ids[0]}`)
    const between = snapshots.filter(({ frameId }) => frameId >= ids[0]! && frameId <= ids.at(-1)!)
    for (const { frameId } of between) t.ok(ids.includes(frameId), `snapshot ${frameId} is of a frame with a result`)
    t.ok(
      results.every(({ modelSha256 }) => modelSha256 === view.models[0]!.sha256),
      'every result names the model',
    )
    await checkPictures(t, snapshots)

    const withBoxes = results.filter(({ detections }) => detections.length > 0).length
    t.ok(withBoxes >= 0.8 * results.length, `boxes in ${withBoxes} of ${results.length} frames`)
    const boardSeconds = (results.at(-1)!.deviceTimeUs - results[0]!.deviceTimeUs) / 1e6
    const latencies = results.flatMap(({ latencyMs }) => latencyMs ?? []).sort((a, b) => a - b)
    t.comment(
      `frames a second: ${((results.length - 1) / seconds).toFixed(1)} by the wall clock, ${((results.length - 1) / boardSeconds).toFixed(1)} in virtual time; latency median ${latencies[latencies.length >> 1]} ms`,
    )

    const tally = await compareWithFloat(results)
    t.comment(
      `float boxes >= ${COUNTED_SCORE}: ${tally.floatBoxes}, found at IoU ${FOUND_IOU}: ${tally.found} (${((100 * tally.found) / tally.floatBoxes).toFixed(1)} %); board boxes ${tally.boardBoxes}, extra ${tally.extra} (${((100 * tally.extra) / tally.boardBoxes).toFixed(1)} %)`,
    )
    for (const miss of tally.misses) t.comment(miss)
    t.ok(tally.floatBoxes >= 0.8 * results.length, `${tally.floatBoxes} float boxes in ${results.length} frames`)
    t.ok(tally.found >= 0.95 * tally.floatBoxes, `${tally.found} of ${tally.floatBoxes} found`)
    t.ok(tally.extra <= 0.05 * tally.boardBoxes, `${tally.extra} of ${tally.boardBoxes} extra`)
    t.equal(await daemon.stop(), 0, 'Ctrl-C ends it cleanly')
  },
)

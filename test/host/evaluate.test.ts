import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t from 'tap'
import { pairedBootstrap } from '../../host/evaluate/bootstrap.js'
import { calibrationFiles, calibrationFromShots, loadCalibration } from '../../host/evaluate/calibration.js'
import { type DetectionData, loadDetectionData } from '../../host/evaluate/dataset.js'
import { averagePrecision, figuresAt, judgePicture, type PictureOutcome } from '../../host/evaluate/detect-metrics.js'
import { type Detector, floatDetector } from '../../host/evaluate/detector.js'
import { collectResults, evaluateDetection } from '../../host/evaluate/evaluate-detection.js'
import { matchBoxes } from '../../host/evaluate/match.js'
import { GraphBuilder } from '../../host/ir/builder.js'
import { writeOnnx } from '../../host/onnx/writer.js'
import type { PlanarPicture } from '../../host/tensor/tensor.js'
import type { Box, Detection } from '../../host/vision/detection.js'
import { encodePng } from '../../host/vision/pictures.js'
import { zooCardFor } from '../../host/zoo/known-models.js'
import { tinyFaceCard } from '../../host/zoo/tiny-face.js'
import { noSharedData, sharedData } from '../support/shared-data.js'

const SLIM_SHA256 = '6e12bb34a36eb17b86d2b76b79c9cd20f342a59ee737d2123a814ce6f532932b'

const found = (box: Box, score: number): Detection => ({ box, score, label: 0 })
const square = (x: number, size = 20): Box => [x, 0, size, size]
const rule = { minIou: 0.5, minSize: 10 }

const flat = (width: number, height: number, code: number): PlanarPicture => ({
  width,
  height,
  channels: 3,
  data: new Uint8Array(3 * width * height).fill(code),
})

t.test('judging: a hit, a second hit, a miss and what is not counted', async (t) => {
  const result = judgePicture(
    {
      boxes: [square(0), square(100), square(200, 6)],
      ignore: [square(300, 40)],
      detections: [
        found(square(1), 0.9), // hit
        found(square(0), 0.8), // second hit: false alarm
        found(square(150), 0.7), // false alarm
        found(square(200, 6), 0.6), // on a truth under the size limit
        found(square(305, 40), 0.5), // on an ignored place
        found(square(400, 5), 0.4), // small itself
      ],
    },
    rule,
  )
  t.equal(result.truths, 2)
  t.same(result.outcomes, [
    { score: 0.9, hit: true },
    { score: 0.8, hit: false },
    { score: 0.7, hit: false },
  ])
})

t.test('average precision: by hand, perfect, empty', async (t) => {
  const outcome = (score: number, hit: boolean) => ({ score, hit })
  // Ranks: hit, miss, hit of 3 truths: precision 1 up to recall 1/3, 2/3 up to 2/3.
  const mixed: PictureOutcome[] = [
    { truths: 2, outcomes: [outcome(0.9, true), outcome(0.5, false)] },
    { truths: 1, outcomes: [outcome(0.4, true)] },
  ]
  t.ok(Math.abs(averagePrecision(mixed) - (1 + 2 / 3) / 3) < 1e-12)
  t.equal(averagePrecision([{ truths: 1, outcomes: [outcome(0.2, true)] }]), 1)
  t.equal(averagePrecision([{ truths: 1, outcomes: [] }]), 0)
  t.equal(averagePrecision([]), 0)
  t.match(figuresAt(mixed, 0.5), { faces: 3, hits: 1, falseAlarms: 1, recall: 1 / 3, precision: 0.5 })
  t.match(figuresAt(mixed, 0.95), { hits: 0, recall: 0, precision: 1 })
})

t.test('matching pairs boxes one to one, the best overlap first', async (t) => {
  const a = [found(square(0), 0.9), found(square(4), 0.8), found(square(500), 0.7)]
  const b = [found(square(3), 0.9), found(square(900), 0.6)]
  const match = matchBoxes(a, b, 0.5)
  t.same(
    match.pairs.map((pair) => [pair.a, pair.b]),
    [[1, 0]],
  )
  t.same([match.onlyA, match.onlyB], [[0, 2], [1]])
})

/** Outcomes of pictures with one truth each, found with the given chance. */
function pictures(count: number, misses: (i: number) => boolean): PictureOutcome[] {
  return Array.from({ length: count }, (_, i) => ({
    truths: 1,
    outcomes: misses(i) ? [] : [{ score: 1 - i / (2 * count), hit: true }],
  }))
}

t.test('bootstrap: equal detectors differ by nothing, a worse one by its loss', async (t) => {
  const good = pictures(100, () => false)
  const equal = pairedBootstrap(good, good, { resamples: 200 })
  t.match(equal, { estimate: 0, lower: 0, upper: 0, resamples: 200 })
  const bad = pictures(100, (i) => i % 10 === 0)
  const worse = pairedBootstrap(good, bad, { resamples: 500, seed: 3 })
  t.ok(Math.abs(worse.estimate + 0.1) < 1e-9)
  t.ok(worse.lower < -0.1 && worse.lower > -0.2 && worse.upper > -0.1 && worse.upper < 0)
  t.same(pairedBootstrap(good, bad, { resamples: 500, seed: 3 }), worse, 'the seed decides')
  t.throws(() => pairedBootstrap(good, bad.slice(1)), { code: 'USAGE' })
  t.throws(() => pairedBootstrap([], []), { code: 'USAGE' })
})

t.test('data set: labels are read, and what does not fit names its entry', async (t) => {
  const labels = (value: unknown) => {
    const folder = t.testdir({ 'labels.json': typeof value === 'string' ? value : JSON.stringify(value) })
    return loadDetectionData(folder)
  }
  const data = await labels([{ file: 'a.png', boxes: [[1, 2, 3, 4]], extra: 1 }])
  t.match(data.pictures[0], { file: 'a.png', boxes: [[1, 2, 3, 4]], ignore: [] })
  for (const wrong of [
    '{',
    {},
    [{ boxes: [] }],
    [{ file: 'a', boxes: [[1, 2, 3]] }],
    [{ file: 'a', boxes: [], ignore: 1 }],
  ]) {
    await t.rejects(labels(wrong), { code: 'FILE_FORMAT' })
  }
  await t.rejects(loadDetectionData(join(t.testdirName, 'nothing')), { code: 'FILE_READ' })
})

t.test('calibration: folder, list and bytes; other files are left out', async (t) => {
  const folder = t.testdir({ 'notes.txt': 'no picture', sub: {} })
  for (const [i, name] of ['b.png', 'a.png', 'c.png'].entries()) {
    writeFileSync(join(folder, name), await encodePng(flat(8, 6, i)))
  }
  const names = (files: string[]) => files.map((file) => file.slice(folder.length + 1))
  t.same(names(await calibrationFiles(folder, 10)), ['a.png', 'b.png', 'c.png'])
  t.same(names(await calibrationFiles(folder, 2)), ['a.png', 'b.png'])
  const list = join(folder, 'notes.txt')
  writeFileSync(list, '# two of them\nc.png\n\na.png\n')
  t.same(names(await calibrationFiles(list, 10)), ['c.png', 'a.png'])
  const { input } = tinyFaceCard('x', { width: 32, height: 32 })
  const placed = await loadCalibration(folder, input, 10)
  t.same(
    placed.map((picture) => [picture.width, picture.height, picture.data[0]]),
    [
      [32, 32, 1],
      [32, 32, 0],
      [32, 32, 2],
    ],
  )
  t.same(await loadCalibration([readFileSync(join(folder, 'a.png'))], input), [placed[0]])
  mkdirSync(join(folder, 'empty'))
  await t.rejects(loadCalibration(join(folder, 'empty'), input), { code: 'COMPILE_CALIBRATION' })
  await t.rejects(loadCalibration(join(folder, 'gone'), input), { code: 'FILE_READ' })
  const shots = [{ picture: 0, x: 0, y: 0, width: 8, mirrored: true, gain: 1 }]
  t.equal(calibrationFromShots([flat(8, 6, 9)], shots, input)[0]!.data[0], 9)
})

/** A detector that finds what it is told, on pictures of one colour. */
function scripted(byColour: ReadonlyMap<number, readonly Box[]>): Detector {
  const card = tinyFaceCard('scripted', { width: 32, height: 32 })
  // One cell, one anchor alive: centre (16, 16); the size follows from tw and th.
  return {
    name: 'scripted',
    card,
    async run(input) {
      const output = new Float32Array(25).fill(-20)
      const [box] = byColour.get(input.data[0]!) ?? []
      if (box) {
        const [width, height] = [Math.log(box[2] / 32 / 1.603231), Math.log(box[3] / 32 / 2.094468)]
        output.set([0, 0, width, height, 3])
      }
      return [output]
    },
    async dispose() {},
  }
}

t.test('evaluation: hits and misses of a scripted detector, exclusion by hash', async (t) => {
  const folder = t.testdir({})
  for (const code of [10, 20, 30]) writeFileSync(join(folder, `${code}.png`), await encodePng(flat(32, 32, code)))
  const box: Box = [6, 6, 20, 20]
  const labels = [10, 20, 30].map((code) => ({ file: `${code}.png`, boxes: code === 30 ? [] : [box], ignore: [] }))
  writeFileSync(join(folder, 'labels.json'), JSON.stringify(labels))
  const data: DetectionData = await loadDetectionData(folder)
  const detector = scripted(
    new Map([
      [10, [box]],
      [30, [box]],
    ]),
  )
  const seen: number[] = []
  const report = await evaluateDetection(detector, data, { progress: ({ done }) => seen.push(done) })
  t.same(seen, [1, 2, 3])
  t.match(report, { images: 3, recall: 0.5, precision: 0.5, threshold: 0.5 })
  t.same(
    report.byMinSize.map(({ minSize, faces }) => [minSize, faces]),
    [
      [10, 2],
      [24, 0],
      [32, 0],
      [48, 0],
    ],
  )
  t.equal((await evaluateDetection(detector, data, { limit: 1 })).recall, 1)
  const { createHash } = await import('node:crypto')
  const exclude = new Set([
    createHash('sha256')
      .update(readFileSync(join(folder, '20.png')))
      .digest('hex'),
  ])
  t.same(
    (await collectResults(detector, data, { exclude })).map((result) => result.file),
    ['10.png', '30.png'],
  )
  await t.rejects(evaluateDetection(detector, data, { signal: AbortSignal.abort() }), { code: 'CANCELLED' })
})

t.test('float detector: outputs are found by name or order, and others are refused', async (t) => {
  const card = tinyFaceCard('one cell', { width: 32, height: 32 })
  const builder = new GraphBuilder('one cell')
  const x = builder.input('pixels', [1, 3, 32, 32])
  const pooled = builder.node({ kind: 'globalPool', mode: 'mean' }, [x], 'mean')
  const y = builder.conv2d(pooled, { weights: new Float32Array(75).fill(1), shape: [25, 3, 1, 1] }, 'head')
  const onnx = writeOnnx(builder.output(y).build())
  const detector = await floatDetector(onnx, card)
  const [output] = await detector.run(flat(32, 32, 0))
  t.equal(output!.length, 25)
  t.ok(Math.abs(output![0]! + (117.001 + 114.697 + 97.404) / 256) < 1e-4, 'pixels were normalised')
  const twoOutputs = ['a', 'b'].map((name) => ({ ...card.outputs[0]!, name }))
  const two = await floatDetector(onnx, { ...card, outputs: twoOutputs })
  await t.rejects(two.run(flat(32, 32, 0)), { code: 'CARD_INVALID' })
  await Promise.all([detector.dispose(), two.dispose()])
})

const slim = sharedData('models', 'ulfd_slim320_nopost.onnx')

t.test('slim320 float finds the published boxes again', { skip: slim ? false : noSharedData }, async (t) => {
  const detector = await floatDetector(new Uint8Array(readFileSync(slim!)), zooCardFor(SLIM_SHA256)!)
  const data = await loadDetectionData(sharedData('images', 'detection')!)
  const baseline = JSON.parse(readFileSync(sharedData('models', 'baseline', 'detections_ulfd_slim320.json')!, 'utf8'))
  const published = (file: string) =>
    (baseline[file] as number[][])
      .filter((row) => row[4]! >= 0.5)
      .map((row) => found([row[0]!, row[1]!, row[2]!, row[3]!], row[4]!))
  let wanted = 0
  let matched = 0
  for (const result of await collectResults(detector, data, { limit: 60 })) {
    const boxes = published(result.file)
    const { pairs } = matchBoxes(boxes, result.detections, 0.9)
    wanted += boxes.length
    matched += pairs.filter((pair) => Math.abs(boxes[pair.a]!.score - result.detections[pair.b]!.score) <= 0.02).length
  }
  t.ok(wanted > 300 && matched >= 0.98 * wanted, `${matched} of ${wanted} boxes at IoU 0.9, score within 0.02`)
  await detector.dispose()
})

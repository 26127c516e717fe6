import { readFileSync } from 'node:fs'
import t from 'tap'
import type { ModelCard } from '../../host/card/card.js'
import { type CompileResult, compile } from '../../host/compiler/compile.js'
import { DEFAULT_METHOD } from '../../host/compiler/options.js'
import { pairedBootstrap } from '../../host/evaluate/bootstrap.js'
import { calibrationFromShots, loadCalibration, loadScenePictures } from '../../host/evaluate/calibration.js'
import { type DetectionData, loadDetectionData } from '../../host/evaluate/dataset.js'
import { averagePrecision, judgePicture, type PictureResult } from '../../host/evaluate/detect-metrics.js'
import { detect, floatDetector, kmodelDetector } from '../../host/evaluate/detector.js'
import { collectResults } from '../../host/evaluate/evaluate-detection.js'
import { matchBoxes } from '../../host/evaluate/match.js'
import { prepareModel } from '../../host/simulator/model.js'
import type { PlanarPicture } from '../../host/tensor/tensor.js'
import { sceneSource } from '../../host/virtual-board/camera.js'
import { buildZooModel, DEFAULT_NETWORK } from '../../host/zoo/catalogue.js'
import { zooCardFor } from '../../host/zoo/known-models.js'
import { calibrationShots, demoShots, SCENE_WIDTH, scenePictures } from '../../host/zoo/scene.js'
import { noSharedData, sharedData } from '../support/shared-data.js'

const SLIM_SHA256 = '6e12bb34a36eb17b86d2b76b79c9cd20f342a59ee737d2123a814ce6f532932b'
const FRAMES_A_SHOT = 60

async function compileBy8Bit(model: Uint8Array, card: ModelCard, calibration: PlanarPicture[]): Promise<CompileResult> {
  return compile({
    model,
    name: card.name,
    card,
    calibration,
    options: { method: DEFAULT_METHOD, target: 'v4' },
    simulateLayers: async (kmodel, input) => {
      const simulation = await prepareModel(kmodel)
      return simulation.run(input, { layers: true }).layers.map((layer) => layer.data)
    },
  })
}

t.test('the demo network: a kmodel finds the float network’s boxes on camera frames', async (t) => {
  const { onnx, card } = await buildZooModel(DEFAULT_NETWORK)
  const pictures = await loadScenePictures(scenePictures(), SCENE_WIDTH)
  const calibration = calibrationFromShots(pictures, calibrationShots(1, 96), card.input)
  const compiled = await compileBy8Bit(onnx, card, calibration)
  for (const layer of compiled.report.layers) {
    t.equal(layer.where, 'kpu', `${layer.name} runs on the KPU`)
    t.ok(layer.cosine !== undefined && layer.cosine >= 0.99, `${layer.name}: cosine ${layer.cosine?.toFixed(4)}`)
  }
  const float = await floatDetector(onnx, card)
  const kmodel = await kmodelDetector(compiled.kmodel, compiled.card)
  const shots = demoShots()
  const source = sceneSource({ pictures, shots, framesPerShot: FRAMES_A_SHOT, seed: 1 })
  const sum = { frames: 0, seen: 0, float: 0, found: 0, kmodel: 0, extra: 0 }
  for (let frame = 0; frame < shots.length * FRAMES_A_SHOT; frame += 15) {
    const picture = source.frame(frame)
    const wanted = await detect(float, picture)
    const got = await detect(kmodel, picture)
    const match = matchBoxes(wanted, got, 0.7)
    sum.frames += 1
    sum.seen += got.length > 0 ? 1 : 0
    sum.float += wanted.length
    sum.found += match.pairs.length
    sum.kmodel += got.length
    sum.extra += match.onlyB.length
  }
  await float.dispose()
  t.comment(JSON.stringify(sum))
  t.ok(sum.seen >= 0.8 * sum.frames, `boxes in ${sum.seen} of ${sum.frames} frames`)
  t.ok(sum.found >= 0.95 * sum.float, `${sum.found} of ${sum.float} float boxes found at IoU 0.7`)
  t.ok(sum.extra <= 0.05 * sum.kmodel, `${sum.extra} of ${sum.kmodel} boxes are extra`)
})

/** Every fifth picture calibrates, the others are evaluated. */
function split(data: DetectionData): { calibration: string[]; rest: DetectionData } {
  const calibration = data.pictures.filter((_, i) => i % 5 === 0).map((picture) => picture.path)
  return { calibration, rest: { ...data, pictures: data.pictures.filter((_, i) => i % 5 !== 0) } }
}

const facesFrom24 = (results: readonly PictureResult[]) =>
  results.map((result) => judgePicture(result, { minIou: 0.5, minSize: 24 }))

const slim = sharedData('models', 'ulfd_slim320_nopost.onnx')

t.test('slim320: AP50 of faces from 24 pixels stays near float', { skip: slim ? false : noSharedData }, async (t) => {
  const onnx = new Uint8Array(readFileSync(slim!))
  const card = zooCardFor(SLIM_SHA256)!
  const { calibration, rest } = split(await loadDetectionData(sharedData('images', 'detection')!))
  const list = t.testdir({ 'list.txt': calibration.join('\n') })
  const compiled = await compileBy8Bit(onnx, card, await loadCalibration(`${list}/list.txt`, card.input))
  const float = await floatDetector(onnx, card)
  const a = facesFrom24(await collectResults(float, rest))
  const b = facesFrom24(await collectResults(await kmodelDetector(compiled.kmodel, compiled.card), rest))
  await float.dispose()
  const difference = pairedBootstrap(a, b, { resamples: 1000, seed: 1 })
  const figures = `float ${averagePrecision(a).toFixed(4)}, kmodel ${averagePrecision(b).toFixed(4)}`
  t.ok(difference.estimate >= -0.01, `${figures}: difference ${difference.estimate.toFixed(4)}`)
  t.ok(difference.lower >= -0.02, `lower bound of 95 % ${difference.lower.toFixed(4)}`)
})

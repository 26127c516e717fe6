import { createHash } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { encodeBoardCard } from '../../host/card/binary.js'
import type { ModelCard } from '../../host/card/card.js'
import { compile } from '../../host/compiler/compile.js'
import { prepareModel } from '../../host/simulator/model.js'
import type { PlanarPicture } from '../../host/tensor/tensor.js'
import { decodeDetections } from '../../host/vision/decode.js'
import { placePicture } from '../../host/vision/letterbox.js'
import { loadPicture } from '../../host/vision/pictures.js'
import { resizeBilinear } from '../../host/vision/resize.js'
import { renderShot } from '../../host/vision/shot.js'
import { buildZooModel, DEFAULT_NETWORK, zooEntry } from '../../host/zoo/catalogue.js'
import { zooCardFor } from '../../host/zoo/known-models.js'
import { calibrationShots, demoShots, SCENE_WIDTH, scenePictures } from '../../host/zoo/scene.js'
import { nativeToolsBuilt, noCompiler, runTool } from '../support/native-tools.js'
import { noSharedData, sharedData } from '../support/shared-data.js'

const skip = nativeToolsBuilt() ? false : noCompiler

interface RunJson {
  readonly outputs: readonly { readonly sha256: string }[]
  readonly boxes: readonly {
    readonly x: number
    readonly y: number
    readonly w: number
    readonly h: number
    readonly score: number
  }[]
}

async function scene(): Promise<PlanarPicture[]> {
  const pictures = await Promise.all(scenePictures().map(({ file }) => loadPicture(file)))
  return pictures.map((picture) =>
    resizeBilinear(picture, SCENE_WIDTH, Math.round((picture.height * SCENE_WIDTH) / picture.width)),
  )
}

/** Runs one camera picture in the C core and in the simulator; both must see the same bytes and find the same boxes. */
async function agree(t: Test, model: { kmodel: Uint8Array; card: ModelCard }, camera: PlanarPicture): Promise<number> {
  const dir = t.testdir()
  const file = (name: string) => join(dir, name)
  writeFileSync(file('model'), model.kmodel)
  writeFileSync(file('card'), encodeBoardCard(model.card))
  writeFileSync(file('planes'), camera.data)
  const placing = [file('card'), file('planes'), camera.width, camera.height, file('input'), 0, 0, 1, 1]
  t.equal(runTool('k210b-image', placing).status, 0)
  const { picture } = placePicture(camera, model.card.input)
  t.ok(readFileSync(file('input')).equals(picture.data), 'the same input')
  const { status, json, stderr } = runTool('k210b-run', [file('model'), file('input'), file('card'), '-'])
  t.equal(status, 0, stderr)
  const { outputs } = (await prepareModel(model.kmodel)).run(picture.data)
  const hashes = outputs.map((bytes) => createHash('sha256').update(bytes).digest('hex'))
  t.same(
    (json as RunJson).outputs.map(({ sha256 }) => sha256),
    hashes,
    'the same output maps',
  )
  const expected = decodeDetections(model.card, outputs)
  const { boxes } = json as RunJson
  t.equal(boxes.length, expected.length)
  expected.forEach(({ box, score }, i) => {
    const found = boxes[i]!
    const pairs = [found.x, found.y, found.w, found.h, found.score].map((v, k) => [v, [...box, score][k]!] as const)
    for (const [v, e] of pairs)
      if (Math.abs(v - e) > 1e-4 * Math.max(1, Math.abs(e))) t.fail(`box ${i}: ${v}, not ${e}`)
  })
  return boxes.length
}

t.test('C core: the default network finds on photographs what simulator and host decoder find', { skip }, async (t) => {
  const pictures = await scene()
  const { card } = zooEntry(DEFAULT_NETWORK)
  const calibration = calibrationShots(1, 6).map((shot) => placePicture(renderShot(pictures, shot), card.input).picture)
  const { onnx, name } = await buildZooModel(DEFAULT_NETWORK)
  const options = { method: 'minmax', target: 'v4' } as const
  const model = await compile({ model: onnx, name: `${name}.onnx`, calibration, options, card })
  let boxes = 0
  for (const shot of demoShots().filter((_, i) => i % 9 === 0))
    boxes += await agree(t, model, renderShot(pictures, shot))
  t.ok(boxes > 0, `${boxes} boxes`)
})

const ulfd = sharedData('models', 'ulfd_slim320_nopost.onnx')
const photograph = sharedData('images', 'detection', '0_Parade_marchingband_1_309.jpg')
const skipUlfd = skip || ((!ulfd || !photograph) && noSharedData)

t.test('C core: slim320 cut at its heads finds what simulator and host decoder find', { skip: skipUlfd }, async (t) => {
  const bytes = readFileSync(ulfd!)
  const card = zooCardFor(createHash('sha256').update(bytes).digest('hex'))!
  const camera = resizeBilinear(await loadPicture(photograph!), 320, 240)
  const calibration = [placePicture(camera, card.input).picture]
  const options = { method: 'minmax', target: 'v4' } as const
  const model = await compile({ model: bytes, name: 'slim320.onnx', calibration, options, card })
  t.ok((await agree(t, model, camera)) > 0)
})

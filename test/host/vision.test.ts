import { readFileSync } from 'node:fs'
import sharp from 'sharp'
import t from 'tap'
import type { CardInput, ModelCard } from '../../host/card/card.js'
import { packageFile } from '../../host/foundation/paths.js'
import type { PlanarPicture } from '../../host/tensor/tensor.js'
import { type DecodeCard, decodeDetections } from '../../host/vision/decode.js'
import type { Detection } from '../../host/vision/detection.js'
import { iou } from '../../host/vision/iou.js'
import { boxToPicture, placePicture, toColour } from '../../host/vision/letterbox.js'
import { nonMaximumSuppression } from '../../host/vision/nms.js'
import { normalise } from '../../host/vision/normalise.js'
import { decodePicture, drawDetections, encodeJpeg, encodePng } from '../../host/vision/pictures.js'
import { resizeArea, resizeBilinear } from '../../host/vision/resize.js'

interface GoldenCase {
  readonly case: string
  readonly card: DecodeCard
  readonly outputs: readonly string[]
  readonly boxes: readonly { x: number; y: number; w: number; h: number; score: number; label: number }[]
}

function goldenCases(): readonly GoldenCase[] {
  const parsed = JSON.parse(readFileSync(packageFile('test', 'golden', 'decoders.json'), 'utf8'))
  return Array.isArray(parsed) ? parsed : parsed.cases
}

/** Bytes of an output as its type says. */
function outputData(output: ModelCard['outputs'][number], hex: string): Uint8Array | Float32Array {
  const bytes = new Uint8Array(Buffer.from(hex, 'hex'))
  return output.type === 'float32' ? new Float32Array(bytes.buffer) : bytes
}

/** A picture whose pixel is `value(channel, x, y)`. */
function picture(width: number, height: number, value: (c: number, x: number, y: number) => number): PlanarPicture {
  const data = Uint8Array.from({ length: 3 * width * height }, (_, i) => {
    const x = i % width
    const y = ((i - x) / width) % height
    return value(Math.floor(i / (width * height)), x, y)
  })
  return { width, height, channels: 3, data }
}

const rule = (over: Partial<CardInput>): CardInput => ({
  width: 8,
  height: 8,
  colour: 'rgb',
  resize: 'letterbox',
  fill: 0,
  mean: [0, 0, 0],
  std: [1, 1, 1],
  scale: 1,
  zeroPoint: 0,
  ...over,
})

for (const golden of goldenCases()) {
  t.test(`golden decoder case: ${golden.case}`, async (t) => {
    const outputs = golden.outputs.map((hex, i) => outputData(golden.card.outputs[i]!, hex))
    const found = decodeDetections(golden.card, outputs)
    t.equal(found.length, golden.boxes.length)
    found.forEach((detection, i) => {
      const wanted = golden.boxes[i]!
      const flat = [...detection.box, detection.score]
      const expected = [wanted.x, wanted.y, wanted.w, wanted.h, wanted.score]
      const error = Math.max(...flat.map((value, k) => Math.abs(value - expected[k]!)))
      t.ok(error < 1e-4 && detection.label === wanted.label, `box ${i} is within 1e-4`)
    })
  })
}

t.test('decode: outputs that do not fit the card are refused with the output', async (t) => {
  const golden = goldenCases()[0]!
  t.throws(() => decodeDetections(golden.card, []), { code: 'CARD_INVALID', where: { path: 'outputs' } })
  t.throws(() => decodeDetections(golden.card, [new Uint8Array(3)]), { code: 'CARD_INVALID' })
  const none = { ...golden.card, decoder: { kind: 'none' as const } }
  t.throws(() => decodeDetections(none, []), { code: 'CARD_INVALID', where: { path: 'decoder.kind' } })
})

t.test('decode: a higher threshold in the options leaves the better boxes', async (t) => {
  const golden = goldenCases().find((one) => one.case.startsWith('yolov2: five anchors'))!
  const outputs = golden.outputs.map((hex, i) => outputData(golden.card.outputs[i]!, hex))
  const all = decodeDetections(golden.card, outputs)
  const better = all.findIndex((one) => one.score < all[0]!.score)
  const limit = (all[better - 1]!.score + all[better]!.score) / 2
  t.same(decodeDetections(golden.card, outputs, { scoreThreshold: limit }), all.slice(0, better))
  t.equal(decodeDetections(golden.card, outputs, { maxBoxes: 2 }).length, 2)
})

t.test('iou: disjoint, touching, nested and equal boxes', async (t) => {
  t.equal(iou([0, 0, 10, 10], [20, 0, 10, 10]), 0)
  t.equal(iou([0, 0, 10, 10], [10, 0, 10, 10]), 0)
  t.equal(iou([0, 0, 10, 10], [0, 0, 5, 10]), 0.5)
  t.equal(iou([1, 2, 3, 4], [1, 2, 3, 4]), 1)
  t.equal(iou([0, 0, 0, 0], [0, 0, 0, 0]), 0)
})

t.test('suppression keeps equal scores in order and other labels', async (t) => {
  const boxes: Detection[] = [
    { box: [0, 0, 10, 10], score: 0.8, label: 0 },
    { box: [1, 0, 10, 10], score: 0.8, label: 0 },
    { box: [0, 1, 10, 10], score: 0.9, label: 1 },
    { box: [50, 0, 10, 10], score: 0.7, label: 0 },
  ]
  t.same(nonMaximumSuppression(boxes, 0.4), [boxes[2], boxes[0], boxes[3]])
  t.same(nonMaximumSuppression(boxes, 0.4, 2), [boxes[2], boxes[0]])
})

t.test('resize: same size is the same picture, flat pictures stay flat', async (t) => {
  const flat = picture(7, 5, (c) => 40 + c)
  t.equal(resizeBilinear(flat, 7, 5), flat)
  for (const [width, height] of [
    [3, 2],
    [14, 10],
    [9, 31],
  ] as const) {
    const expected = picture(width, height, (c) => 40 + c).data
    t.same(resizeBilinear(flat, width, height).data, expected)
    t.same(resizeArea(flat, width, height).data, expected)
  }
})

t.test('resize: bilinear takes half-pixel centres and does not smooth', async (t) => {
  // Four columns 0, 100, 200, 40 to two: each target centre lies between two source centres.
  const columns = [0, 100, 200, 40]
  const source = picture(4, 4, (_, x) => columns[x]!)
  t.same([...resizeBilinear(source, 2, 2).data.subarray(0, 2)], [50, 120])
  // To eight: centres at -0.25 (clamped), 0.25, 0.75, 1.25 ...
  t.same([...resizeBilinear(source, 8, 4).data.subarray(0, 8)], [0, 25, 75, 125, 175, 160, 80, 40])
  // To one: the pixel at 1.5, its far neighbours play no part.
  t.same([...resizeBilinear(source, 1, 1).data.subarray(0, 1)], [150])
})

t.test('resize: area averages a window, fractional edges by their share', async (t) => {
  const source = picture(6, 6, (_, x) => x * 40)
  t.same([...resizeArea(source, 2, 1, { x: 0, y: 0, width: 6, height: 6 }).data.subarray(0, 2)], [40, 160])
  t.same([...resizeArea(source, 1, 1, { x: 1, y: 2, width: 2, height: 2 }).data.subarray(0, 1)], [60])
  t.same([...resizeArea(source, 1, 1, { x: 0.5, y: 0, width: 2, height: 1 }).data.subarray(0, 1)], [40])
})

t.test('letterbox: the picture stands top left, the rest is filled, boxes map back', async (t) => {
  const source = picture(16, 8, () => 200)
  const { picture: placed, placement } = placePicture(source, rule({ fill: 7 }))
  t.same([placed.width, placed.height], [8, 8])
  t.ok(placed.data.subarray(0, 32).every((code) => code === 200))
  t.ok(placed.data.subarray(32, 64).every((code) => code === 7))
  t.same(boxToPicture([1, 2, 3, 2], placement), [2, 4, 6, 4])
})

t.test('letterbox: a QVGA picture in 320x256 is copied unchanged', async (t) => {
  const source = picture(320, 240, (c, x, y) => (x * 3 + y * 5 + c) & 255)
  const { picture: placed, placement } = placePicture(source, rule({ width: 320, height: 256 }))
  for (let channel = 0; channel < 3; channel++) {
    const plane = placed.data.subarray(channel * 320 * 256, (channel + 1) * 320 * 256)
    t.same(plane.subarray(0, 320 * 240), source.data.subarray(channel * 320 * 240, (channel + 1) * 320 * 240))
    t.ok(plane.subarray(320 * 240).every((code) => code === 0))
  }
  t.same(placement, { scaleX: 1, scaleY: 1, offsetX: 0, offsetY: 0 })
})

t.test('stretch and crop: boxes map back to the picture', async (t) => {
  const source = picture(32, 16, (_, x) => x * 8)
  const stretched = placePicture(source, rule({ resize: 'stretch' }))
  t.same(boxToPicture([0, 0, 8, 8], stretched.placement), [0, 0, 32, 16])
  const cropped = placePicture(source, rule({ resize: 'crop' }))
  t.same(boxToPicture([0, 0, 8, 8], cropped.placement), [8, 0, 16, 16])
  t.equal(cropped.picture.data[0], 68)
})

t.test('colours: channel order and luma', async (t) => {
  const source = picture(2, 1, (c, x) => 10 * c + x)
  t.same([...toColour(source, 'bgr').data], [20, 21, 10, 11, 0, 1])
  t.equal(toColour(source, 'rgb'), source)
  const grey = toColour(
    picture(1, 1, (c) => [255, 0, 255][c]!),
    'grey',
  )
  t.same([grey.channels, ...grey.data], [1, 105])
  t.same([...toColour(grey, 'rgb').data], [105, 105, 105])
})

t.test('normalise: (pixel - mean) / std per channel, and a card of the wrong length is refused', async (t) => {
  const real = normalise(
    picture(1, 2, (c, _, y) => 10 * c + y),
    { mean: [1, 2, 3], std: [2, 4, 8] },
  )
  t.same([...real], [-0.5, 0, 2, 2.25, 2.125, 2.25])
  t.throws(
    () =>
      normalise(
        toColour(
          picture(1, 1, () => 0),
          'grey',
        ),
        rule({}),
      ),
    { code: 'CARD_INVALID' },
  )
})

t.test('pictures: PNG is exact, JPEG nearly, PGM and PPM are read', async (t) => {
  const source = picture(20, 12, (c, x, y) => 60 * c + x * 5 + y)
  t.same(await decodePicture(await encodePng(source)), source)
  const back = await decodePicture(await encodeJpeg(source, 95))
  const error = source.data.reduce((worst, code, i) => Math.max(worst, Math.abs(code - back.data[i]!)), 0)
  t.ok(error < 30, `JPEG differs by at most ${error}`)
  const pgm = new Uint8Array([...Buffer.from('P5\n# a comment\n2 2\n255\n'), 1, 2, 3, 4])
  t.same([...(await decodePicture(pgm)).data], [1, 2, 3, 4, 1, 2, 3, 4, 1, 2, 3, 4])
  const ppm = new Uint8Array([...Buffer.from('P6 1 2 255\n'), 1, 2, 3, 4, 5, 6])
  t.same([...(await decodePicture(ppm)).data], [1, 4, 2, 5, 3, 6])
})

t.test('pictures: EXIF orientation turns them upright, alpha goes, grey becomes RGB', async (t) => {
  const source = picture(16, 8, (_, x) => (x < 8 ? 255 : 0))
  const turned = await sharp(await encodePng(source))
    .withMetadata({ orientation: 6 })
    .png()
    .toBuffer()
  const upright = await decodePicture(turned)
  t.same([upright.width, upright.height], [8, 16])
  t.ok(upright.data[0]! > 200 && upright.data[15 * 8]! < 50)
  const clear = await sharp({ create: { width: 2, height: 1, channels: 4, background: '#ffffff00' } })
    .png()
    .toBuffer()
  t.same([...(await decodePicture(clear)).data], [0, 0, 0, 0, 0, 0])
  const grey = await sharp(Buffer.from([5, 9]), { raw: { width: 2, height: 1, channels: 1 } })
    .png()
    .toBuffer()
  t.same([...(await decodePicture(grey)).data], [5, 9, 5, 9, 5, 9])
})

t.test('pictures: what is no picture is refused with its name', async (t) => {
  const wrong = { code: 'PICTURE_FORMAT', where: { file: 'notes.txt' } }
  await t.rejects(decodePicture(new TextEncoder().encode('hello'), 'notes.txt'), wrong)
  await t.rejects(decodePicture(new Uint8Array(), 'notes.txt'), wrong)
  await t.rejects(decodePicture(new TextEncoder().encode('P5 4 4 255\nx'), 'notes.txt'), wrong)
  await t.rejects(decodePicture(new TextEncoder().encode('P5 2 1 65535\nabcd'), 'notes.txt'), wrong)
})

t.test('drawing changes pixels under the outline only', async (t) => {
  const source = picture(40, 40, () => 0)
  const detection: Detection = { box: [10, 20, 20, 15], score: 0.9, label: 0 }
  const drawn = await decodePicture(await drawDetections(source, [detection], { labels: ['<face>'] }))
  t.ok(drawn.data[1600 + 27 * 40 + 10]! > 100, 'the left edge is green')
  t.equal(drawn.data[1600 + 27 * 40 + 20], 0, 'the inside is not')
})

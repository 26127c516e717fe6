import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { gunzipSync } from 'node:zlib'
import t, { type Test } from 'tap'
import type { PlanarPicture } from '../../host/tensor/tensor.js'
import { decodePicture, encodeJpeg } from '../../host/vision/pictures.js'
import { nativeToolsBuilt, noCompiler, runTool } from '../support/native-tools.js'
import { createRandom } from '../support/random.js'
import { noSharedData, sharedData } from '../support/shared-data.js'

const skip = nativeToolsBuilt() ? false : noCompiler

interface Encoded {
  readonly bytes: Buffer
  readonly result: number
}

function encode(t: Test, picture: PlanarPicture, quality: number, rows = 0, capacity?: number): Encoded {
  const dir = t.testdir()
  writeFileSync(join(dir, 'planes'), picture.data)
  const sizes = [picture.width, picture.height, quality, join(dir, 'out.jpg'), rows]
  const args = [join(dir, 'planes'), ...sizes, ...(capacity === undefined ? [] : [capacity])]
  const { json, stderr } = runTool('k210b-jpeg', args)
  t.equal(stderr, '')
  const result = (json as { bytes: number }).bytes
  return { result, bytes: result > 0 ? readFileSync(join(dir, 'out.jpg')) : Buffer.alloc(0) }
}

/** Peak signal to noise ratio over all channels, dB. */
function psnr(a: PlanarPicture, b: PlanarPicture): number {
  let sum = 0
  for (let i = 0; i < a.data.length; i++) sum += (a.data[i]! - b.data[i]!) ** 2
  return 10 * Math.log10((255 ** 2 * a.data.length) / Math.max(sum, 1))
}

/** Soft blobs, an edge and a little noise: compresses like a photograph. */
function scene(width: number, height: number, seed: number): PlanarPicture {
  const random = createRandom(seed)
  const data = new Uint8Array(3 * width * height)
  for (let c = 0; c < 3; c++)
    for (let y = 0; y < height; y++)
      for (let x = 0; x < width; x++) {
        const blobs = 60 * Math.sin(x / (17 + 5 * c)) * Math.cos(y / 23) + 25 * Math.sin((x + y * (1 + c)) / 7)
        const edge = x * 2 > y * 3 ? 30 : -30
        const value = 128 + blobs + edge + 12 * (random.next() - 0.5)
        data[(c * height + y) * width + x] = Math.max(0, Math.min(255, Math.round(value)))
      }
  return { width, height, channels: 3, data }
}

/** libjpeg's PSNR at this size: between its two nearest qualities, linear in the logarithm of the size. */
async function libjpegPsnr(picture: PlanarPicture, bytes: number): Promise<number> {
  const points: { size: number; psnr: number }[] = []
  for (let quality = 5; quality <= 99; quality += 2) {
    const jpeg = await encodeJpeg(picture, quality)
    points.push({ size: jpeg.length, psnr: psnr(picture, await decodePicture(jpeg)) })
  }
  const above = points.findIndex(({ size }) => size >= bytes)
  const [low, high] = [points[above - 1], points[above]]
  if (!low || !high) throw new Error(`${bytes} bytes are outside libjpeg's range`)
  const share = Math.log(bytes / low.size) / Math.log(high.size / low.size)
  return low.psnr + share * (high.psnr - low.psnr)
}

/** The libjpeg behind the host makes Huffman tables for each file; ours are the fixed ones of T.81. */
async function compare(t: Test, picture: PlanarPicture, qualities: readonly number[]): Promise<void> {
  for (const quality of qualities) {
    const { bytes } = encode(t, picture, quality)
    const decoded = await decodePicture(bytes)
    t.equal(decoded.width, picture.width)
    t.equal(decoded.height, picture.height)
    const [ours, theirs] = [psnr(picture, decoded), await libjpegPsnr(picture, bytes.length)]
    t.ok(
      ours >= theirs - 0.5,
      `quality ${quality}: ${bytes.length} bytes, ${ours.toFixed(2)} dB; libjpeg at that size ${theirs.toFixed(2)} dB`,
    )
  }
}

t.test('JPEG: a drawn scene is as good as from libjpeg at the same size', { skip }, (t) =>
  compare(t, scene(320, 240, 3), [60, 75, 90]),
)

const tensor = sharedData('images', 'tensors', 'cheering.320x240.rgb.gz')
t.test(
  'JPEG: a photograph is as good as from libjpeg at the same size',
  { skip: skip || (tensor === undefined && noSharedData) },
  async (t) => {
    const rgb = gunzipSync(readFileSync(tensor!))
    const data = Uint8Array.from({ length: rgb.length }, (_, i) => rgb[(i % 76_800) * 3 + Math.floor(i / 76_800)]!)
    await compare(t, { width: 320, height: 240, channels: 3, data }, [20, 35, 50, 75, 90])
  },
)

t.test('JPEG: rows in several calls give the bytes of one call', { skip }, async (t) => {
  const picture = scene(100, 75, 5)
  const whole = encode(t, picture, 60).bytes
  for (const rows of [1, 2, 3]) t.ok(encode(t, picture, 60, rows).bytes.equals(whole), `${rows} rows a call`)
})

t.test('JPEG: sides that are no multiple of 16 decode to their size', { skip }, async (t) => {
  for (const [width, height] of [
    [1, 1],
    [17, 16],
    [15, 33],
    [97, 61],
  ] as const) {
    const picture = scene(width, height, 9)
    const decoded = await decodePicture(encode(t, picture, 90).bytes)
    t.same([decoded.width, decoded.height], [width, height])
    t.ok(psnr(picture, decoded) > 25, `${width}x${height}: ${psnr(picture, decoded).toFixed(1)} dB`)
  }
})

t.test('JPEG: noise and extreme colours survive every quality', { skip }, async (t) => {
  const random = createRandom()
  t.comment(`seed ${random.seed}`)
  const data = random.bytes(3 * 64 * 48).map((v) => (v < 128 ? 0 : 255))
  for (const quality of [1, 10, 50, 95, 100]) {
    const decoded = await decodePicture(encode(t, { width: 64, height: 48, channels: 3, data }, quality).bytes)
    t.equal(decoded.width, 64)
  }
})

t.test('JPEG: a buffer that is too small is an error, not an overrun', { skip }, async (t) => {
  const picture = scene(64, 64, 2)
  const size = encode(t, picture, 80).result
  for (const capacity of [0, 1, 300, 623, size - 1]) t.equal(encode(t, picture, 80, 0, capacity).result, -13)
  t.equal(encode(t, picture, 80, 0, size).result, size)
})

import { createHash } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { encodeBoardCard } from '../../host/card/binary.js'
import type { CardInput } from '../../host/card/card.js'
import { boxToPicture, placePicture } from '../../host/vision/letterbox.js'
import { nativeToolsBuilt, noCompiler, runTool } from '../support/native-tools.js'
import { createRandom } from '../support/random.js'
import { noSharedData, sharedData } from '../support/shared-data.js'

const kmodels = sharedData('kmodels')
const skip = nativeToolsBuilt() ? false : noCompiler
const skipGolden = skip || (kmodels === undefined && noSharedData)

interface RunJson {
  readonly error?: string
  readonly status?: number
  readonly nodes: number
  readonly kpuLayers: number
  readonly outputs: readonly { readonly bytes: number; readonly sha256: string }[]
}

interface Golden {
  readonly input: { readonly type: 'uint8' | 'float32'; readonly shape: string; readonly sha256: string }
  readonly outputs: readonly { readonly bytes: number; readonly sha256: string }[]
}

/** Input of the golden runs: element k is (31k + 7) mod 251, as a byte or divided by 255 in float32. */
function rampInput({ type, shape }: Golden['input']): Buffer {
  const count = shape.split('x').reduce((product, side) => product * Number(side), 1)
  const codes = Array.from({ length: count }, (_, k) => (31 * k + 7) % 251)
  return type === 'uint8' ? Buffer.from(codes) : Buffer.from(Float32Array.from(codes, (code) => code / 255).buffer)
}

/** Names with what they exercise. mnist, slim320 and rfb320 contain exp(): ours happens to give the golden bytes too. */
const goldenNames = [
  ...['iris_v3', 'iris_v4', 'mnist_v3', 'maix_asr_v4', 'face_detect_v3', 'slim320_v4', 'face_mask_detect5_v3'],
  ...['yolo20_v3', 'yolo20_v4', 'maix_mask_v3', 'rfb320_v4'],
]

for (const name of goldenNames) {
  t.test(`C core: ${name} gives the golden outputs`, { skip: skipGolden }, async (t) => {
    const golden = JSON.parse(readFileSync(join(kmodels!, `${name}.layers.json`), 'utf8')) as Golden
    const input = rampInput(golden.input)
    t.equal(createHash('sha256').update(input).digest('hex'), golden.input.sha256)
    const inputFile = join(t.testdir(), 'input.bin')
    writeFileSync(inputFile, input)
    const run = runTool('k210b-run', [join(kmodels!, `${name}.kmodel`), inputFile, '-', '-'])
    t.equal(run.status, 0, run.stderr)
    t.same(
      (run.json as RunJson).outputs.map(({ bytes, sha256 }) => ({ bytes, sha256 })),
      golden.outputs.map(({ bytes, sha256 }) => ({ bytes, sha256 })),
    )
  })
}

/** Opens bytes as a kmodel; the status of the refusal, 0 when it opens. */
function openStatus(t: Test, bytes: Uint8Array): number {
  const dir = t.testdir()
  writeFileSync(join(dir, 'model'), bytes)
  writeFileSync(join(dir, 'input'), '')
  const { json, stderr } = runTool('k210b-run', [join(dir, 'model'), join(dir, 'input'), '-', '-'])
  t.equal(stderr, '')
  const { error, status } = json as RunJson
  return error === 'open' ? status! : 0
}

const FORMAT = -10
const VERSION = -11
const UNSUPPORTED = -12

t.test('C core: a file that is no kmodel is refused with the reason', { skip }, async (t) => {
  const text = Buffer.from('# A text file, long enough to hold the header of a kmodel of any version.\n')
  t.equal(openStatus(t, text), FORMAT)
  t.equal(openStatus(t, text.subarray(0, 10)), FORMAT)
  t.equal(openStatus(t, Buffer.alloc(64)), VERSION, 'zeros: version 0')
  const v5 = Buffer.alloc(64)
  v5.write('LDMK', 0, 'latin1')
  v5.writeUInt32LE(5, 4)
  t.equal(openStatus(t, v5), VERSION)
})

t.test('C core: a kmodel that is cut or has a foreign operation is refused', { skip: skipGolden }, async (t) => {
  const bytes = readFileSync(join(kmodels!, 'iris_v4.kmodel'))
  for (const length of [0, 27, 39, 100, bytes.length - 16]) t.equal(openStatus(t, bytes.subarray(0, length)), FORMAT)
  const constants = bytes.readUInt32LE(16)
  const foreign = Buffer.from(bytes)
  foreign.writeUInt32LE(0x1001, 40 + 32 + 16 + constants)
  t.equal(openStatus(t, foreign), UNSUPPORTED)
})

t.test('C core: damaged kmodels never reach outside their memory', { skip: skipGolden }, async (t) => {
  const seed = createRandom().seed
  t.comment(`seed ${seed}`)
  const names = ['iris_v3', 'iris_v4', 'mnist_v3', 'slim320_v4', 'rfb320_v4', 'face_detect_v3']
  const files = names.map((name) => join(kmodels!, `${name}.kmodel`))
  const { status, json, stderr } = runTool('k210b-fuzz', [seed, 250, ...files])
  t.equal(status, 0, stderr)
  const { accepted, refused } = json as { accepted: number; refused: Record<string, number> }
  t.ok(accepted > 0, `${accepted} opened and ran`)
  t.ok(refused[-FORMAT]! > 500, `${refused[-FORMAT]} refused as malformed`)
  t.equal(refused[16], 0, 'no internal errors')
})

const rules: readonly Pick<CardInput, 'width' | 'height' | 'colour' | 'resize' | 'fill'>[] = [
  { width: 320, height: 256, colour: 'rgb', resize: 'letterbox', fill: 114 },
  { width: 97, height: 61, colour: 'bgr', resize: 'letterbox', fill: 0 },
  { width: 64, height: 96, colour: 'grey', resize: 'letterbox', fill: 7 },
  { width: 112, height: 112, colour: 'rgb', resize: 'stretch', fill: 0 },
  { width: 120, height: 40, colour: 'rgb', resize: 'crop', fill: 0 },
  { width: 40, height: 120, colour: 'grey', resize: 'crop', fill: 0 },
]

for (const rule of rules) {
  const { width, height, colour, resize } = rule
  t.test(
    `C core: ${resize} of ${colour} to ${width}x${height} gives the host's bytes and boxes`,
    { skip },
    async (t) => {
      const random = createRandom()
      t.comment(`seed ${random.seed}`)
      const sizes = [[320, 240] as const, [random.integer(5, 400), random.integer(5, 300)] as const]
      const input = { ...rule, mean: [0, 0, 0], std: [1, 1, 1], scale: 1, zeroPoint: 0 }
      for (const [w, h] of sizes) {
        const picture = { width: w, height: h, channels: 3 as const, data: random.bytes(3 * w * h) }
        const placed = placePicture(picture, rule)
        const dir = t.testdir()
        const [card, planes, out] = ['card', 'planes', 'out'].map((name) => join(dir, name)) as [string, string, string]
        writeFileSync(card, encodeBoardCard({ input, decoder: { kind: 'none' }, outputs: [] }))
        writeFileSync(planes, picture.data)
        const box = [width * 0.25, height * 0.1, width * 0.3, height * 0.45] as const
        const { status, json, stderr } = runTool('k210b-image', [card, planes, w, h, out, ...box])
        t.equal(status, 0, stderr)
        t.ok(readFileSync(out).equals(placed.picture.data), `${w}x${h}`)
        const found = (json as { boxes: { x: number; y: number; w: number; h: number }[] }).boxes[0]!
        const expected = boxToPicture(box, placed.placement)
        ;[found.x, found.y, found.w, found.h].forEach((value, i) => {
          t.ok(Math.abs(value - expected[i]!) < 1e-3, `${value} is ${expected[i]}`)
        })
      }
    },
  )
}

import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import t, { type Test } from 'tap'
import { type BoardCard, encodeBoardCard } from '../../host/card/binary.js'
import { packageFile } from '../../host/foundation/paths.js'
import { nativeToolsBuilt, noCompiler, runTool } from '../support/native-tools.js'
import { createRandom } from '../support/random.js'

const skip = nativeToolsBuilt() ? false : noCompiler

interface Box {
  readonly x: number
  readonly y: number
  readonly w: number
  readonly h: number
  readonly score: number
  readonly label: number
}

interface GoldenCase {
  readonly case: string
  readonly card: { readonly input: { readonly width: number; readonly height: number } } & Omit<BoardCard, 'input'>
  readonly outputs: readonly string[]
  readonly boxes: readonly Box[]
}

const cases = JSON.parse(readFileSync(packageFile('test', 'golden', 'decoders.json'), 'utf8')) as GoldenCase[]

/** The rest of the input rule does not matter to decoders. */
function boardCard({ card }: GoldenCase): Uint8Array {
  const rule = {
    colour: 'rgb',
    resize: 'stretch',
    fill: 0,
    mean: [0, 0, 0],
    std: [1, 1, 1],
    scale: 1,
    zeroPoint: 0,
  } as const
  return encodeBoardCard({ ...card, input: { ...rule, ...card.input } })
}

function decode(t: Test, card: Uint8Array, maps: readonly Uint8Array[]) {
  const dir = t.testdir()
  writeFileSync(join(dir, 'card'), card)
  const files = maps.map((map, i) => {
    const path = join(dir, `map${i}`)
    writeFileSync(path, map)
    return path
  })
  return runTool('k210b-decode', [join(dir, 'card'), ...files])
}

const goldenMaps = ({ outputs }: GoldenCase): Buffer[] => outputs.map((hex) => Buffer.from(hex, 'hex'))

for (const golden of cases) {
  t.test(`C decoder, ${golden.case}`, { skip }, async (t) => {
    const { status, json, stderr } = decode(t, boardCard(golden), goldenMaps(golden))
    t.equal(status, 0, stderr)
    const boxes = (json as { boxes: Box[] }).boxes
    t.equal(boxes.length, golden.boxes.length)
    golden.boxes.forEach((expected, i) => {
      const found = boxes[i]!
      t.equal(found.label, expected.label)
      for (const key of ['x', 'y', 'w', 'h', 'score'] as const) {
        const error = Math.abs(found[key] - expected[key])
        if (error > 1e-4 * Math.max(1, Math.abs(expected[key])))
          t.fail(`box ${i} ${key}: ${found[key]}, not ${expected[key]}`)
      }
    })
  })
}

t.test('C decoder: a map shorter than its shape is refused', { skip }, async (t) => {
  const golden = cases.find(({ case: name }) => name.startsWith('ssd: four scales'))!
  const maps = goldenMaps(golden)
  maps[3] = maps[3]!.subarray(0, maps[3]!.length - 1)
  const { json } = decode(t, boardCard(golden), maps)
  t.match(json, { card: 0, decodeStatus: -4 })
})

t.test('C card: a cut or contradictory card is refused', { skip }, async (t) => {
  const golden = cases.find(({ case: name }) => name.startsWith('ssd: four scales'))!
  const card = boardCard(golden)
  for (const length of [0, 1, 8, 40, card.length - 1]) {
    t.match(decode(t, card.subarray(0, length), goldenMaps(golden)).json, { card: -1 }, `${length} bytes`)
  }
  const decoder = golden.card.decoder
  if (decoder.kind !== 'ssd') return t.fail('an ssd case')
  const heads = [{ ...decoder.heads[0]!, scores: 11 }]
  const contradiction = boardCard({ ...golden, card: { ...golden.card, decoder: { ...decoder, heads } } })
  t.match(decode(t, contradiction, goldenMaps(golden)).json, { card: -4 }, 'a head whose output does not exist')
})

t.test('C card and decoders: damaged cards cause no finding of the sanitizers', { skip }, async (t) => {
  const random = createRandom()
  t.comment(`seed ${random.seed}`)
  for (let round = 0; round < 120; round++) {
    const golden = cases[random.integer(0, cases.length - 1)]!
    const card = Uint8Array.from(boardCard(golden))
    for (let n = random.integer(1, 3); n > 0; n--) card[random.integer(0, card.length - 1)] = random.integer(0, 255)
    const { status, stderr } = decode(t, card, goldenMaps(golden))
    if (status === null || status > 1) t.fail(`round ${round}: ${stderr}`)
  }
})

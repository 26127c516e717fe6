import { readFileSync } from 'node:fs'
import t from 'tap'
import { prepareModel, type SimulatedLayer } from '../../host/simulator/model.js'
import { rampInput } from '../support/ramp.js'
import { noSharedData, sharedData } from '../support/shared-data.js'

/** Layers of `NAME.layers.json`; v4 files name the index `node`. */
interface GoldenLayer {
  readonly type?: string
  readonly op?: string
  readonly sha256: string
}

const MODELS = [
  'face_detect_v3',
  'face_mask_detect5_v3',
  'yolo20_v3',
  'maix_mask_v3',
  'mnist_v3',
  'iris_v3',
  'slim320_v4',
  'rfb320_v4',
  'yolo20_v4',
  'maix_asr_v4',
  'iris_v4',
]

/** Layers whose result depends on the C library's expf. */
const usesExp = (layer: GoldenLayer): boolean => layer.type === 'softmax' || layer.op === 'Unary'

const file = (name: string): Buffer => readFileSync(sharedData('kmodels', name)!)

/** Distance of two floats in representable steps. */
function ulps(a: number, b: number): number {
  const steps = new Int32Array(Float32Array.of(a, b).buffer)
  const order = (bits: number): number => (bits < 0 ? -(bits & 0x7fffffff) : bits)
  return Math.abs(order(steps[0]!) - order(steps[1]!))
}

function layersBeforeExp(golden: readonly GoldenLayer[], layers: readonly SimulatedLayer[]): string[] {
  const exp = golden.findIndex(usesExp)
  const until = exp < 0 ? golden.length : exp
  return layers.slice(0, until).flatMap((layer, index) => {
    return layer.sha256 === golden[index]!.sha256 ? [] : [`layer ${index} ${layer.kind}`]
  })
}

for (const name of MODELS) {
  const skip = sharedData('kmodels', `${name}.kmodel`) ? false : noSharedData
  t.test(`golden: ${name} is equal to the vendor's code layer by layer`, { skip }, async (t) => {
    const golden = JSON.parse(file(`${name}.layers.json`).toString())
    const simulation = await prepareModel(new Uint8Array(file(`${name}.kmodel`)))
    const input = rampInput(simulation.inputs[0]!)
    const run = simulation.run(input, { layers: true })
    const goldenLayers: GoldenLayer[] = golden.layers ?? golden.nodes
    t.equal(run.layers.length, goldenLayers.length)
    t.strictSame(layersBeforeExp(goldenLayers, run.layers), [], 'hashes are equal up to the first exp')
    t.equal(run.outputs.length, golden.outputs.length)
    run.outputs.forEach((output, index) => {
      const wanted = new Float32Array(new Uint8Array(file(`${name}.out${index}.bin`)).buffer)
      const found = new Float32Array(output.slice().buffer)
      t.equal(found.length, wanted.length)
      const far = goldenLayers.some(usesExp) ? 4 : 0
      const wrong = wanted.reduce((count, value, k) => count + (ulps(value, found[k]!) > far ? 1 : 0), 0)
      t.ok(wrong <= wanted.length * (far ? 0.001 : 0), `output ${index}: ${wrong} values more than ${far} ulp away`)
    })
    const again = simulation.run(input)
    t.strictSame(again.outputs, run.outputs, 'a second run gives the same')
    t.equal(again.layers.length, 0)
  })
}

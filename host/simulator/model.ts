import { BridgeError, isBridgeError } from '../foundation/errors.js'
import { sha256Hex } from '../foundation/sha256.js'
import { type Kmodel, readKmodel } from '../kmodel/read.js'
import { Engine } from './layer/engine.js'
import { allocateMain } from './memory.js'
import type { LayerResult, PreparedProgram, TensorInfo } from './program.js'
import { prepareV3 } from './v3/run.js'
import { prepareV4 } from './v4/run.js'

/** One layer of a run with `layers: true`. */
export interface SimulatedLayer {
  readonly index: number
  /** Name of its row in kmodel/v3/layers.ts or kmodel/v4/ops.ts. */
  readonly kind: string
  /** Map of KPU layers, null for CPU layers (files do not say). */
  readonly shape: readonly number[] | null
  /** Dense NCHW bytes of KPU layers and uploads, the output's bytes of CPU layers. */
  readonly data: Uint8Array
  readonly sha256: string
}

/** Result of one run. */
export interface SimulatedRun {
  /** As kpu_get_output hands them out: little-endian floats or codes. */
  readonly outputs: readonly Uint8Array[]
  /** Empty unless asked for. */
  readonly layers: readonly SimulatedLayer[]
  /** Milliseconds of this run on this machine, hashing of layers included. */
  readonly ms: number
}

/** What a run is told. */
export interface RunOptions {
  /** Copy and hash every layer's result. Default false. */
  readonly layers?: boolean
}

/** Input of a run: bytes as they are, or floats for a float32 input. */
export type SimulatedInput = Uint8Array | Float32Array

/** A kmodel ready for repeated, bit-exact runs. */
export interface Simulation {
  readonly inputs: readonly TensorInfo[]
  readonly outputs: readonly TensorInfo[]
  /** What works but breaks a limit of the chip. */
  readonly warnings: readonly string[]
  /** @throws BridgeError `SIM_INPUT`, `SIM_ACC_RANGE`, `KMODEL_INVALID` */
  run(input: SimulatedInput | readonly SimulatedInput[], options?: RunOptions): SimulatedRun
}

/** Hooks of {@link prepareModel}. */
export interface PrepareOptions {
  /** Called after every layer of every run. */
  readonly onLayer?: (index: number, kind: string) => void
}

/**
 * Prepares a kmodel v3 or v4: parses it, packs weights for the kernels and checks every KPU layer.
 * @throws BridgeError `KMODEL_*`, `KPU_LIMIT`, `SIM_UNSUPPORTED`
 */
export async function prepareModel(source: Uint8Array | Kmodel, options: PrepareOptions = {}): Promise<Simulation> {
  const model = source instanceof Uint8Array ? readKmodel(source) : source
  const engine = await Engine.load()
  const main = allocateMain(model.mainBytes)
  const program = model.version === 3 ? prepareV3(model, engine, main) : prepareV4(model, engine, main)
  const { inputs, outputs, warnings } = program
  return { inputs, outputs, warnings, run: (input, run) => runProgram(program, input, run ?? {}, options) }
}

function runProgram(
  program: PreparedProgram,
  input: SimulatedInput | readonly SimulatedInput[],
  options: RunOptions,
  hooks: PrepareOptions,
): SimulatedRun {
  const start = performance.now()
  feedAll(program, input instanceof Uint8Array || input instanceof Float32Array ? [input] : input)
  const layers: SimulatedLayer[] = []
  program.kinds.forEach((kind, index) => {
    const result = stepOf(program, index)
    if (options.layers) layers.push(recordLayer(index, kind, result))
    hooks.onLayer?.(index, kind)
  })
  const outputs = program.outputs.map((_, index) => program.output(index))
  return { outputs, layers, ms: performance.now() - start }
}

function recordLayer(index: number, kind: string, result: LayerResult): SimulatedLayer {
  const data = result.data()
  return { index, kind, shape: result.shape, data, sha256: sha256Hex(data) }
}

/** Runs one layer; errors say which. */
function stepOf(program: PreparedProgram, index: number): LayerResult {
  try {
    return program.step(index)
  } catch (error) {
    if (!isBridgeError(error)) throw error
    const { code, what, fix, where } = error
    throw new BridgeError(code, {
      what,
      fix,
      where: { layer: index, kind: program.kinds[index]!, ...where },
      cause: error,
    })
  }
}

function feedAll(program: PreparedProgram, inputs: readonly SimulatedInput[]): void {
  if (inputs.length !== program.inputs.length) {
    throw new BridgeError('SIM_INPUT', {
      what: `${inputs.length} inputs given, the model has ${program.inputs.length}`,
      fix: 'Give one array for each input.',
    })
  }
  inputs.forEach((input, index) => {
    const wanted = program.inputs[index]!
    const bytes = new Uint8Array(input.buffer, input.byteOffset, input.byteLength)
    const fits = bytes.length === wanted.bytes && !(input instanceof Float32Array && wanted.type !== 'float32')
    if (!fits) {
      throw new BridgeError('SIM_INPUT', {
        what: `input ${index} is ${bytes.length} bytes of ${input instanceof Float32Array ? 'float32' : 'raw data'}, the model takes ${wanted.bytes} bytes of ${wanted.type}`,
        where: { input: index, shape: wanted.shape?.join('x') ?? '' },
        fix: 'Give the dense NCHW tensor of the input type.',
      })
    }
    program.feed(index, bytes)
  })
}

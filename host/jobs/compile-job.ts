import { Readable } from 'node:stream'
import type { ModelCard } from '../card/card.js'
import { parseCard } from '../card/parse.js'
import { compile } from '../compiler/compile.js'
import { type CompileOptions, DEFAULT_METHOD } from '../compiler/options.js'
import type { CompileReport } from '../compiler/report.js'
import { loadCalibration } from '../evaluate/calibration.js'
import { BridgeError } from '../foundation/errors.js'
import { sha256Hex } from '../foundation/sha256.js'
import { prepareModel } from '../simulator/model.js'
import type { ArtifactStore } from '../store/artifacts.js'
import type { PlanarPicture } from '../tensor/tensor.js'
import { buildZooModel, zooNetworks } from '../zoo/catalogue.js'
import { zooCardFor } from '../zoo/known-models.js'
import { demoCalibration } from './demo-scene.js'
import type { JobContext } from './job-manager.js'

/** A model and all that its compilation needs. */
export interface CompileInput {
  readonly model: Uint8Array
  readonly name: string
  /** Planar pictures at network size. */
  readonly calibration: readonly PlanarPicture[]
  readonly card?: Partial<ModelCard>
  readonly options: CompileOptions
}

/** kmodel, card and report of one compilation. */
export interface CompileOutput {
  readonly kmodel: Uint8Array
  readonly card: ModelCard
  readonly report: CompileReport
}

/** Compiles, and measures each layer against float by running the result in the simulator. */
export async function compileModel(input: CompileInput, context: Partial<JobContext>): Promise<CompileOutput> {
  return compile({
    ...input,
    onProgress: context.progress,
    signal: context.signal,
    simulateLayers: async (kmodel, picture) => {
      const simulator = await prepareModel(kmodel)
      return simulator.run(picture, { layers: true }).layers.map((layer) => layer.data)
    },
  })
}

/** What the card of a known network says, under what the user says. */
export async function cardFor(model: Uint8Array, given: Partial<ModelCard> | undefined): Promise<Partial<ModelCard>> {
  const hash = sha256Hex(model)
  return { ...(zooCardFor(hash) ?? (await builtCardFor(hash))), ...given }
}

let builtCards: Promise<ReadonlyMap<string, ModelCard>> | undefined

async function buildCards(): Promise<ReadonlyMap<string, ModelCard>> {
  const models = await Promise.all(zooNetworks().map(({ id }) => buildZooModel(id)))
  return new Map(models.map(({ onnx, card }) => [sha256Hex(onnx), card]))
}

/** Card of a network that the zoo itself writes: `models get`, then an upload without its card. */
async function builtCardFor(hash: string): Promise<ModelCard | undefined> {
  builtCards ??= buildCards()
  return (await builtCards).get(hash)
}

/** Body of `POST /compile`. */
export interface CompileBody {
  readonly model: string
  readonly calibration?: readonly string[] | { readonly dir: string }
  readonly card?: string
  readonly options?: Partial<CompileOptions> & { readonly name?: string; readonly samples?: number }
}

/** `POST /compile`: artifacts in, artifacts out. */
export async function compileArtifact(
  artifacts: ArtifactStore,
  body: CompileBody,
  context: JobContext,
): Promise<unknown> {
  const artifact = artifacts.get(body.model)
  const model = await artifacts.read(body.model)
  const given = body.card
    ? parseCard(JSON.parse(Buffer.from(await artifacts.read(body.card)).toString('utf8')))
    : undefined
  const card = await cardFor(model, given)
  const { name = artifact.name.replace(/\.[^.]+$/, ''), samples = 100, ...rest } = body.options ?? {}
  const options: CompileOptions = { method: DEFAULT_METHOD, target: 'v4', ...rest }
  const calibration = await calibrationPictures(artifacts, body.calibration, card, samples)
  const output = await compileModel({ model, name, calibration, card, options }, context)
  const stored = await artifacts.add(Readable.from([output.kmodel]), `${name}.kmodel`)
  const storedCard = await artifacts.add(
    Readable.from([Buffer.from(JSON.stringify(output.card, null, 2))]),
    `${name}.card.json`,
  )
  return { ...output.report, kmodel: stored, card: storedCard, sha256: stored.sha256, bytes: stored.bytes }
}

async function calibrationPictures(
  artifacts: ArtifactStore,
  source: CompileBody['calibration'],
  card: Partial<ModelCard>,
  samples: number,
): Promise<PlanarPicture[]> {
  if (!card.input)
    throw new BridgeError('COMPILE_CALIBRATION', {
      what: 'the input rule of this network is unknown',
      fix: 'Give a card with its input (size, mean, std).',
    })
  if (source === undefined) return demoCalibration(card.input, samples)
  if ('dir' in source) return loadCalibration(source.dir, card.input, samples)
  const pictures = await Promise.all(source.slice(0, samples).map((hash) => artifacts.read(hash)))
  return loadCalibration(pictures, card.input, samples)
}

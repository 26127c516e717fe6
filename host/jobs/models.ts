import { cardPathFor } from '../card/parse.js'
import { writeFileAtomic } from '../foundation/files.js'
import { sha256Hex } from '../foundation/sha256.js'
import { buildZooModel, zooNetworks } from '../zoo/catalogue.js'

/** One network of the zoo as `models list` shows it. */
export interface ModelRow {
  readonly name: string
  readonly title: string
  readonly task: string
  readonly input: readonly number[]
  readonly parameters: number
  readonly package: string
  readonly licence: string
}

/** All networks of the zoo. */
export function listModels(): ModelRow[] {
  return zooNetworks().map(({ id, title, task, input, parameters, package: name, version, licence }) => ({
    name: id,
    title,
    task,
    input,
    parameters,
    package: `${name}@${version}`,
    licence,
  }))
}

/** Files that `models get` wrote. */
export interface WrittenModel {
  readonly name: string
  readonly file: string
  readonly card: string
  readonly bytes: number
  readonly sha256: string
}

/** Writes a network's ONNX file and its card. @throws BridgeError `NOT_FOUND`, `FILE_WRITE` */
export async function getModel(name: string, file: string): Promise<WrittenModel> {
  const { onnx, card } = await buildZooModel(name)
  const cardFile = cardPathFor(file)
  await writeFileAtomic(file, onnx)
  await writeFileAtomic(cardFile, `${JSON.stringify(card, null, 2)}\n`)
  return { name, file, card: cardFile, bytes: onnx.length, sha256: sha256Hex(onnx) }
}

import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { encodeBoardCard } from '../card/binary.js'
import type { ModelCard } from '../card/card.js'
import { loadCard, printCard } from '../card/parse.js'
import { DEFAULT_METHOD } from '../compiler/options.js'
import type { Device } from '../device/device.js'
import type { WorkOptions } from '../device/device-types.js'
import type { FlashResult } from '../flasher/flash.js'
import { loadOwnStub } from '../flasher/flash-files.js'
import { modelStoreItems } from '../flasher/store-image.js'
import { readFileBytes, writeFileAtomic } from '../foundation/files.js'
import type { ProgressListener } from '../foundation/progress.js'
import { sha256Hex } from '../foundation/sha256.js'
import { buildZooModel, DEFAULT_NETWORK } from '../zoo/catalogue.js'
import { bridgeVersion } from './bridge-version.js'
import { compileModel } from './compile-job.js'
import { demoCalibration } from './demo-scene.js'
import { shimFirmware } from './flash-job.js'

/** The demo's network, compiled. */
export interface DemoModel {
  readonly kmodel: Uint8Array
  readonly card: ModelCard
  readonly sha256: string
  /** True when a file of an earlier run was taken. */
  readonly isCached: boolean
}

const CALIBRATION_PICTURES = 96

/** Compiles the default network, or takes the kmodel that an earlier run with the same model and version left in `dataDir`. */
export async function demoModel(
  dataDir: string,
  options: { progress?: ProgressListener; signal?: AbortSignal } = {},
): Promise<DemoModel> {
  const { name, onnx, card } = await buildZooModel(DEFAULT_NETWORK)
  const key = createHash('sha256').update(`${bridgeVersion} ${DEFAULT_METHOD}`).update(onnx).digest('hex').slice(0, 16)
  const file = join(dataDir, 'demo', `${name}-${key}.kmodel`)
  const cardFile = join(dataDir, 'demo', `${name}-${key}.card.json`)
  if (existsSync(file) && existsSync(cardFile)) {
    const kmodel = await readFileBytes(file)
    return { kmodel, card: await loadCard(cardFile), sha256: sha256Hex(kmodel), isCached: true }
  }
  const calibration = await demoCalibration(card.input, CALIBRATION_PICTURES)
  const compiled = await compileModel(
    { model: onnx, name, calibration, card, options: { method: DEFAULT_METHOD, target: 'v4' } },
    options,
  )
  await writeFileAtomic(cardFile, printCard(compiled.card))
  await writeFileAtomic(file, compiled.kmodel)
  return { kmodel: compiled.kmodel, card: compiled.card, sha256: compiled.report.sha256, isCached: false }
}

/** Flashes firmware and model store, the demo's model in slot 0, through the boot ROM. */
export async function flashDemo(device: Device, model: DemoModel, options: WorkOptions): Promise<FlashResult> {
  const slot = { slot: 0, name: model.card.name.slice(0, 32), kmodel: model.kmodel, card: encodeBoardCard(model.card) }
  const items = [await shimFirmware(), ...modelStoreItems([slot])]
  return device.flash(items, { stub: await loadOwnStub(), signal: options.signal, onProgress: options.progress })
}

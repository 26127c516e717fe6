import { basename } from 'node:path'
import type { ModelCard } from '../card/card.js'
import { parseCard } from '../card/parse.js'
import type { Device } from '../device/device.js'
import type { DeployResult } from '../device/device-types.js'
import { prepareModel } from '../simulator/model.js'
import type { ArtifactStore } from '../store/artifacts.js'
import type { JobContext } from './job-manager.js'
import { plainCard } from './plain-card.js'

/** What a deploy did. */
export type DeployedModel = DeployResult

/** Refuses what is no kmodel, is damaged or breaks a limit of the chip. @throws BridgeError `KMODEL_*`, `KPU_LIMIT` */
export async function checkKmodel(bytes: Uint8Array): Promise<void> {
  await prepareModel(bytes)
}

/** A kmodel on its way to a slot. */
export interface DeployInput {
  readonly kmodel: Uint8Array
  readonly name: string
  readonly slot: number
  /** Absent: the outputs are handed out undecoded. */
  readonly card?: ModelCard
}

/** Refuses what is no kmodel or breaks a limit of the chip before a byte is sent, then transfers, loads and reports. */
export async function deployModel(
  device: Device,
  input: DeployInput,
  context: Partial<JobContext>,
): Promise<DeployResult> {
  const simulation = await prepareModel(input.kmodel)
  const card = input.card ?? plainCard(input.name, input.kmodel, simulation)
  return device.deploy({ ...input, card }, context)
}

/** Body of `POST /boards/{id}/models`. */
export interface DeployBody {
  readonly artifact: string
  readonly card?: string
  readonly slot: number
  readonly name?: string
}

/** `POST /boards/{id}/models`. */
export async function deployArtifact(
  artifacts: ArtifactStore,
  device: Device,
  body: DeployBody,
  context: JobContext,
): Promise<DeployResult> {
  const artifact = artifacts.get(body.artifact)
  const kmodel = await artifacts.read(body.artifact)
  const card = body.card
    ? parseCard(JSON.parse(Buffer.from(await artifacts.read(body.card)).toString('utf8')))
    : undefined
  const name = body.name ?? card?.name ?? basename(artifact.name).replace(/\.kmodel$/, '')
  return deployModel(device, { kmodel, name, slot: body.slot, card }, context)
}

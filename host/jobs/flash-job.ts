import { basename } from 'node:path'
import type { Device } from '../device/device.js'
import type { FlashOptions, FlashResult } from '../flasher/flash.js'
import { itemsFromBytes, loadOwnStub } from '../flasher/flash-files.js'
import type { FlashItem } from '../flasher/plan.js'
import { BridgeError, isBridgeError } from '../foundation/errors.js'
import { readFileBytes } from '../foundation/files.js'
import { packageFile } from '../foundation/paths.js'
import { readKmodel } from '../kmodel/read.js'
import type { ArtifactStore } from '../store/artifacts.js'
import type { JobContext } from './job-manager.js'

/** The shim's firmware for the virtual board, to be wrapped as an image for address 0. */
export async function shimFirmware(): Promise<FlashItem> {
  const bytes = await readFileBytes(packageFile('firmware-shim', 'prebuilt', 'shim.wasm'))
  return { name: 'shim', address: 0, wrap: true, bytes }
}

const HEAD_BYTES = 256
const isText = (bytes: Uint8Array): boolean =>
  bytes.subarray(0, HEAD_BYTES).every((byte) => (byte >= 0x20 && byte < 0x7f) || (byte >= 9 && byte <= 13))

/** A kmodel that reads well is true; a damaged or newer one throws; anything else is false. */
function isKmodel(bytes: Uint8Array): boolean {
  try {
    readKmodel(bytes)
    return true
  } catch (error) {
    if (isBridgeError(error, 'KMODEL_FORMAT') || (isBridgeError(error, 'KMODEL_TRUNCATED') && bytes.length < 28))
      return false
    throw error
  }
}

/**
 * What a file is to the flasher: a package, a firmware image, a program to be wrapped for address 0, or bytes for an address.
 * @throws BridgeError `KMODEL_*` for a damaged kmodel, `KFPKG_FORMAT`, `FILE_FORMAT` for text, `USAGE` without an address
 */
export function flashItems(name: string, bytes: Uint8Array, address: number | undefined): FlashItem[] {
  const where = { file: name }
  if (bytes.length === 0)
    throw new BridgeError('FLASH_PLAN', {
      what: 'the file is empty',
      where,
      fix: 'Name a firmware image, a kfpkg package or data with --at.',
    })
  if (isKmodel(bytes) && address === undefined) {
    throw new BridgeError('USAGE', {
      what: `${name} is a kmodel; the running shim takes it by deploy`,
      where,
      fix: 'Use k210-bridge deploy, or give its address with --at.',
    })
  }
  if (isText(bytes) && address === undefined) {
    throw new BridgeError('FILE_FORMAT', {
      what: `${name} is text, no firmware`,
      where,
      fix: 'Name a firmware image or a kfpkg package; data needs its address with --at.',
    })
  }
  return itemsFromBytes(name, bytes, address)
}

/** Items of files on disk; `addresses` belong to the files in order. Without files: the shim's firmware. */
export async function flashItemsOfFiles(files: readonly string[], addresses: readonly number[]): Promise<FlashItem[]> {
  if (files.length === 0) return [await shimFirmware()]
  const lists = await Promise.all(
    files.map(async (file, i) => flashItems(basename(file), await readFileBytes(file), addresses[i])),
  )
  return lists.flat()
}

/** Body of `POST /boards/{id}/flash`. */
export interface FlashBody {
  readonly items: readonly { readonly artifact: string; readonly at?: number }[]
  readonly verify?: boolean
  readonly erase?: boolean
  readonly dryRun?: boolean
  readonly force?: boolean
  readonly baud?: number
}

/** `POST /boards/{id}/flash`. */
export async function flashArtifacts(
  artifacts: ArtifactStore,
  device: Device,
  body: FlashBody,
  context: JobContext,
): Promise<FlashResult> {
  const lists = await Promise.all(
    body.items.map(async ({ artifact, at }) =>
      flashItems(artifacts.get(artifact).name, await artifacts.read(artifact), at),
    ),
  )
  const { verify, erase, dryRun, force, baud } = body
  const options: FlashOptions = {
    verify,
    erase,
    dryRun,
    force,
    baud,
    stub: await loadOwnStub(),
    onProgress: context.progress,
    signal: context.signal,
  }
  return device.flash(lists.flat(), options)
}

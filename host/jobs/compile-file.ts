import { mkdir } from 'node:fs/promises'
import { basename, join } from 'node:path'
import type { ModelCard } from '../card/card.js'
import { cardPathFor, printCard } from '../card/parse.js'
import type { CompileReport } from '../compiler/report.js'
import { loadCalibration } from '../evaluate/calibration.js'
import { BridgeError } from '../foundation/errors.js'
import { readFileBytes, writeFileAtomic } from '../foundation/files.js'
import type { PlanarPicture } from '../tensor/tensor.js'
import { compileModel } from './compile-job.js'
import { demoCalibration } from './demo-scene.js'
import type { JobContext } from './job-manager.js'
import { findCard } from './model-file.js'

/** `compile MODEL -o OUT.kmodel`. */
export interface CompileFileOptions {
  readonly model: string
  readonly output: string
  readonly cardFile?: string
  readonly target: string
  readonly calibration?: string
  readonly samples: number
  readonly mean?: readonly number[]
  readonly std?: readonly number[]
  readonly method: string
  readonly keepHead?: boolean
  readonly outputs?: readonly string[]
  readonly inputShape?: Readonly<Record<string, readonly number[]>>
  readonly dumpIr?: string
}

/** The report with the paths of what was written. */
export interface CompiledFile extends Omit<CompileReport, 'kmodel'> {
  readonly kmodel: string
  readonly card: string
}

/** Reads, compiles and writes kmodel and card (temporary name, then rename). */
export async function compileFile(options: CompileFileOptions, context: Partial<JobContext>): Promise<CompiledFile> {
  if (options.target !== 'v4')
    throw new BridgeError('USAGE', {
      what: `--target ${options.target} is not supported`,
      fix: 'This version writes v4.',
    })
  if (options.method !== 'minmax')
    throw new BridgeError('USAGE', {
      what: `--method ${options.method} is not supported`,
      fix: 'This version has minmax.',
    })
  const model = await readFileBytes(options.model)
  const card = await findCard(options.model, model, options.cardFile)
  const calibration = await calibrationFor(options, card)
  const name = card?.name ?? basename(options.model).replace(/\.[^.]+$/, '')
  const dumps: Promise<void>[] = []
  const { dumpIr } = options
  if (dumpIr) await mkdir(dumpIr, { recursive: true })
  const output = await compileModel(
    {
      model,
      name,
      calibration,
      card: card ?? {},
      options: {
        mean: options.mean,
        std: options.std,
        method: 'minmax',
        target: 'v4',
        keepHead: options.keepHead,
        outputs: options.outputs,
        inputShape: options.inputShape,
        dumpIr: dumpIr
          ? (pass, text) => void dumps.push(writeFileAtomic(join(dumpIr, `${pass}.ir.txt`), text))
          : undefined,
      },
    },
    context,
  )
  await Promise.all(dumps)
  const cardFile = cardPathFor(options.output)
  await writeFileAtomic(options.output, output.kmodel)
  await writeFileAtomic(cardFile, printCard(output.card))
  return { ...output.report, kmodel: options.output, card: cardFile }
}

async function calibrationFor(options: CompileFileOptions, card: ModelCard | undefined): Promise<PlanarPicture[]> {
  if (!card?.input) return []
  return options.calibration
    ? loadCalibration(options.calibration, card.input, options.samples)
    : demoCalibration(card.input, options.samples)
}

import { mkdir } from 'node:fs/promises'
import { basename, join } from 'node:path'
import type { CardInput, ModelCard } from '../card/card.js'
import { cardPathFor, printCard } from '../card/parse.js'
import { pictureInput } from '../compiler/describe-model.js'
import { type CompileOptions, DEFAULT_METHOD, RANGE_METHODS, type RangeMethod } from '../compiler/options.js'
import type { CompileReport } from '../compiler/report.js'
import { loadCalibration } from '../evaluate/calibration.js'
import { BridgeError } from '../foundation/errors.js'
import { readFileBytes, writeFileAtomic } from '../foundation/files.js'
import type { MapShape, PlanarPicture } from '../tensor/tensor.js'
import type { InputRule } from '../vision/letterbox.js'
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
  readonly method?: string
  readonly keepHead?: boolean
  readonly outputs?: readonly string[]
  readonly inputShape?: Readonly<Record<string, readonly number[]>>
  readonly dumpIr?: string
}

/** The report with the paths of what was written. */
export interface CompiledFile extends Omit<CompileReport, 'kmodel'> {
  readonly kmodel: string
  readonly card: string
  /** What was assumed, one sentence each. */
  readonly warnings: readonly string[]
}

/** Reads, compiles and writes kmodel and card (temporary name, then rename). */
export async function compileFile(options: CompileFileOptions, context: Partial<JobContext>): Promise<CompiledFile> {
  checkOptions(options)
  const model = await readFileBytes(options.model)
  const card = await findCard(options.model, model, options.cardFile)
  const name = card?.name ?? basename(options.model).replace(/\.[^.]+$/, '')
  const dumps: Promise<void>[] = []
  const compileOptions = await compilerOptions(options, (file, text) => void dumps.push(writeFileAtomic(file, text)))
  const shape = pictureInput(model, name, compileOptions)
  const { mean, std } = compileOptions
  const output = await compileModel(
    {
      model,
      name,
      calibration: await calibrationFor(options, card?.input, shape),
      card: card ?? {},
      options: {
        ...compileOptions,
        mean: perChannel(mean ?? card?.input.mean ?? [0], shape),
        std: perChannel(std ?? card?.input.std ?? [1], shape),
      },
    },
    context,
  )
  await Promise.all(dumps)
  const cardFile = cardPathFor(options.output)
  await writeFileAtomic(options.output, output.kmodel)
  await writeFileAtomic(cardFile, printCard(output.card))
  return { ...output.report, kmodel: options.output, card: cardFile, warnings: assumptions(options, card) }
}

function checkOptions({ target }: CompileFileOptions): void {
  if (target !== 'v4')
    throw new BridgeError('USAGE', { what: `--target ${target} is not supported`, fix: 'This version writes v4.' })
}

function rangeMethod(method: string = DEFAULT_METHOD): RangeMethod {
  const known = RANGE_METHODS.find((name) => name === method)
  if (known) return known
  throw new BridgeError('USAGE', {
    what: `--method ${method} is not supported`,
    fix: `This version has ${RANGE_METHODS.join(' and ')}.`,
  })
}

/** @param dump - receives the printed graph after every pass and where it goes */
async function compilerOptions(
  options: CompileFileOptions,
  dump: (file: string, text: string) => void,
): Promise<CompileOptions> {
  const { mean, std, keepHead, outputs, inputShape, dumpIr } = options
  if (dumpIr) await mkdir(dumpIr, { recursive: true })
  return {
    mean,
    std,
    method: rangeMethod(options.method),
    target: 'v4',
    keepHead,
    outputs,
    inputShape,
    dumpIr: dumpIr ? (pass, text) => dump(join(dumpIr, `${pass}.ir.txt`), text) : undefined,
  }
}

/** Cards hold one value a channel; a single one on the command line serves all. */
const perChannel = (values: readonly number[], shape: MapShape | undefined): readonly number[] =>
  values.length === 1 && shape ? new Array<number>(shape.channels).fill(values[0]!) : values

/** Without a card nobody knows how pixels are to be scaled or which channel order the network wants. */
function assumptions({ mean, std }: CompileFileOptions, card: ModelCard | undefined): string[] {
  if (card) return []
  const scaling = mean || std ? [] : ['no card is known and neither --mean nor --std is given: pixels go in as 0..255']
  return [...scaling, 'no card is known: pictures are stretched to the input, channels in the order red, green, blue']
}

/** How a picture becomes the input of a network without a card. @throws BridgeError `COMPILE_CALIBRATION` */
function inputRuleOf({ channels, width, height }: MapShape): InputRule {
  if (channels === 1 || channels === 3)
    return { width, height, colour: channels === 1 ? 'grey' : 'rgb', resize: 'stretch', fill: 0 }
  throw new BridgeError('COMPILE_CALIBRATION', {
    what: `the input has ${channels} channels; pictures have 1 or 3`,
    fix: 'Only networks that take a grey or a colour picture can be compiled.',
  })
}

/** Pictures at the network's own size, which an option may have changed; none where the input is no picture. */
async function calibrationFor(
  options: CompileFileOptions,
  known: CardInput | undefined,
  shape: MapShape | undefined,
): Promise<PlanarPicture[]> {
  if (!shape) return []
  const rule = known ? { ...known, width: shape.width, height: shape.height } : inputRuleOf(shape)
  return options.calibration
    ? loadCalibration(options.calibration, rule, options.samples)
    : demoCalibration(rule, options.samples)
}

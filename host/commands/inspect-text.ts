import { unreachable } from '../foundation/unreachable.js'
import type { InspectedFirmware, InspectedProgram } from '../jobs/inspect/firmware.js'
import type { InspectedFlash } from '../jobs/inspect/flash.js'
import type { InspectedKmodel } from '../jobs/inspect/kmodel.js'
import type { InspectedPackage } from '../jobs/inspect/package.js'
import type { InspectedCard, InspectedModel, Inspection } from '../jobs/inspect.js'
import { formatBytes, table } from './runtime.js'

const shapeText = (shape: readonly (number | string)[] | null): string => shape?.join('x') ?? 'shape not in the file'
const mega = (count: number): string => (count / 1e6).toFixed(2)

function kmodelText(model: InspectedKmodel): string[] {
  const { memory, input } = model
  const layers = model.layers.map((layer) => [
    layer.index,
    layer.op,
    layer.where,
    layer.text || (layer.shape ? shapeText(layer.shape) : ''),
    layer.macs > 0 ? mega(layer.macs) : '',
    layer.predictedMs.toFixed(3),
    layer.vendorMs.toFixed(3),
  ])
  const outputs = model.outputs.map((output) => `${output.name} ${output.type} ${shapeText(output.shape)}`)
  const rules = model.violations.map(
    ({ rule, count, first }) =>
      `  ${rule}: ${count} x, first: ${first.what} (node ${first.node}, offset ${first.offset})`,
  )
  return [
    `kmodel ${model.target}, ${model.weightBits}-bit weights${model.card ? `, card ${model.card}` : ''}`,
    `input:   ${input.type} ${shapeText(input.shape)}`,
    ...outputs.map((text) => `output:  ${text}`),
    '',
    table(['#', 'op', 'where', 'map', 'MMAC', 'ms', 'vendor ms'], layers),
    '',
    `memory:  model ${formatBytes(memory.modelBytes)} + working ${formatBytes(memory.mainBytes)} = ${formatBytes(memory.peakBytes)} of ${formatBytes(memory.limitBytes)}, KPU rows ${memory.kpuRows} of 32768: ${memory.fits ? 'fits' : 'does NOT fit'}`,
    `compute: ${mega(model.macs)} MMAC; forecast ${model.predictedMs.toFixed(2)} ms a frame with our firmware, ${model.vendorMs.toFixed(2)} ms with the vendor's (not run on a board)`,
    ...model.firmware.map(
      ({ firmware, loads, note }) => `loads:   ${firmware}: ${loads ? 'yes' : 'NO'}${note && ` (${note})`}`,
    ),
    ...(model.target === 'v4'
      ? [`rules:   ${rules.length === 0 ? 'all kept' : model.isValid ? 'broken without harm' : 'BROKEN'}`, ...rules]
      : []),
  ]
}

function firmwareText(image: InspectedFirmware): string[] {
  const { hash, error } = image
  const marks = image.marks.length > 0 ? ` (${image.marks.join(', ')})` : ''
  return [
    `firmware image: ${image.payload.kind} program of ${formatBytes(image.payload.bytes)}${image.isEncrypted ? ', encrypted' : ''}${marks}`,
    `hash:    ${hash.isRight ? `right, ${hash.stored}` : `WRONG: the image says ${hash.stored || 'nothing'}, its bytes give ${hash.computed}`}`,
    ...(error
      ? [`boots:   NO, the ROM refuses it (${error.code}: ${error.what})`, `fix:     ${error.fix}`]
      : ['boots:   yes']),
  ]
}

function programText({ payload, marks }: InspectedProgram): string[] {
  return [
    `program (${payload.kind}) without header and hash${marks.length > 0 ? ` (${marks.join(', ')})` : ''}`,
    'flash wraps it as a firmware image for address 0',
  ]
}

function packageText({ entries }: InspectedPackage): string[] {
  const rows = entries.map((entry) => [
    entry.address,
    entry.bytes,
    entry.name,
    entry.wrapped ? 'yes' : 'no',
    entry.holds,
    entry.sha256,
  ])
  return [`kfpkg of ${entries.length} files`, table(['address', 'bytes', 'name', 'wrapped', 'holds', 'sha256'], rows)]
}

function flashText(flash: InspectedFlash): string[] {
  const { store } = flash
  const current = store?.current
  const rows = flash.models.map((model) => [
    model.slot,
    model.name,
    model.address,
    model.bytes,
    model.holds,
    model.isIntact ? 'right' : 'WRONG',
    model.sha256,
  ])
  return [
    `copy of a flash of ${formatBytes(flash.bytes)}`,
    ...(flash.firmware ? firmwareText(flash.firmware) : ['firmware: none, the ROM waits for ISP']),
    current
      ? `model store: sector ${current.sector.toUpperCase()}, sequence ${current.sequence}, ${rows.length} models`
      : `model store: none (sectors ${store?.sectors.a ?? 'absent'} and ${store?.sectors.b ?? 'absent'})`,
    ...(rows.length > 0 ? [table(['slot', 'name', 'address', 'bytes', 'holds', 'hash', 'sha256'], rows)] : []),
    table(
      ['area', 'bytes', ''],
      flash.areas.map((area) => [area.address, area.bytes, area.isBlank ? 'blank' : 'used']),
    ),
    ...flash.problems.map((problem) => `problem: ${problem}`),
  ]
}

function modelText(model: InspectedModel): string[] {
  const operators = Object.entries(model.operators).map(([name, count]) => `${name} ${count}`)
  return [
    `ONNX model, operator set ${model.opset}, IR version ${model.irVersion}, card: ${model.card ?? 'none known'}`,
    ...model.inputs.map(({ name, shape }) => `input:   ${name} ${shapeText(shape)}`),
    ...model.outputs.map(({ name, shape }) => `output:  ${name} ${shapeText(shape)}`),
    `nodes:   ${model.nodeCount}: ${operators.join(', ')}`,
    `size:    ${model.parameters} parameters${model.macs === null ? '' : `, ${mega(model.macs)} MMAC`}`,
    model.problem
      ? `import:  NO (${model.problem.code}: ${model.problem.what})\nfix:     ${model.problem.fix}`
      : 'import:  every operator is known; compile says what becomes of them',
  ]
}

function cardText({ card }: InspectedCard): string[] {
  const { input } = card
  return [
    `model card ${card.name}, task ${card.task}, labels ${card.labels.join(', ') || 'none'}`,
    `input:   ${input.width}x${input.height} ${input.colour}, ${input.resize}, mean ${input.mean}, std ${input.std}`,
    `decoder: ${card.decoder.kind}`,
    ...card.outputs.map((output) => `output:  ${output.name} ${output.type} ${shapeText(output.shape)}`),
    `source:  ${card.source.file}, sha256 ${card.source.sha256}, ${card.source.licence}`,
  ]
}

function body(found: Inspection): string[] {
  switch (found.kind) {
    case 'kmodel':
      return kmodelText(found)
    case 'firmware':
      return firmwareText(found)
    case 'program':
      return programText(found)
    case 'kfpkg':
      return packageText(found)
    case 'flash':
      return flashText(found)
    case 'onnx':
      return modelText(found)
    case 'card':
      return cardText(found)
    default:
      return unreachable(found)
  }
}

/** What `inspect` found, for people. */
export function inspectionText(file: string, found: Inspection): string {
  return [`${file}: ${formatBytes(found.bytes)}, sha256 ${found.sha256}`, ...body(found)].join('\n')
}

import { BridgeError } from '../../foundation/errors.js'
import type { KmodelV3, V3Layer, V3LayerName, V3LayerOf, V3UnknownLayer } from '../../kmodel/v3/model.js'
import { KPU_LIMITS } from '../../kpu/limits.js'
import { downloadMap, rowLayout, uploadMap } from '../../kpu/row-layout.js'
import { elementCount, type MapShape } from '../../tensor/tensor.js'
import type { Engine } from '../layer/engine.js'
import { refuseIllegal } from '../layer/refuse.js'
import { floatsOf, type ModelMemory, mainBytes, storeBytes, storeFloats } from '../memory.js'
import type { LayerResult, PreparedProgram, TensorInfo } from '../program.js'
import { type ByteRange, CPU_LAYERS } from './cpu-layers.js'

type Step = () => LayerResult

/** Bit 0 of a body's flags. */
const MAIN_MEM_OUT = 1

/** Prepares a kmodel v3 for repeated runs. @throws BridgeError `KPU_LIMIT`, `SIM_UNSUPPORTED`, `KMODEL_INVALID` */
export function prepareV3(model: KmodelV3, engine: Engine, main: Uint8Array): PreparedProgram {
  const memory: ModelMemory = { constants: new Uint8Array(0), main }
  const warnings: string[] = []
  const { info, feed } = firstInput(model, engine, memory)
  const steps = model.layers.map((layer, index) => prepareLayer(layer, index, model, engine, memory, warnings))
  return {
    inputs: [info],
    outputs: model.outputs.map((output): TensorInfo => ({ type: 'float32', shape: null, bytes: output.bytes })),
    warnings,
    kinds: model.layers.map((layer) => layer.type),
    feed: (_, bytes) => feed(bytes),
    step: (index) => steps[index]!(),
    output: (index) => mainBytes(memory, model.outputs[index]!.address, model.outputs[index]!.bytes).slice(),
  }
}

/** The runtime feeds only the first layer, which must be a KPU convolution or a dense layer. */
function firstInput(model: KmodelV3, engine: Engine, memory: ModelMemory) {
  const first = model.layers[0]
  if (first?.type === 'k210Conv') {
    const { layer } = first.kpu
    const shape = { channels: layer.iChNum, height: layer.iColHigh, width: layer.iRowWid }
    const dims = [1, shape.channels, shape.height, shape.width]
    const info: TensorInfo = { type: 'uint8', shape: dims, bytes: elementCount(dims) }
    const feed = (bytes: Uint8Array): void => upload(engine, layer.imageSrcAddr, bytes, shape)
    return { info, feed }
  }
  if (first?.type === 'fullyConnected') {
    const info: TensorInfo = { type: 'float32', shape: [1, first.inChannels], bytes: first.inChannels * 4 }
    const feed = (bytes: Uint8Array): void => storeFloats(mainBytes(memory, first.in, info.bytes), floatsOf(bytes))
    return { info, feed }
  }
  throw new BridgeError('SIM_UNSUPPORTED', {
    what: `the first layer is ${first ? `a ${first.type}` : 'missing'}; the runtime takes a KPU convolution or a dense layer`,
    where: { layer: 0 },
    fix: 'Compile the model again.',
  })
}

function upload(engine: Engine, row: number, dense: Uint8Array, shape: MapShape): void {
  const { rows } = rowLayout(shape)
  if (row + rows > KPU_LIMITS.ramRows) {
    throw new BridgeError('KMODEL_INVALID', {
      what: `a map at row ${row} of ${rows} rows lies outside of KPU RAM`,
      fix: 'The file is damaged: copy it again, or compile it again.',
    })
  }
  uploadMap(engine.ram, row, dense, shape)
}

function prepareLayer(
  layer: V3Layer | V3UnknownLayer,
  index: number,
  model: KmodelV3,
  engine: Engine,
  memory: ModelMemory,
  warnings: string[],
): Step {
  switch (layer.type) {
    case 'unknown':
      throw new BridgeError('SIM_UNSUPPORTED', {
        what: `layer type ${layer.id} is not in the vendor's runtime`,
        where: { layer: index },
        fix: 'Compile the model again.',
      })
    case 'k210Conv':
      return prepareConv(layer, index, model, engine, memory, warnings)
    case 'k210Upload':
      return prepareUpload(layer, engine, memory)
    case 'k210AddPadding':
      return prepareAddPadding(layer, engine, memory)
    default: {
      const run = CPU_LAYERS[layer.type] as (layer: V3LayerOf<V3LayerName>, memory: ModelMemory) => ByteRange // its own row
      return () => {
        const { start, bytes } = run(layer, memory)
        return { shape: null, data: () => mainBytes(memory, start, bytes).slice() }
      }
    }
  }
}

function prepareConv(
  node: V3LayerOf<'k210Conv'>,
  index: number,
  model: KmodelV3,
  engine: Engine,
  memory: ModelMemory,
  warnings: string[],
): Step {
  const { layer, batchNorm, activation, weights } = node.kpu
  for (const warning of refuseIllegal(layer, model.weightBits, { layer: index })) {
    warnings.push(`layer ${index}: ${warning}`)
  }
  const prepared = engine.prepare(layer, { batchNorm, activation, weights, weightBits: model.weightBits })
  const map = { channels: layer.oChNum, height: layer.oColHigh, width: layer.oRowWid }
  const download = (): Uint8Array => downloadMap(engine.ram, layer.imageDstAddr, map)
  return () => {
    engine.run(prepared, layer.imageSrcAddr, layer.imageDstAddr, { layer: index })
    if (node.flags & MAIN_MEM_OUT) {
      const dense = download()
      storeBytes(mainBytes(memory, node.mainOut, dense.length), dense)
    }
    return { shape: [map.channels, map.height, map.width], data: download }
  }
}

function prepareUpload(layer: V3LayerOf<'k210Upload'>, engine: Engine, memory: ModelMemory): Step {
  const shape = { channels: layer.channels, height: layer.height, width: layer.width }
  const dims = [layer.channels, layer.height, layer.width]
  return () => {
    const dense = mainBytes(memory, layer.in, elementCount(dims)).slice()
    upload(engine, layer.outRow, dense, shape)
    return { shape: dims, data: () => dense }
  }
}

/** Byte c goes to (c, 0, 0) of a C x 4 x 4 map; the other bytes keep their old content. */
function prepareAddPadding(layer: V3LayerOf<'k210AddPadding'>, engine: Engine, memory: ModelMemory): Step {
  const shape = { channels: layer.channels, height: 4, width: 4 }
  return () => {
    const values = mainBytes(memory, layer.in, layer.channels)
    const padded = downloadMap(engine.ram, layer.outRow, shape)
    values.forEach((value, channel) => {
      padded[channel * 16] = value
    })
    upload(engine, layer.outRow, padded, shape)
    return { shape: [layer.channels, 4, 4], data: () => padded }
  }
}

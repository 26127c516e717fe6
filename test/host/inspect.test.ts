import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { zipSync } from 'fflate'
import t from 'tap'
import { encodeBoardCard } from '../../host/card/binary.js'
import { wrapFirmware } from '../../host/flasher/image.js'
import { readModelStore } from '../../host/flasher/read-store.js'
import { modelStoreItems } from '../../host/flasher/store-image.js'
import { packageFile } from '../../host/foundation/paths.js'
import { GraphBuilder } from '../../host/ir/builder.js'
import { SHIM_LACKS_V4 } from '../../host/jobs/inspect/firmware-support.js'
import { type Inspection, inspectBytes } from '../../host/jobs/inspect.js'
import { OPS } from '../../host/kmodel/v4/ops.js'
import { writeKmodelV4 } from '../../host/kmodel/v4/writer.js'
import { writeOnnx } from '../../host/onnx/writer.js'
import { tinyFaceCard } from '../../host/zoo/tiny-face.js'
import { crc32 } from '../../protocol/framing/crc32.js'
import { noSharedData, sharedData } from '../support/shared-data.js'
import { smallKmodel } from '../support/small-kmodel.js'
import { throwsCode } from '../support/throws-code.js'

const kmodel = writeKmodelV4(smallKmodel())
const wasm = Uint8Array.of(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0, ...Buffer.from('\0build 0.1.0+0123456789ab'))
const FLASH_BYTES = 16 * 1024 * 1024

/** The inspection of bytes, which must be of one kind. */
function inspectAs<K extends Inspection['kind']>(kind: K, bytes: Uint8Array): Extract<Inspection, { kind: K }> {
  const found = inspectBytes('file', bytes)
  if (found.kind !== kind) throw new Error(`taken for ${found.kind}, not ${kind}`)
  return found as Extract<Inspection, { kind: K }> // compared just above
}

t.test('kmodel v4: shapes, memory, forecast and firmware, with the keys of compile', async (t) => {
  const found = inspectAs('kmodel', kmodel)
  t.match(found, {
    target: 'v4',
    bytes: kmodel.length,
    input: { shape: [1, 3, 8, 12], type: 'uint8', bytes: 288, scale: null },
    outputs: [{ name: 'output0', type: 'float32', bytes: 192 }],
    memory: { modelBytes: kmodel.length, mainBytes: 256, peakBytes: kmodel.length + 256, fits: true },
    isValid: true,
    violations: [],
  })
  t.same(
    found.layers.map(({ op, where, shape, macs }) => [op, where, shape, macs]),
    [
      ['kpuConv2d', 'kpu', [4, 4, 6], 8 * 12 * 4 * 3 * 9],
      ['kpuConv2d', 'kpu', [2, 4, 6], 4 * 6 * 2 * 4],
      ['dequantize', 'cpu', null, 0],
    ],
  )
  t.ok(found.predictedMs > 0 && found.predictedMs <= found.vendorMs)
  t.ok(found.firmware.every(({ loads }) => loads))
})

t.test('kmodel: a set reserved word is a harmless violation, a wrong register is not', async (t) => {
  const reserved = kmodel.slice()
  reserved[36] = 1
  t.match(inspectAs('kmodel', reserved), { isValid: true, violations: [{ rule: 'reserved', count: 1 }] })
  const model = smallKmodel()
  const [first] = model.nodes
  if (first?.op !== 'kpuConv2d') throw new Error('the first node is a KPU layer')
  const layer = { ...first.kpu.layer, imageSrcAddr: first.kpu.layer.imageSrcAddr + 1 }
  const broken = writeKmodelV4({
    ...model,
    nodes: [{ ...first, kpu: { ...first.kpu, layer } }, ...model.nodes.slice(1)],
  })
  t.equal(inspectAs('kmodel', broken).isValid, false)
})

t.test('kmodel: foreign, damaged and newer files are refused with a code', async (t) => {
  const v5 = kmodel.slice()
  v5[4] = 5
  await throwsCode(t, 'KMODEL_VERSION', () => inspectBytes('v5', v5))
  await throwsCode(t, 'KMODEL_TRUNCATED', () => inspectBytes('cut', kmodel.slice(0, kmodel.length - 200)))
  await throwsCode(t, 'KMODEL_FORMAT', () => inspectBytes('text', Buffer.from('# just a text file\n')))
  await throwsCode(t, 'KMODEL_FORMAT', () => inspectBytes('json', Buffer.from('{"name": "package"}')))
  await throwsCode(t, 'KMODEL_TRUNCATED', () => inspectBytes('empty', new Uint8Array()))
  await throwsCode(t, 'MODEL_FORMAT', () => inspectBytes('tflite', Buffer.from('\x1c\0\0\0TFL3 and more')))
  const swapped = Uint8Array.from(kmodel, (_, i) => kmodel[i ^ 3]!)
  await throwsCode(t, 'KMODEL_FORMAT', () => inspectBytes('swapped', swapped))
})

t.test('the opcodes that the shim lacks are those that its table does not have', async (t) => {
  const source = readFileSync(packageFile('firmware-shim', 'src', 'opcodes.c'), 'utf8')
  const has = new Set([...source.matchAll(/OP\(4, (0x[0-9A-Fa-f]+),/g)].map((match) => Number(match[1])))
  const lacks = Object.entries(OPS).filter(([name, { opcode }]) => name !== 'kpuConv2d' && !has.has(opcode))
  t.same(new Set(lacks.map(([name]) => name)), SHIM_LACKS_V4)
})

t.test('firmware image: program, build id and hash; a flipped byte anywhere makes the ROM refuse it', async (t) => {
  const image = wrapFirmware(wasm)
  const found = inspectAs('firmware', image)
  t.match(found, { boots: true, marks: ['0.1.0+0123456789ab'], payload: { kind: 'webassembly', bytes: wasm.length } })
  t.equal(found.hash.stored, found.hash.computed)
  for (const at of [0, 1, 3, 4, 5, 20, image.length - 1]) {
    const damaged = image.slice()
    damaged[at]! ^= 0x10
    const { boots, hash, error } = inspectAs('firmware', damaged)
    t.same([boots, hash.isRight, error?.code], [false, false, 'FLASH_IMAGE'], `byte ${at}`)
  }
  const damaged = image.with(40, image[40]! ^ 1)
  t.match(inspectAs('firmware', damaged).error?.what, /ROM would refuse to boot/)
  t.equal(inspectAs('firmware', image.subarray(0, image.length - 10)).boots, false, 'cut short')
  t.match(inspectAs('program', wasm), { payload: { kind: 'webassembly' } })
})

t.test('kfpkg: entries with address, size, hash and what they hold', async (t) => {
  const list =
    '{"version": "0.1.0", "files": [{"address": 0, "bin": "shim", "sha256Prefix": true}, {"address": 0x300000, "bin": "m", "sha256Prefix": false}]}'
  const bytes = zipSync({ 'flash-list.json': Buffer.from(list), shim: wasm, m: kmodel })
  const { entries } = inspectAs('kfpkg', bytes)
  t.match(entries, [
    { address: '0x00000000', bytes: wasm.length, wrapped: true, holds: 'program (webassembly)' },
    { address: '0x00300000', bytes: kmodel.length, wrapped: false, holds: 'kmodel v4' },
  ])
  await throwsCode(t, 'KFPKG_FORMAT', () => inspectBytes('zip', zipSync({ other: kmodel })))
})

/** A flash with firmware and one model, as the flasher leaves it. */
function flashedFlash(): Uint8Array {
  const flash = new Uint8Array(FLASH_BYTES).fill(0xff)
  const card = encodeBoardCard(tinyFaceCard('face', { width: 320, height: 256 }))
  flash.set(wrapFirmware(wasm), 0)
  for (const item of modelStoreItems([{ slot: 2, name: 'face', kmodel, card }])) flash.set(item.bytes, item.address)
  return flash
}

t.test('flash copy: firmware, model store with hashes, blank areas', async (t) => {
  const found = inspectAs('flash', flashedFlash())
  t.match(found, {
    firmware: { boots: true },
    store: { sectors: { a: 'valid', b: 'blank' }, current: { sector: 'a', sequence: 1 } },
    models: [
      { slot: 2, name: 'face', address: '0x00210000', bytes: kmodel.length, isIntact: true, holds: 'kmodel v4' },
    ],
    problems: [],
  })
  t.same(
    found.areas.map(({ address, isBlank }) => [address, isBlank]),
    [
      ['0x00000000', false],
      ['0x00010000', true],
      ['0x00200000', false],
      ['0x00220000', true],
    ],
  )
})

t.test('flash copy: damage in firmware, model and directory is a problem each; a blank chip has none', async (t) => {
  const flash = flashedFlash()
  flash[10]! ^= 1
  flash[0x210000 + 100]! ^= 1
  t.equal(inspectAs('flash', flash).error?.code, 'FLASH_IMAGE')
  t.match(inspectAs('flash', flash).problems, [/the ROM refuses to boot/, /model face in slot 2/])
  flash[0x200000 + 50]! ^= 1
  t.match(inspectAs('flash', flash), { models: [], problems: [/ROM/, /no directory/] })
  t.match(inspectAs('flash', new Uint8Array(FLASH_BYTES).fill(0xff)), { firmware: null, models: [], problems: [] })
})

t.test('model store: of two valid directory sectors the higher sequence wins', async (t) => {
  const flash = flashedFlash()
  const sector = flash.slice(0x200000, 0x201000)
  flash.set(sector, 0x201000)
  t.match(readModelStore(flash)?.current, { sector: 'a', sequence: 1 }, 'equal sequences: the first')
  const view = new DataView(sector.buffer)
  view.setUint32(8, 2, true) // sequence
  view.setUint32(4092, crc32(sector.subarray(0, 4092)), true)
  flash.set(sector, 0x201000)
  t.match(readModelStore(flash)?.current, { sector: 'b', sequence: 2 })
  t.equal(readModelStore(flash)?.models[0]?.isIntact, true)
  t.equal(readModelStore(flash.subarray(0, 0x200000)), undefined, 'a copy that ends before the store')
})

/** One convolution. */
function smallOnnx(): Uint8Array {
  const builder = new GraphBuilder('small')
  const x = builder.input('picture', [1, 3, 16, 20])
  const weights = Float32Array.from({ length: 4 * 3 * 9 }, (_, i) => Math.sin(i))
  const pads = { top: 1, left: 1, bottom: 1, right: 1 }
  builder.output(builder.conv2d(x, { weights, shape: [4, 3, 3, 3], pads }))
  return writeOnnx(builder.build())
}

t.test('ONNX: inputs, outputs, operators, parameters and multiply-accumulates', async (t) => {
  const found = inspectAs('onnx', smallOnnx())
  t.match(found, { inputs: [{ name: 'picture', shape: [1, 3, 16, 20] }], operators: { Conv: 1 }, card: null })
  t.same([found.parameters, found.macs, found.problem], [108, 4 * 16 * 20 * 27, null])
  await throwsCode(t, 'ONNX_FORMAT', () => inspectBytes('cut', smallOnnx().slice(0, 100)))
})

t.test('card: its own kind; a broken one is refused by path', async (t) => {
  const card = tinyFaceCard('face', { width: 320, height: 256 })
  t.equal(inspectAs('card', Buffer.from(JSON.stringify(card))).card.name, 'face')
  const error = await throwsCode(t, 'CARD_INVALID', () =>
    inspectBytes('c.json', Buffer.from(JSON.stringify({ ...card, task: 'fly' }))),
  )
  t.equal(error.where.path, 'task')
})

const skip = sharedData('kmodels') ? false : noSharedData
t.test('vendor kmodels of both versions are told apart and found harmless', { skip }, async (t) => {
  for (const name of ['mnist_v3', 'slim320_v4', 'maix_asr_v4']) {
    const found = inspectAs('kmodel', readFileSync(join(sharedData('kmodels')!, `${name}.kmodel`)))
    t.equal(found.target, name.slice(-2))
    t.ok(found.isValid, name)
    t.ok(found.memory.modelBytes <= found.bytes && found.layers.length > 0)
  }
})

import { Areas, overlaps, type Range } from './areas.js'
import { checkActivation, checkKpuLayer, mapRows, rawLayer } from './kpu-layer.js'
import { Report, type Violation } from './report.js'

/** Where a CPU opcode keeps its ranges and how large its body is at least. Source: kmodel-v4.md section 3. */
interface Layout {
  readonly inputs: readonly number[]
  readonly out: number
  readonly size: number
  /** Bytes of the result for bytes of the first operand, where the opcode fixes it. */
  readonly ratio?: number
}

const oneInput = (size: number, ratio?: number): Layout => ({ inputs: [0], out: 16, size, ratio })
const LAYOUTS: Readonly<Record<number, Layout>> = {
  0: { inputs: [0, 16], out: 32, size: 108 },
  2: oneInput(104),
  3: oneInput(40, 4),
  4: { inputs: [0, 16], out: 32, size: 68 },
  5: oneInput(88),
  6: oneInput(40, 1 / 4),
  7: oneInput(72),
  8: oneInput(104),
  9: oneInput(32, 1),
  10: oneInput(64),
  11: oneInput(44, 1),
  12: oneInput(64, 1),
  13: oneInput(116),
  14: oneInput(36, 1),
  15: oneInput(116),
  16: { inputs: [0, 16], out: 32, size: 80 },
  17: { inputs: [0, 16], out: 32, size: 136 },
  18: { inputs: [0, 16], out: 32, size: 48 },
  19: oneInput(116),
  20: oneInput(32, 1),
}
const CONCAT = 1
const UPLOAD = 0x2001
const CONV = 0x2002
const BLOCK = 256

/**
 * Checks a kmodel v4 against the rules of format and chip: alignment, gaps, register formulas, KPU RAM and main memory,
 * lifetimes, limits, reserved fields. A second reading of the format: it shares no code with reader and writer.
 * Never throws; a damaged file gives violations.
 * @returns every violation with its node and file offset; empty for a file that any runtime can load and run
 * @see kmodel-v4.md, kpu.md sections 3, 8 and 9
 */
export function validateKmodelV4(file: Uint8Array): Violation[] {
  const report = new Report()
  try {
    new Validator(file, report).run()
  } catch (error) {
    if (!(error instanceof RangeError)) throw error
    report.want(false, 'size', () => 'the file ends inside of a field')
  }
  return report.violations
}

class Validator {
  private readonly view: DataView
  private areas: Areas

  constructor(
    private readonly file: Uint8Array,
    private readonly report: Report,
  ) {
    this.view = new DataView(file.buffer, file.byteOffset, file.byteLength)
    this.areas = new Areas(report, 0, 0)
  }

  run(): void {
    const u32 = (offset: number): number => this.view.getUint32(offset, true)
    this.header(u32)
    const [constants, mainBytes, nodes, inputs, outputs] = [u32(16), u32(20), u32(24), u32(28), u32(32)] as const
    this.areas = new Areas(this.report, mainBytes, constants)
    const outputsAt = 40 + 32 * inputs
    const headersAt = outputsAt + 16 * outputs + constants
    if (!this.report.want(headersAt + 8 * nodes <= this.file.length, 'size', () => 'tables run beyond the file')) return
    for (let index = 0; index < inputs; index++) this.input(40 + 16 * index, 40 + 16 * (inputs + index))
    let body = headersAt + 8 * nodes
    for (let index = 0; index < nodes; index++) {
      const bytes = u32(headersAt + 8 * index + 4)
      this.report.node = index
      this.report.offset = body
      this.report.want(body % 8 === 0 && bytes % 8 === 0, 'alignment', () => `body at ${body} of ${bytes} bytes`)
      if (!this.report.want(body + bytes <= this.file.length, 'size', () => `body ends at ${body + bytes}`)) return
      this.node(u32(headersAt + 8 * index), body, bytes)
      body += bytes
    }
    this.report.node = -1
    this.report.offset = body
    this.report.want(body === this.file.length, 'size', () => `${this.file.length - body} bytes follow the last body`)
    for (let index = 0; index < outputs; index++) this.areas.read(this.range(outputsAt + 16 * index), `output ${index}`)
  }

  private header(u32: (offset: number) => number): void {
    const wanted = [
      [0, 0x4b4d444c, 'header', 'identifier'],
      [4, 4, 'header', 'version'],
      [8, 0, 'header', 'flags'],
      [12, 1, 'header', 'target'],
      [36, 0, 'reserved', 'reserved word'],
    ] as const
    for (const [offset, value, rule, name] of wanted) {
      this.report.offset = offset
      this.report.want(u32(offset) === value, rule, () => `${name} is ${u32(offset)}, not ${value}`)
    }
    this.report.offset = 16
    this.report.want(u32(16) % 8 === 0, 'alignment', () => `constant area of ${u32(16)} bytes`)
  }

  private range(at: number): Range {
    const word = (index: number): number => this.view.getUint32(at + 4 * index, true)
    return { memory: word(0), type: word(1), start: word(2), bytes: word(3) }
  }

  private shape(at: number): [number, number, number, number] {
    const size = (index: number): number => this.view.getInt32(at + 4 * index, true)
    return [size(0), size(1), size(2), size(3)]
  }

  private input(rangeAt: number, shapeAt: number): void {
    this.report.offset = rangeAt
    const range = this.range(rangeAt)
    const [n, c, h, w] = this.shape(shapeAt)
    if (range.memory !== 2) {
      const bytes = n * c * h * w * (range.type === 0 ? 4 : 1)
      this.report.want(range.bytes === bytes, 'shape', () => `input of ${range.bytes} bytes, its shape has ${bytes}`)
      this.areas.write(range, 'the input')
      return
    }
    this.map(range, [n, c, h, w], 'the input')
  }

  /** A range in KPU RAM that is filled with a map. */
  private map(range: Range, [n, c, h, w]: readonly [number, number, number, number], name: string): void {
    const { rows } = mapRows(c, h, w)
    this.report.want(
      range.bytes === rows * 64 * n,
      'shape',
      () => `${name} has ${range.bytes} bytes, not ${rows * 64 * n}`,
    )
    if (this.areas.inside(range, name)) this.areas.writeMap(range.start / 64, rows * n, false)
  }

  private node(opcode: number, at: number, bytes: number): void {
    if (opcode === CONV) this.conv(at, bytes)
    else if (opcode === UPLOAD) this.upload(at, bytes)
    else if (opcode === CONCAT) this.concat(at, bytes)
    else this.cpuOp(opcode, at, bytes)
  }

  private cpuOp(opcode: number, at: number, bytes: number): void {
    const layout = LAYOUTS[opcode]
    if (!this.report.want(layout !== undefined, 'header', () => `opcode 0x${opcode.toString(16)} is unknown`)) return
    const { inputs, out, size, ratio } = layout!
    if (!this.report.want(bytes >= size, 'size', () => `body of ${bytes} bytes, the opcode has ${size}`)) return
    const ranges = inputs.map((offset) => this.range(at + offset))
    const result = this.range(at + out)
    const wanted = ranges[0]!.bytes * (ratio ?? 0)
    const fits = ratio === undefined || wanted === result.bytes
    this.report.want(fits, 'shape', () => `result of ${result.bytes} bytes, the operand asks for ${wanted}`)
    this.operands(ranges, result)
  }

  private operands(ranges: readonly Range[], result: Range): void {
    ranges.forEach((range, index) => {
      this.areas.read(range, `operand ${index}`)
      this.report.want(!overlaps(range, result), 'overlap', () => `operand ${index} and result overlap in main memory`)
    })
    this.areas.write(result, 'the result')
  }

  private concat(at: number, bytes: number): void {
    const word = (offset: number): number => this.view.getUint32(at + offset, true)
    const count = word(24)
    if (!this.report.want(bytes >= 28 + 20 * count, 'size', () => `concat of ${count} in ${bytes} bytes`)) return
    const ranges = Array.from({ length: count }, (_, index) => this.range(at + 28 + 16 * index))
    ranges.forEach((range, index) => {
      const wanted = word(28 + 16 * count + 4 * index) * word(16) * word(20)
      this.report.want(range.bytes === wanted, 'shape', () => `input ${index} has ${range.bytes} bytes, not ${wanted}`)
    })
    this.operands(ranges, this.range(at))
  }

  private upload(at: number, bytes: number): void {
    if (!this.report.want(bytes >= 48, 'size', () => `upload of ${bytes} bytes`)) return
    const source = this.range(at)
    const shape = this.shape(at + 32)
    const count = shape.reduce((a, b) => a * b, 1)
    this.report.want(source.bytes === count, 'shape', () => `upload of ${source.bytes} bytes, its shape has ${count}`)
    this.areas.read(source, 'the upload')
    this.map(this.range(at + 16), shape, 'the uploaded map')
  }

  private conv(at: number, bytes: number): void {
    if (!this.report.want(bytes >= 120, 'size', () => `KPU layer of ${bytes} bytes`)) return
    const layer = rawLayer(this.view, at + 24)
    const batches = this.view.getInt32(at + 16, true)
    this.report.want(batches >= 1, 'shape', () => `${batches} batches`)
    this.report.want(this.view.getUint32(at + 20, true) === 0, 'reserved', () => 'reserved word of a KPU layer is set')
    checkKpuLayer(layer, batches, this.report)
    this.blocks(layer.words, at + 120, at + bytes, [layer.outChannels * 8, 144, weightBytes(layer)])
    const input = mapRows(layer.inChannels, layer.inHeight, layer.inWidth)
    const output = mapRows(layer.outChannels, layer.outHeight, layer.outWidth)
    this.areas.readMap(layer.srcRow, input.rows * batches)
    this.areas.writeMap(layer.dstRow, output.rows * batches, layer.sendDataOut)
    const main = this.range(at)
    const streams = main.bytes > 0
    this.report.want(
      streams === layer.sendDataOut,
      'send-data-out',
      () => 'send_data_out and main-memory output disagree',
    )
    if (!streams) return
    const wanted = layer.outChannels * layer.outHeight * layer.outWidth * batches
    this.report.want(main.bytes === wanted, 'shape', () => `main-memory output of ${main.bytes} bytes, not ${wanted}`)
    this.report.want(main.type === 1, 'shape', () => 'main-memory output is not uint8')
    this.areas.write(main, 'the main-memory output', (8 - (main.bytes % 8)) % 8)
  }

  /** Gaps lie in the address fields of words 4, 7 and 5; blocks begin at multiples of 256 of the file. */
  private blocks(words: readonly bigint[], start: number, end: number, sizes: readonly number[]): void {
    const gaps = [words[4]!, words[7]!, words[5]!].map((word) => Number(word >> 32n))
    let at = start
    for (const [index, name] of ['batch norm', 'activation', 'weights'].entries()) {
      const gap = gaps[index]!
      this.report.want(gap < BLOCK, 'gap', () => `gap of ${gap} bytes before ${name}`)
      if (!this.report.want(at + gap + sizes[index]! <= end, 'size', () => `${name} runs out of the body`)) return
      const zeros = this.file.subarray(at, at + gap).every((byte) => byte === 0)
      this.report.want(zeros, 'gap', () => `gap before ${name} is not zero`)
      at += gap
      this.report.want(at % BLOCK === 0, 'alignment', () => `${name} at file offset ${at}, no multiple of ${BLOCK}`)
      if (index === 1) checkActivation(this.view, at, this.report)
      at += sizes[index]!
    }
  }
}

const weightBytes = (layer: ReturnType<typeof rawLayer>): number =>
  layer.outChannels * (layer.depthwise ? 1 : layer.inChannels) * layer.kernel * layer.kernel

import { readFileSync } from 'node:fs'
import t from 'tap'
import { packageFile } from '../../host/foundation/paths.js'
import { SlipReader, slipEncode } from '../../protocol/framing/slip.js'
import { ispHeader } from '../../protocol/isp/c-header.js'
import { describeResult, EXTENSION_COMMANDS, ISP_COMMANDS, type IspCommandName } from '../../protocol/isp/commands.js'
import {
  decodeIspPacket,
  decodeIspReply,
  encodeIspPacket,
  encodeIspReply,
  encodeShortGreeting,
  isShortGreeting,
} from '../../protocol/isp/packet.js'
import { decodeFields, encodeFields, INFO_FIELDS, WRITE_STATUS_FIELDS } from '../../protocol/isp/payloads.js'

interface GoldenRequest {
  readonly case: string
  readonly command: IspCommandName
  readonly short?: boolean
  readonly address?: number
  readonly length?: number
  readonly dataHex?: string
  readonly frameHex: string
}

const golden = JSON.parse(readFileSync(packageFile('test', 'golden', 'isp.json'), 'utf8')) as {
  requests: GoldenRequest[]
  replies: { case: string; op: number; result: number; frameHex: string }[]
  longWrite: { address: number; headerHex: string; packetBytes: number; frameBytes: number }
}

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex')
const fromHex = (text: string) => new Uint8Array(Buffer.from(text, 'hex'))

t.test('isp packet: every golden request is written byte for byte', async (t) => {
  for (const { case: name, command, short, address, length, dataHex, frameHex } of golden.requests) {
    const { op } = ISP_COMMANDS[command]
    const data = fromHex(dataHex ?? '')
    const packet = short ? encodeShortGreeting(op) : encodeIspPacket({ op, address, length, data })
    t.equal(hex(slipEncode(packet)), frameHex, name)
  }
})

t.test('isp packet: every golden request is read back', async (t) => {
  for (const { case: name, command, short, address, length, dataHex, frameHex } of golden.requests) {
    const { op } = ISP_COMMANDS[command]
    const [packet] = new SlipReader().push(fromHex(frameHex))
    if (short) t.ok(isShortGreeting(packet!, op), name)
    else {
      const data = fromHex(dataHex ?? '')
      const wanted = { op, tag: 0, address: address ?? 0, length: length ?? data.length, data }
      t.same(decodeIspPacket(packet!), wanted, name)
    }
  }
})

t.test('isp packet: the long write has the golden header and sizes', async (t) => {
  const data = Uint8Array.from({ length: 4096 }, (_, i) => i & 0xff)
  const packet = encodeIspPacket({ op: ISP_COMMANDS.flashWrite.op, address: golden.longWrite.address, data })
  t.equal(hex(packet.subarray(0, 16)), golden.longWrite.headerHex)
  t.equal(packet.length, golden.longWrite.packetBytes)
  t.equal(slipEncode(packet).length, golden.longWrite.frameBytes)
})

t.test('isp reply: golden replies are written and read', async (t) => {
  for (const { case: name, op, result, frameHex } of golden.replies) {
    t.equal(hex(slipEncode(encodeIspReply(op, result))), frameHex, name)
    const [frame] = new SlipReader().push(fromHex(frameHex))
    t.match(decodeIspReply(frame!), { op, result }, name)
  }
  t.equal(decodeIspReply(Uint8Array.of(0xc2)), undefined, 'one byte is no reply')
})

t.test('isp packet: a flipped bit anywhere in an extension packet is noticed', async (t) => {
  const packet = encodeIspPacket({ op: ISP_COMMANDS.writeSector.op, tag: 7, address: 3, data: Uint8Array.of(1, 2, 3) })
  for (let bit = 0; bit < packet.length * 8; bit++) {
    const damaged = packet.slice()
    damaged[bit >> 3]! ^= 1 << (bit & 7)
    if (decodeIspPacket(damaged) !== 'checksum') t.fail(`bit ${bit} was accepted`)
  }
  t.equal(decodeIspPacket(packet.subarray(0, 15)), 'short')
})

t.test('isp packet: a flipped bit turns no classic command into a valid erase', async (t) => {
  for (const packet of [encodeShortGreeting(0xd2), encodeIspPacket({ op: 0xd2 })]) {
    packet[0] = 0xd3
    const decoded = decodeIspPacket(packet)
    t.ok(typeof decoded === 'string' || decoded.length === 0, 'nothing or nothing to erase')
  }
})

t.test('isp commands: ops are unique and extensions come after the classic ones', async (t) => {
  const ops = Object.values(ISP_COMMANDS).map(({ op }) => op)
  t.equal(new Set(ops).size, ops.length)
  t.ok(Object.values(EXTENSION_COMMANDS).every(({ op }) => op >= 0xe0))
  t.match(describeResult(0xe2), /badChecksum/)
  t.match(describeResult(0x77), /unknown/)
})

t.test('isp payloads: rows are written little endian and read back', async (t) => {
  const info = {
    version: 1,
    windowSectors: 32,
    capabilities: 7,
    flashId: 0xef4018,
    flashStatus: 0x200,
    rxOverruns: 0xffff_ffff,
    badFrames: 2,
  }
  const bytes = encodeFields(INFO_FIELDS, info)
  t.equal(hex(bytes), '01002000070000001840ef0000020000ffffffff02000000')
  t.same(decodeFields(INFO_FIELDS, bytes), info)
  t.equal(decodeFields(INFO_FIELDS, bytes.subarray(1)), undefined, 'too few bytes')
  const status = { received: 1, programmed: 0, freeSectors: 31, badFrames: 0, bitmap: Uint8Array.of(1) }
  t.same(decodeFields(WRITE_STATUS_FIELDS, encodeFields(WRITE_STATUS_FIELDS, status)), status)
})

t.test('isp C header: the committed file is what the rows give', async (t) => {
  t.equal(readFileSync(packageFile('firmware-shim', 'generated', 'k210b_isp.h'), 'utf8'), ispHeader())
})

import { crc32 } from '../framing/crc32.js'
import { FIRST_EXTENSION_OP } from './commands.js'

/** Bytes of a packet's header: op u16, tag u16, crc u32, address u32, length u32, little endian. isp.md 2.2. */
export const ISP_HEADER_BYTES = 16
/** Bytes of the short greeting that all tools send: op and 12 zero bytes. */
export const SHORT_GREETING_BYTES = 13

/** A request, or a reply of our stub's extensions (address is then the result code). */
export interface IspPacket {
  readonly op: number
  /** Reserved (0) in ROM and classic commands; extensions: echoed in the reply. */
  readonly tag: number
  readonly address: number
  /** The header's length word; equals data.length unless it is an argument. */
  readonly length: number
  readonly data: Uint8Array
}

/** A packet that is not one: a counted event, not an exception. */
export type IspDamage = 'short' | 'checksum' | 'length'

/** Op and result of a classic reply, with the text of a debug frame. */
export interface IspReply {
  readonly op: number
  readonly result: number
  readonly text: Uint8Array
}

/** CRC-32 of a packet: from offset 8 on; extensions include the first word, so that no bit flip turns one into another. */
export function ispCrc(packet: Uint8Array): number {
  const extension = (packet[0] ?? 0) >= FIRST_EXTENSION_OP
  return extension ? crc32(packet.subarray(8), crc32(packet.subarray(0, 4))) : crc32(packet.subarray(8))
}

/**
 * A request's bytes, without framing.
 * @param fields - tag and address default to 0, length to the number of data bytes
 */
export function encodeIspPacket(fields: {
  op: number
  tag?: number
  address?: number
  length?: number
  data?: Uint8Array
}): Uint8Array {
  const data = fields.data ?? new Uint8Array(0)
  const packet = new Uint8Array(ISP_HEADER_BYTES + data.length)
  const view = new DataView(packet.buffer)
  view.setUint16(0, fields.op, true)
  view.setUint16(2, fields.tag ?? 0, true)
  view.setUint32(8, fields.address ?? 0, true)
  view.setUint32(12, fields.length ?? data.length, true)
  packet.set(data, ISP_HEADER_BYTES)
  view.setUint32(4, ispCrc(packet), true)
  return packet
}

/** The 13-byte greeting without a CRC that all tools send and every ROM accepts. */
export function encodeShortGreeting(op: number): Uint8Array {
  const packet = new Uint8Array(SHORT_GREETING_BYTES)
  packet[0] = op
  return packet
}

/** True for the short greeting of `op`: 13 bytes or more without a full header, all zero after the op. */
export function isShortGreeting(packet: Uint8Array, op: number): boolean {
  const short = packet.length >= SHORT_GREETING_BYTES && packet.length < ISP_HEADER_BYTES
  return short && packet[0] === op && packet.subarray(1).every((byte) => byte === 0)
}

/**
 * Reads a packet. The number of data bytes is not compared with the length word: in an erase it is an argument.
 * @param packet - one unescaped SLIP frame
 */
export function decodeIspPacket(packet: Uint8Array): IspPacket | IspDamage {
  if (packet.length < ISP_HEADER_BYTES) return 'short'
  const view = new DataView(packet.buffer, packet.byteOffset, packet.byteLength)
  if (view.getUint32(4, true) !== ispCrc(packet)) return 'checksum'
  return {
    op: view.getUint16(0, true),
    tag: view.getUint16(2, true),
    address: view.getUint32(8, true),
    length: view.getUint32(12, true),
    data: packet.subarray(ISP_HEADER_BYTES),
  }
}

/** A classic reply's bytes, without framing. */
export function encodeIspReply(op: number, result: number, text: Uint8Array = new Uint8Array(0)): Uint8Array {
  return Uint8Array.of(op, result, ...text)
}

/** Reads a classic reply, undefined when it is too short. */
export function decodeIspReply(frame: Uint8Array): IspReply | undefined {
  if (frame.length < 2) return undefined
  return { op: frame[0]!, result: frame[1]!, text: frame.subarray(2) }
}

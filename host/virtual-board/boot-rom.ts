import { SlipReader, slipEncode } from '../../protocol/framing/slip.js'
import { ISP_RESULTS, type IspResultName, ROM_CHUNK, ROM_COMMANDS } from '../../protocol/isp/commands.js'
import {
  decodeIspPacket,
  encodeIspReply,
  ISP_HEADER_BYTES,
  type IspPacket,
  isShortGreeting,
} from '../../protocol/isp/packet.js'
import { BAUD_FIELDS, decodeFields } from '../../protocol/isp/payloads.js'
import type { Ram } from './memory.js'

/** What the ROM can do to the rest of the board. */
export interface BootRomEnvironment {
  readonly ram: Ram
  /** Sends bytes over the UART. */
  send(bytes: Uint8Array): void
  /** Changes the UART's rate. */
  setBaud(baud: number): void
  /** Leaves the ROM and runs what lies at a RAM address. */
  boot(address: number): void
}

/** The ROM's clock is not what its divider code believes: it gets 38 where 38.6 was asked for (isp.md 1.5). */
const ROM_BAUD_FACTOR = 38 / 38.6

/** Greatest frame that the ROM keeps. */
const FRAME_LIMIT = ISP_HEADER_BYTES + ROM_CHUNK

/**
 * The ISP mode of the mask ROM: greeting, memory write, boot, baud; no read, no echo. Source: isp.md section 2.
 * Memory writes above 1024 bytes are refused (untested on silicon, so no tool may come to rely on them).
 */
export class BootRom {
  private readonly reader = new SlipReader(FRAME_LIMIT)

  constructor(private readonly environment: BootRomEnvironment) {}

  /** The chip came out of reset with IO16 low, or found no valid image. */
  enter(): void {
    this.reader.reset()
  }

  /** Prints the line of a failed boot; the code is the one quoted from boards (isp.md 3.1). */
  reportFailedBoot(reason: string): void {
    this.environment.send(new TextEncoder().encode(`\r\nboot failed with exit code 233 (${reason})\r\n`))
  }

  /** Takes received bytes and answers. */
  receive(bytes: Uint8Array): void {
    for (const frame of this.reader.push(bytes)) {
      const result = this.handle(frame)
      if (result) this.environment.send(slipEncode(encodeIspReply(frame[0] ?? 0, ISP_RESULTS[result].code)))
    }
  }

  /** @returns the result to answer with, undefined where the ROM says nothing */
  private handle(frame: Uint8Array): IspResultName | undefined {
    if (isShortGreeting(frame, ROM_COMMANDS.romGreeting.op)) return 'ok'
    const packet = decodeIspPacket(frame)
    if (packet === 'short' || packet === 'length') return 'badLength'
    if (packet === 'checksum') return 'badChecksum'
    return packet.length === packet.data.length ? this.execute(packet) : 'badLength'
  }

  private execute(packet: IspPacket): IspResultName | undefined {
    switch (packet.op) {
      case ROM_COMMANDS.romGreeting.op:
        return 'ok'
      case ROM_COMMANDS.romMemoryWrite.op:
        return this.writeMemory(packet) ? 'ok' : 'badLength'
      case ROM_COMMANDS.romBoot.op:
        this.environment.boot(packet.address)
        return undefined
      case ROM_COMMANDS.romSetBaud.op:
        return this.setBaud(packet)
      default:
        return 'badCommand'
    }
  }

  private writeMemory({ address, data }: IspPacket): boolean {
    return data.length > 0 && data.length <= ROM_CHUNK && this.environment.ram.write(address, data)
  }

  private setBaud({ data }: IspPacket): IspResultName | undefined {
    const fields = decodeFields(BAUD_FIELDS, data)
    if (!fields || data.length !== 4) return 'badLength'
    this.environment.setBaud(Math.round(fields.baud * ROM_BAUD_FACTOR))
    return undefined
  }
}

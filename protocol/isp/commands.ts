/**
 * The boot ROM's and the flash stubs' commands as rows. Codes 0xC1..0xD7 are those of every known tool (isp.md 2.4,
 * 2.5); 0xE0..0xEB are extensions that only our stub knows. The C header of the stub is written from these rows.
 */

/** Who understands a command: the boot ROM, any flash stub, or our stub only. */
export type IspStage = 'rom' | 'stub' | 'extension'

/** One command of the ISP protocol. */
export interface IspCommand {
  readonly op: number
  readonly stage: IspStage
  readonly doc: string
  /** Meaning of the header's address word. */
  readonly address: string
  /** Data bytes after the header: fewest and most. */
  readonly data: readonly [number, number]
  /** The length word is an argument and no data follows (erase). */
  readonly lengthIsArgument?: true
  /** `none`: nothing is to be awaited; `short`: op and result; `packet`: a packet like the request, CRC included. */
  readonly reply: 'none' | 'short' | 'packet'
}

/** Bytes of a NOR flash sector, the unit of comparing, erasing and writing. */
export const FLASH_SECTOR = 4096
/** Bytes of a large erase unit. */
export const FLASH_UNIT = 65_536
/** Where every known tool loads and enters the stub. */
export const STUB_ADDRESS = 0x8000_0000
/** Most data bytes of one ROM memory write that any known tool sends. */
export const ROM_CHUNK = 1024
/** Rate of ROM and stub after their start. */
export const ISP_BAUD = 115_200
/** Length word of an erase that means the whole chip. */
export const ERASE_WHOLE_CHIP = 0xffff_ffee
/** Most sectors of one windowed write session, and of one hash list. */
export const SESSION_SECTORS = 512
/** Sectors that our stub can hold in memory before they are programmed. */
export const WINDOW_SECTORS = 32
/** Version of the extensions, in the answer to `info`. */
export const STUB_VERSION = 1

const none = [0, 0] as const

/** Commands of the boot ROM. */
export const ROM_COMMANDS = {
  romEcho: {
    op: 0xc1,
    stage: 'rom',
    doc: 'Echo; not implemented by the ROM, which answers 0xE3.',
    address: '0',
    data: none,
    reply: 'short',
  },
  romGreeting: {
    op: 0xc2,
    stage: 'rom',
    doc: 'Greeting; may come as 13 bytes with CRC 0.',
    address: '0',
    data: none,
    reply: 'short',
  },
  romMemoryWrite: {
    op: 0xc3,
    stage: 'rom',
    doc: 'Writes bytes to RAM.',
    address: 'RAM address',
    data: [1, ROM_CHUNK],
    reply: 'short',
  },
  romMemoryRead: {
    op: 0xc4,
    stage: 'rom',
    doc: 'Read back; not implemented by the ROM, which answers 0xE3.',
    address: 'RAM address',
    data: none,
    reply: 'short',
  },
  romBoot: {
    op: 0xc5,
    stage: 'rom',
    doc: 'Jumps to code in RAM.',
    address: 'entry address',
    data: none,
    reply: 'none',
  },
  romSetBaud: {
    op: 0xc6,
    stage: 'rom',
    doc: 'Changes the rate; unreliable on silicon, so our flasher keeps the ROM at 115200.',
    address: '0',
    data: [4, 4],
    reply: 'none',
  },
} as const satisfies Record<string, IspCommand>

/** Commands that every flash stub has. */
export const STUB_COMMANDS = {
  stubGreeting: {
    op: 0xd2,
    stage: 'stub',
    doc: 'Greeting; may come as 13 bytes with CRC 0.',
    address: '0',
    data: none,
    reply: 'short',
  },
  flashErase: {
    op: 0xd3,
    stage: 'stub',
    doc: 'Erases a range, or the whole chip with length 0xFFFFFFEE; answers at the end.',
    address: 'flash address, a multiple of 4 KiB',
    data: none,
    lengthIsArgument: true,
    reply: 'short',
  },
  flashWrite: {
    op: 0xd4,
    stage: 'stub',
    doc: 'Erases and programs 4 KiB or 64 KiB; answers after programming.',
    address: 'flash address, a multiple of the length',
    data: [FLASH_SECTOR, FLASH_UNIT],
    reply: 'short',
  },
  reboot: {
    op: 0xd5,
    stage: 'stub',
    doc: 'Resets the chip.',
    address: '0: run the firmware; 1: stay in the ROM (our stub)',
    data: none,
    reply: 'none',
  },
  setBaud: {
    op: 0xd6,
    stage: 'stub',
    doc: 'Changes the rate. Our stub answers at the old rate first and goes back when nothing valid arrives.',
    address: '0',
    data: [4, 4],
    reply: 'none',
  },
  flashInit: {
    op: 0xd7,
    stage: 'stub',
    doc: 'Prepares the flash.',
    address: 'opaque, 1 by default',
    data: none,
    reply: 'short',
  },
} as const satisfies Record<string, IspCommand>

/** Commands of our stub only. Their CRC covers the first header word too; the tag is echoed. */
export const EXTENSION_COMMANDS = {
  info: {
    op: 0xe0,
    stage: 'extension',
    doc: 'Version, capabilities, flash id, protection bits and window.',
    address: '0',
    data: none,
    reply: 'packet',
  },
  hashSectors: {
    op: 0xe1,
    stage: 'extension',
    doc: 'CRC-32 of each of many 4 KiB sectors.',
    address: 'flash address, a multiple of 4 KiB',
    data: [4, 4],
    reply: 'packet',
  },
  hashRange: {
    op: 0xe2,
    stage: 'extension',
    doc: 'SHA-256 of a range.',
    address: 'flash address',
    data: [4, 4],
    reply: 'packet',
  },
  flashRead: {
    op: 0xe3,
    stage: 'extension',
    doc: 'Reads up to 4 KiB.',
    address: 'flash address',
    data: [4, 4],
    reply: 'packet',
  },
  writeOpen: {
    op: 0xe4,
    stage: 'extension',
    doc: 'Opens a windowed write; the tag names the session. Answers like writeStatus.',
    address: 'flash address of sector 0, a multiple of 4 KiB',
    data: [4, 4 + (2 * SESSION_SECTORS) / 8],
    reply: 'packet',
  },
  writeSector: {
    op: 0xe5,
    stage: 'extension',
    doc: 'One sector of the open session; answered by a writeStatus, perhaps one for several sectors.',
    address: 'sector number in the session',
    data: [FLASH_SECTOR, FLASH_SECTOR],
    reply: 'none',
  },
  writeStatus: {
    op: 0xe6,
    stage: 'extension',
    doc: 'What has arrived and what is programmed; the stub also sends it unasked.',
    address: '0',
    data: none,
    reply: 'packet',
  },
  ramWrite: {
    op: 0xe7,
    stage: 'extension',
    doc: 'Writes bytes to RAM.',
    address: 'RAM address',
    data: [1, FLASH_SECTOR],
    reply: 'packet',
  },
  execute: {
    op: 0xe8,
    stage: 'extension',
    doc: 'Answers, then jumps to code in RAM.',
    address: 'entry address',
    data: none,
    reply: 'packet',
  },
} as const satisfies Record<string, IspCommand>

/** Every command by name. */
export const ISP_COMMANDS = { ...ROM_COMMANDS, ...STUB_COMMANDS, ...EXTENSION_COMMANDS } as const

/** Name of a row of {@link ISP_COMMANDS}. */
export type IspCommandName = keyof typeof ISP_COMMANDS

/** Op of an unasked frame with text for the log, from ROM and stub. */
export const OP_DEBUG_TEXT = 0xd1
/** First op whose CRC covers op and tag as well. */
export const FIRST_EXTENSION_OP = 0xe0

/** Second byte of a short reply, status word of a reply packet. Source: isp.md 2.3. */
export const ISP_RESULTS = {
  default: { code: 0x00, doc: 'debug message or default' },
  ok: { code: 0xe0, doc: 'done' },
  badLength: { code: 0xe1, doc: 'the data length is not allowed' },
  badChecksum: { code: 0xe2, doc: 'the CRC-32 does not fit: damaged on the way' },
  badCommand: { code: 0xe3, doc: 'the command is unknown' },
  badInit: { code: 0xe4, doc: 'the flash cannot be initialized' },
  execution: { code: 0xe5, doc: 'the command failed while it ran' },
} as const

/** Name of a row of {@link ISP_RESULTS}. */
export type IspResultName = keyof typeof ISP_RESULTS

/** What a result code means, for error texts: `0xE2 badChecksum: ...`. */
export function describeResult(code: number): string {
  const hex = `0x${code.toString(16).toUpperCase().padStart(2, '0')}`
  for (const [name, row] of Object.entries(ISP_RESULTS)) if (row.code === code) return `${hex} ${name}: ${row.doc}`
  return `${hex}: unknown result`
}

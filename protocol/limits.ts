/** Sizes, versions and addresses that host and firmware share; scripts/generate.ts writes them into the C header. */

/** Version in HELLO. Another major is refused; a newer minor may append fields to the end of rows. */
export const PROTOCOL_VERSION = { major: 1, minor: 0 } as const

/** Frame layout; see protocol/README.md. */
export const FRAME = {
  headerBytes: 8,
  crcBytes: 4,
  delimiter: 0x00,
  /** Header field `budget` counts in these. */
  budgetUnitBytes: 16,
  /** Fragment index bit that marks the last fragment. */
  lastFragment: 0x80,
  maxFragments: 128,
} as const

/** Payload bytes of one frame. */
export const PAYLOAD = {
  /** The least that either side may offer. */
  minBytes: 256,
  /** Valid before and without negotiation. */
  defaultBytes: 1024,
  /** What the host asks for: a transfer piece of 1 KiB and its 8 bytes of row, rounded up to 16. */
  wishedBytes: 1040,
  maxBytes: 4096,
} as const

/** Line rates and the time after which an unconfirmed new rate is given up by the board. */
export const LINK = {
  defaultBaud: 115_200,
  baudRevertMs: 500,
} as const

/** Transfers: hashes count blocks, acknowledgements count pieces. */
export const TRANSFER = {
  blockBytes: 4096,
  maxPieceBytes: 2048,
  /** CRC-32 values in one transferHashes. */
  maxHashes: 240,
  /** Bytes of the bitmap in one transferStatus. */
  maxBitmapBytes: 64,
} as const

/** Longest names and cards. */
export const MODEL = {
  slots: 4,
  nameBytes: 32,
  cardBytes: 880,
} as const

/** Byte addresses in the SPI flash (design section 7). */
export const FLASH_MAP = {
  firmware: 0x000000,
  firmwareEnd: 0x200000,
  storeDirectoryA: 0x200000,
  storeDirectoryB: 0x201000,
  storeModels: 0x210000,
  storeEnd: 0xd00000,
  sectorBytes: 4096,
  blockBytes: 65_536,
} as const

/** Directory sector of the model store; rows in messages/store.ts. */
export const STORE = {
  /** 'K2DS', little endian. */
  magic: 0x5344324b,
  version: 1,
  headerBytes: 12,
  entryBytes: 960,
  /** Where the CRC-32 over everything before it stands. */
  crcOffset: 4092,
} as const

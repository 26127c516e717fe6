import { MODEL, TRANSFER } from '../limits.js'
import { bytes, fixedBytes, list, oneWay, request, text, u8, u16, u32 } from '../schema.js'

/** Where the bytes of a transfer go, field `target` of transferOpen. */
export const TRANSFER_TARGET = { modelSlot: 0, input: 1, flash: 2 } as const

/** Announces the bytes. */
export const transferOpen = request({
  name: 'transferOpen',
  id: 0x20,
  doc: 'Announces a transfer. Opening what is open already (same target, slot, size and SHA-256) resumes it: same id, pieces kept. Anything else ends the open transfer.',
  fields: {
    target: u8('0 model slot, 1 input tensor of the loaded model in the slot, 2 raw flash.'),
    slot: u8('Slot; 0 for raw flash.'),
    address: u32('Raw flash only: first byte, multiple of 4096.'),
    size: u32('Bytes to come, at least 1.'),
    blockBytes: u16('Bytes that one hash covers: 4096.'),
    sha256: fixedBytes('SHA-256 of all bytes.', 32),
    name: text('Model name.', { maxLength: MODEL.nameBytes }),
    card: bytes('Binary card of the model.', { maxLength: MODEL.cardBytes }),
  },
  answer: {
    transferId: u16('Names the transfer from now on.'),
    address: u32('Flash address of the first byte; 0 for an input.'),
    blocks: u16('Blocks, rounded up.'),
    pieceBytes: u16('Bytes of one transferBlock: a power of two that divides the block and fits the payload.'),
    windowBytes: u32('Bytes of pieces that may be unacknowledged, at least two pieces.'),
  },
})

/** Asks which blocks are there already. */
export const transferHashes = request({
  name: 'transferHashes',
  id: 0x21,
  doc: 'Compares blocks with what the target holds; equal ones count as received.',
  fields: {
    transferId: u16('From transferOpen.'),
    first: u16('Block of the first hash.'),
    crc32: list('CRC-32 of each block; the last block is short.', 'u32', { maxLength: TRANSFER.maxHashes }),
  },
  answer: { bitmap: bytes('Bit i (LSB first) = block first + i is there.', { maxLength: TRANSFER.maxHashes / 8 }) },
})

/** One piece of the bytes. */
export const transferBlock = oneWay('transferBlock', {
  name: 'transferBlock',
  id: 0x22,
  doc: 'One piece. Always answered by a transferStatus (which may answer several), also when it was there already.',
  fields: {
    transferId: u16('From transferOpen.'),
    offset: u32('Multiple of pieceBytes.'),
    data: bytes('pieceBytes bytes, fewer in the last piece.', { maxLength: TRANSFER.maxPieceBytes }),
  },
})

/** What has arrived. */
export const transferStatus = oneWay('transferStatus', {
  name: 'transferStatus',
  id: 0x23,
  doc: 'Acknowledges pieces. A set bit means accepted, not yet in flash; commit waits for the flash.',
  fields: {
    transferId: u16('From transferOpen.'),
    status: u8('0, or why the transfer cannot go on.'),
    firstMissing: u32('Offset of the first piece not received; the size when nothing is missing.'),
    receivedBytes: u32('Bytes of all pieces accepted or found in place.'),
    bitmapFirst: u16('Piece of the first bit: the one at firstMissing.'),
    bitmap: bytes('Bit i (LSB first) = piece bitmapFirst + i is received.', { maxLength: TRANSFER.maxBitmapBytes }),
  },
})

/** Ends a transfer. */
export const transferCommit = request({
  name: 'transferCommit',
  id: 0x24,
  doc: 'Waits for the flash, checks the SHA-256 of what the target now holds and makes it valid. BUSY = not ready, ask again. Repeating a commit gives the same answer.',
  fields: { transferId: u16('From transferOpen.') },
  answer: { sha256: fixedBytes('SHA-256 computed on the board.', 32) },
})

/** Gives a transfer up. */
export const transferAbort = request({
  name: 'transferAbort',
  id: 0x25,
  doc: 'Frees the buffers; what is in flash stays and is found by the next transferHashes.',
  fields: { transferId: u16('From transferOpen.') },
  answer: {},
})

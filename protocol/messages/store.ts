import { MODEL } from '../limits.js'
import { fixedBytes, fixedText, row, u8, u16, u32 } from '../schema.js'

/**
 * Model store directory: one 4096-byte flash sector = storeHeader, MODEL.slots times storeEntry, zero bytes, CRC-32 of
 * everything before at STORE.crcOffset. Two sectors are written in turn; the valid one with the higher sequence wins.
 */
export const storeHeader = row({
  name: 'storeHeader',
  doc: 'First 12 bytes of a directory sector.',
  fields: {
    magic: u32("'K2DS' = 0x5344324B."),
    version: u16('1.'),
    slotCount: u16('Entries that follow: 4.'),
    sequence: u32('Rises with every write.'),
  },
})

/** One slot of the directory: 960 bytes. */
export const storeEntry = row({
  name: 'storeEntry',
  doc: 'One slot of the directory, 960 bytes.',
  fields: {
    used: u8('1 = a model is stored.'),
    flags: u8('0.'),
    cardLength: u16('Bytes of the binary card.'),
    name: fixedText('Model name.', MODEL.nameBytes),
    address: u32('Flash address of the kmodel, multiple of 64 KiB.'),
    size: u32('Bytes of the kmodel.'),
    sha256: fixedBytes('SHA-256 of the kmodel.', 32),
    card: fixedBytes('Binary card, zero padded.', MODEL.cardBytes),
    reserved: u32('0.'),
  },
})

import type { card, cardAnchor, cardHead, cardOutput } from './messages/card.js'
import type { modelSlot } from './messages/model.js'
import type { storeEntry, storeHeader } from './messages/store.js'
import type { box, picture, result } from './messages/stream.js'
import type { hello, log, stats } from './messages/system.js'
import type { transferStatus } from './messages/transfer.js'
import type { Payload } from './schema.js'

/** Payload types that other modules name; any other is `Payload<typeof row>`. */
export type HelloAnswer = Payload<typeof hello.answer>
export type StatsAnswer = Payload<typeof stats.answer>
export type LogLine = Payload<typeof log>
export type ModelSlot = Payload<typeof modelSlot>
export type TransferStatus = Payload<typeof transferStatus>
export type Box = Payload<typeof box>
export type Result = Payload<typeof result>
export type Picture = Payload<typeof picture>
export type BinaryCard = Payload<typeof card>
export type BinaryCardOutput = Payload<typeof cardOutput>
export type BinaryCardHead = Payload<typeof cardHead>
export type BinaryCardAnchor = Payload<typeof cardAnchor>
export type StoreHeader = Payload<typeof storeHeader>
export type StoreEntry = Payload<typeof storeEntry>

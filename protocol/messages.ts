import { card } from './messages/card.js'
import * as model from './messages/model.js'
import { storeEntry, storeHeader } from './messages/store.js'
import * as stream from './messages/stream.js'
import * as system from './messages/system.js'
import * as transfer from './messages/transfer.js'
import type { Message, RequestMessage, Row } from './schema.js'

/** Every message of the link, by rising id. A new message is a row in messages/ and a line here. */
export const MESSAGES: readonly (Message | RequestMessage)[] = [
  system.hello,
  system.ping,
  system.echo,
  system.setBaud,
  system.reboot,
  system.stats,
  system.log,
  model.modelList,
  model.modelLoad,
  model.modelRemove,
  transfer.transferOpen,
  transfer.transferHashes,
  transfer.transferBlock,
  transfer.transferStatus,
  transfer.transferCommit,
  transfer.transferAbort,
  stream.streamConfig,
  stream.result,
  stream.picture,
  stream.infer,
  stream.readOutput,
]

/** Rows that are stored, not sent. */
export const STORED_ROWS: readonly Row[] = [card, storeHeader, storeEntry]

/** True for a message that has an answer. */
export const isRequest = (message: Message): message is RequestMessage => message.kind === 'request'

/** Every row that encodes: messages, answers, stored rows. */
export const ALL_ROWS: readonly Row[] = [
  ...MESSAGES.flatMap((message) => (isRequest(message) ? [message, message.answer] : [message])),
  ...STORED_ROWS,
]

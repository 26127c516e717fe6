import { createHash } from 'node:crypto'
import {
  crc32,
  MODEL,
  TRANSFER,
  TRANSFER_TARGET,
  transferAbort,
  transferCommit,
  transferHashes,
  transferOpen,
} from '../../protocol/index.js'
import { BridgeError, isBridgeError } from '../foundation/errors.js'
import { toHex } from '../foundation/hex.js'
import type { ProgressListener } from '../foundation/progress.js'
import { refusedStatus } from './link-errors.js'
import { PieceWindow } from './piece-window.js'
import { type PieceCounts, sendPieces } from './send-pieces.js'
import type { LinkSession } from './session.js'

/** What goes where. */
export interface TransferRequest {
  readonly target: keyof typeof TRANSFER_TARGET
  readonly bytes: Uint8Array
  /** Slot of a model or input; default 0. */
  readonly slot?: number
  /** Raw flash only: first byte, multiple of 4096. */
  readonly address?: number
  /** Model name, at most 32 bytes of UTF-8. */
  readonly name?: string
  /** Binary card (protocol/messages/card.ts). */
  readonly card?: Uint8Array
}

/** How it is done. */
export interface TransferOptions {
  readonly signal?: AbortSignal
  readonly onProgress?: ProgressListener
  /** Ask by hashes what the board holds already and leave it out; default true. */
  readonly skipUnchanged?: boolean
  /** How long commit may take: flash writes that are still open and the SHA-256; default 60 000. */
  readonly commitMs?: number
}

/** What was done. */
export interface TransferResult {
  readonly bytes: number
  /** Bytes of pieces sent, repetitions included. */
  readonly sentBytes: number
  readonly resentBytes: number
  /** Bytes that the board held already. */
  readonly skippedBytes: number
  /** On the port's clock. */
  readonly seconds: number
  /** SHA-256 that the board computed. */
  readonly sha256: string
  /** Flash address of the first byte; 0 for an input. */
  readonly address: number
}

/** Openings of one transfer: the first, and after a lost session or a wrong hash. */
const MAX_ROUNDS = 4
/** The board reads up to 240 sectors of flash for one answer. */
const HASH_WORK_MS = 500
const OPEN_BUSY_MS = 5000

interface Run {
  readonly link: LinkSession
  readonly request: TransferRequest
  readonly options: TransferOptions
  readonly sha256: Uint8Array
  readonly counts: PieceCounts
}

/**
 * Sends bytes to a model slot, to the input of a model or to raw flash: open, hashes, pieces, commit. Survives damaged
 * and lost frames, a silent line and a restart of the board; what has arrived is not sent again.
 * @throws BridgeError `LINK_TRANSFER` when the board's SHA-256 differs in the end, `LINK_REFUSED` when it cannot take
 *   the bytes, `LINK_LOST`, `LINK_TIMEOUT`, `CANCELLED`
 */
export async function sendTransfer(
  link: LinkSession,
  request: TransferRequest,
  options: TransferOptions = {},
): Promise<TransferResult> {
  const sha256 = new Uint8Array(createHash('sha256').update(request.bytes).digest())
  const run: Run = { link, request, options, sha256, counts: { sentBytes: 0, resentBytes: 0 } }
  const startMs = link.port.clock.now()
  let useHashes = (options.skipUnchanged ?? true) && request.target !== 'input'
  for (let round = 1; ; round++) {
    try {
      const { address, skippedBytes } = await runOnce(run, useHashes)
      const seconds = (link.port.clock.now() - startMs) / 1000
      return { bytes: request.bytes.length, ...run.counts, skippedBytes, seconds, sha256: toHex(sha256), address }
    } catch (error) {
      if (round === MAX_ROUNDS) throw finalError(run, error)
      if (refusedStatus(error) === 'HASH') useHashes = false
      else if (!mayGoOn(error)) throw error
      await link.whenOpen()
    }
  }
}

/** A restarted board knows neither the transfer nor its pieces; its flash is found again by the hashes. */
function mayGoOn(error: unknown): boolean {
  const status = refusedStatus(error)
  return status === 'NOT_FOUND' || isBridgeError(error, 'LINK_TIMEOUT') || isBridgeError(error, 'LINK_LOST')
}

function finalError(run: Run, error: unknown): unknown {
  if (refusedStatus(error) !== 'HASH') return error
  return new BridgeError('LINK_TRANSFER', {
    what: `the board holds other bytes than were sent, after ${MAX_ROUNDS} rounds`,
    where: { port: run.link.port.url, target: run.request.target, slot: run.request.slot ?? 0 },
    fix: 'Check the flash chip: erase it and try again.',
    cause: error,
  })
}

async function runOnce(
  run: Run,
  useHashes: boolean,
): Promise<{ readonly address: number; readonly skippedBytes: number }> {
  const { link, request, options } = run
  const { signal } = options
  const opened = await open(run)
  const window = new PieceWindow(request.bytes.length, opened.pieceBytes)
  try {
    if (useHashes) await compareHashes(run, opened.transferId, window)
    const skippedBytes = window.doneBytes
    const onStatus = () => report(run, window.doneBytes)
    report(run, window.doneBytes)
    const { transferId, windowBytes } = opened
    await sendPieces(link, { transferId, bytes: request.bytes, window, windowBytes, signal, onStatus }, run.counts)
    await link.request(transferCommit, { transferId }, { busyMs: options.commitMs ?? 60_000, signal })
    report(run, request.bytes.length)
    return { address: opened.address, skippedBytes }
  } catch (error) {
    // Best effort: a board that does not hear it ends the transfer with the next open.
    if (isBridgeError(error, 'CANCELLED')) {
      await link.request(transferAbort, { transferId: opened.transferId }, { retries: 1 }).catch(() => undefined)
    }
    throw error
  }
}

async function open(run: Run) {
  const { link, request, options, sha256 } = run
  const opened = await link.request(
    transferOpen,
    {
      target: TRANSFER_TARGET[request.target],
      slot: request.slot ?? 0,
      address: request.address ?? 0,
      size: request.bytes.length,
      blockBytes: TRANSFER.blockBytes,
      sha256,
      name: shortName(request.name ?? ''),
      card: request.card ?? new Uint8Array(0),
    },
    { busyMs: OPEN_BUSY_MS, signal: options.signal },
  )
  if (opened.pieceBytes > 0 && TRANSFER.blockBytes % opened.pieceBytes === 0) return opened
  throw new BridgeError('LINK_MESSAGE', {
    what: `the board wants pieces of ${opened.pieceBytes} bytes, which do not divide a block`,
    where: { port: link.port.url, message: 'transferOpen' },
    fix: 'Update the firmware.',
  })
}

/** Cut to what the row takes, never inside a character. */
function shortName(name: string): string {
  let short = name
  while (new TextEncoder().encode(short).length > MODEL.nameBytes) short = [...short].slice(0, -1).join('')
  return short
}

async function compareHashes(run: Run, transferId: number, window: PieceWindow): Promise<void> {
  const { link, request, options } = run
  const blocks = Math.ceil(request.bytes.length / TRANSFER.blockBytes)
  const atOnce = Math.min(TRANSFER.maxHashes, Math.floor((link.payloadBytes - 8) / 4))
  for (let first = 0; first < blocks; first += atOnce) {
    const count = Math.min(atOnce, blocks - first)
    const hashes = Array.from({ length: count }, (_, i) => {
      const from = (first + i) * TRANSFER.blockBytes
      return crc32(request.bytes.subarray(from, from + TRANSFER.blockBytes))
    })
    const wait = { timeoutMs: HASH_WORK_MS, busyMs: OPEN_BUSY_MS, signal: options.signal }
    const answer = await link.request(transferHashes, { transferId, first, crc32: hashes }, wait)
    window.markBlocks(first, count, answer.bitmap, TRANSFER.blockBytes)
  }
}

function report(run: Run, done: number): void {
  run.options.onProgress?.({ stage: 'transfer', done, total: run.request.bytes.length, unit: 'bytes' })
}

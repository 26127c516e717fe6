/** A piece that was sent and is not acknowledged. */
interface InFlight {
  /** Order of its first sending: only that proves that something sent later has arrived. */
  readonly firstSent: number
  lastSent: number
}

/**
 * Which pieces of a transfer are to be sent, under way, done. Knows no clock and no port: sendPieces drives it.
 * The line keeps the order of bytes, so a piece that is missing while a later one is there was lost.
 */
export class PieceWindow {
  readonly pieceBytes: number
  readonly #sizeBytes: number
  readonly #done: Uint8Array
  readonly #inFlight = new Map<number, InFlight>()
  readonly #firstSent = new Map<number, number>()
  #lost: number[] = []
  #nextFresh = 0
  #doneBelow = 0
  #doneCount = 0
  #doneBytes = 0
  #sendings = 0

  constructor(sizeBytes: number, pieceBytes: number) {
    this.#sizeBytes = sizeBytes
    this.pieceBytes = pieceBytes
    this.#done = new Uint8Array(Math.ceil(sizeBytes / pieceBytes))
  }

  get isDone(): boolean {
    return this.#doneCount === this.#done.length
  }

  /** Bytes of the pieces that the board has. */
  get doneBytes(): number {
    return this.#doneBytes
  }

  /** Bytes of the pieces that are under way. */
  get inFlightBytes(): number {
    return [...this.#inFlight.keys()].reduce((sum, piece) => sum + this.bytesOf(piece), 0)
  }

  /** First byte of a piece. */
  offsetOf(piece: number): number {
    return piece * this.pieceBytes
  }

  /** Bytes of a piece: the last one may be short. */
  bytesOf(piece: number): number {
    return Math.min(this.pieceBytes, this.#sizeBytes - piece * this.pieceBytes)
  }

  /** Blocks that the board holds already. @param bitmap - bit i (LSB first) = block first + i */
  markBlocks(first: number, count: number, bitmap: Uint8Array, blockBytes: number): void {
    const perBlock = blockBytes / this.pieceBytes
    for (let i = 0; i < count; i++) {
      if (!hasBit(bitmap, i)) continue
      for (let k = 0; k < perBlock; k++) this.#markDone((first + i) * perBlock + k)
    }
  }

  /** The piece to send next: lost ones first, then fresh ones; undefined when all are done or under way. */
  next(): number | undefined {
    while (this.#lost.length > 0 && this.#done[this.#lost[0]!] === 1) this.#lost.shift()
    if (this.#lost.length > 0) return this.#lost[0]
    while (this.#done[this.#nextFresh] === 1) this.#nextFresh++
    return this.#nextFresh < this.#done.length ? this.#nextFresh : undefined
  }

  /** The piece given by {@link next} is on its way; true when it was sent before. */
  sent(piece: number): boolean {
    const order = ++this.#sendings
    const firstSent = this.#firstSent.get(piece) ?? order
    this.#firstSent.set(piece, firstSent)
    this.#inFlight.set(piece, { firstSent, lastSent: order })
    if (this.#lost[0] === piece) this.#lost.shift()
    else this.#nextFresh = piece + 1
    return firstSent !== order
  }

  /** Takes one transferStatus. Returns the pieces that are no longer under way: acknowledged or found lost. */
  acknowledge(status: {
    readonly firstMissing: number
    readonly bitmapFirst: number
    readonly bitmap: Uint8Array
  }): readonly number[] {
    const below = Math.ceil(status.firstMissing / this.pieceBytes)
    const arrived = [...this.#inFlight].filter(
      ([piece]) => piece < below || (piece >= status.bitmapFirst && hasBit(status.bitmap, piece - status.bitmapFirst)),
    )
    for (let piece = this.#doneBelow; piece < below; piece++) this.#markDone(piece)
    for (let i = 0; i < status.bitmap.length * 8; i++) {
      if (hasBit(status.bitmap, i)) this.#markDone(status.bitmapFirst + i)
    }
    const newest = arrived.reduce((order, [, state]) => Math.max(order, state.firstSent), 0)
    for (const [piece] of arrived) this.#inFlight.delete(piece)
    const overtaken = [...this.#inFlight].filter(([, state]) => state.lastSent < newest).map(([piece]) => piece)
    for (const piece of overtaken) this.#lose(piece)
    return [...arrived.map(([piece]) => piece), ...overtaken]
  }

  /** Nothing was heard for a time-out: the oldest piece is to be sent again. Returns it, if any is under way. */
  expire(): number | undefined {
    const [oldest] = this.#inFlight.keys()
    if (oldest !== undefined) this.#lose(oldest)
    return oldest
  }

  #lose(piece: number): void {
    this.#inFlight.delete(piece)
    this.#lost.push(piece)
    this.#lost.sort((a, b) => a - b)
  }

  #markDone(piece: number): void {
    if (piece >= this.#done.length || this.#done[piece] === 1) return
    this.#done[piece] = 1
    this.#doneCount++
    this.#doneBytes += this.bytesOf(piece)
    while (this.#done[this.#doneBelow] === 1) this.#doneBelow++
  }
}

function hasBit(bitmap: Uint8Array, index: number): boolean {
  return ((bitmap[index >> 3] ?? 0) & (1 << (index & 7))) !== 0
}

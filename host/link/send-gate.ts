/**
 * Keeps the bytes that the board has not confirmed yet (unanswered requests, unacknowledged blocks) below what it can
 * take: the budget of its last frame and its receive ring. With nothing under way one frame may always go.
 */
export class SendGate {
  /** Receive ring of the board, from HELLO. */
  ringBytes = Number.POSITIVE_INFINITY
  #budgetBytes = Number.POSITIVE_INFINITY
  #inFlightBytes = 0
  #waiting: { readonly bytes: number; readonly go: () => void }[] = []
  readonly #listeners = new Set<() => void>()

  /** Unconfirmed bytes. */
  get inFlightBytes(): number {
    return this.#inFlightBytes
  }

  /** What the board said last that it can take. */
  get budgetBytes(): number {
    return this.#budgetBytes
  }

  set budgetBytes(bytes: number) {
    this.#budgetBytes = bytes
    this.#changed()
  }

  /** True when a frame of one-way bytes may go now; requests that wait go first. */
  fits(bytes: number): boolean {
    return this.#waiting.length === 0 && this.#hasRoom(bytes)
  }

  /** Counts bytes as under way until the returned function is called (once; further calls do nothing). */
  take(bytes: number): () => void {
    this.#inFlightBytes += bytes
    let taken = true
    return () => {
      if (!taken) return
      taken = false
      this.#inFlightBytes -= bytes
      this.#changed()
    }
  }

  /** Waits for room in order of arrival, then takes it. */
  enter(bytes: number): Promise<() => void> {
    if (this.fits(bytes)) return Promise.resolve(this.take(bytes))
    return new Promise((resolve) => this.#waiting.push({ bytes, go: () => resolve(this.take(bytes)) }))
  }

  /** Calls `listener` whenever there may be more room. */
  onChange(listener: () => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** Forgets the board's word, for a new session. */
  reset(): void {
    this.#budgetBytes = Number.POSITIVE_INFINITY
    this.ringBytes = Number.POSITIVE_INFINITY
    this.#changed()
  }

  #hasRoom(bytes: number): boolean {
    if (this.#inFlightBytes === 0) return true
    return this.#inFlightBytes + bytes <= Math.min(this.ringBytes, this.#budgetBytes)
  }

  #changed(): void {
    while (this.#waiting.length > 0 && this.#hasRoom(this.#waiting[0]!.bytes)) this.#waiting.shift()!.go()
    for (const listener of [...this.#listeners]) listener()
  }
}

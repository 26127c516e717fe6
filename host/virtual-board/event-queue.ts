/** One thing that will happen. */
export interface QueuedEvent {
  readonly atUs: number
  /** Order among events of the same time: first scheduled, first run. */
  readonly order: number
  /** An event that alone gives no reason to advance time (the poll of an idle processor). */
  readonly idle: boolean
  readonly run: () => void
  cancelled: boolean
}

const before = (a: QueuedEvent, b: QueuedEvent): boolean => a.atUs < b.atUs || (a.atUs === b.atUs && a.order < b.order)

/** Binary heap of events by time, then by order of scheduling. */
export class EventQueue {
  private readonly heap: QueuedEvent[] = []
  /** Live events that are not idle. */
  busyCount = 0
  private order = 0

  /** Adds an event. */
  add(atUs: number, run: () => void, idle: boolean): QueuedEvent {
    const event: QueuedEvent = { atUs, order: this.order++, idle, run, cancelled: false }
    if (!idle) this.busyCount++
    this.heap.push(event)
    this.siftUp(this.heap.length - 1)
    return event
  }

  /** Takes an event back; does nothing when it has run or was cancelled. */
  cancel(event: QueuedEvent): void {
    if (event.cancelled) return
    event.cancelled = true
    if (!event.idle) this.busyCount--
  }

  /** The next event, without taking it. */
  peek(): QueuedEvent | undefined {
    while (this.heap[0]?.cancelled) this.removeTop()
    return this.heap[0]
  }

  /** Takes the next event; it can no longer be cancelled. */
  take(): QueuedEvent | undefined {
    const event = this.peek()
    if (!event) return undefined
    this.removeTop()
    this.cancel(event)
    return event
  }

  /** Drops everything. */
  clear(): void {
    for (const event of this.heap) event.cancelled = true
    this.heap.length = 0
    this.busyCount = 0
  }

  private siftUp(start: number): void {
    let i = start
    while (i > 0) {
      const parent = (i - 1) >> 1
      if (!before(this.heap[i]!, this.heap[parent]!)) return
      this.swap(i, parent)
      i = parent
    }
  }

  private removeTop(): void {
    const last = this.heap.pop()!
    if (this.heap.length === 0) return
    this.heap[0] = last
    let i = 0
    for (;;) {
      let least = i
      for (const child of [2 * i + 1, 2 * i + 2]) {
        if (child < this.heap.length && before(this.heap[child]!, this.heap[least]!)) least = child
      }
      if (least === i) return
      this.swap(i, least)
      i = least
    }
  }

  private swap(i: number, j: number): void {
    const held = this.heap[i]!
    this.heap[i] = this.heap[j]!
    this.heap[j] = held
  }
}

import type { Clock } from '../foundation/clock.js'
import { EventQueue, type QueuedEvent } from './event-queue.js'

/** `fast`: never waits for the wall clock; `real`: follows it, and lags when the machine is too slow. */
export type Pace = 'fast' | 'real'

/** The longest stretch that real pace makes up by running faster; what is behind beyond it becomes lag. */
const CATCH_UP_US = 100_000
/** Longest stretch of work without a turn of the event loop, wall milliseconds. */
const TURN_MS = 8

/**
 * Discrete-event time in microseconds, starting at 0.
 *
 * Fast pace advances while there is an event that is not idle: bytes under way, a host timer, a flash or KPU
 * operation. When only idle polls are left, time stands still until somebody acts. After each event that host code
 * sees ({@link touchHost}) the event loop gets a turn, so promises of host code run at that point of virtual time;
 * a host that waits for nothing but this clock and the board's port therefore gives the same run every time.
 *
 * Real pace ties time to the wall clock. After a stretch in which the machine was too slow it catches up by at most
 * 100 ms; the rest is given up and counted in {@link lagUs}.
 */
export class VirtualTime {
  /** Clock for host code, in virtual milliseconds. */
  readonly clock: Clock
  /** Wall time that real pace has given up so far. */
  lagUs = 0

  private readonly queue = new EventQueue()
  private readonly startedMs = performance.now()
  private currentUs = 0
  private anchorUs = 0
  private stopped = false
  private inEvent = false
  private hostTouched = false
  private pending: NodeJS.Immediate | undefined
  private sleeping: { timer: NodeJS.Timeout; untilUs: number } | undefined

  constructor(readonly pace: Pace = 'fast') {
    this.clock = {
      now: () => this.nowUs / 1000,
      timer: (ms, fn) => {
        const run = () => {
          this.touchHost()
          fn()
        }
        const event = this.schedule(this.nowUs + Math.max(0, ms) * 1000, run)
        return { cancel: () => this.cancel(event) }
      },
    }
  }

  /** Present virtual time. Between events of real pace it moves with the wall clock, up to the next event. */
  get nowUs(): number {
    if (this.pace === 'real' && !this.inEvent && !this.stopped) {
      const limit = this.queue.peek()?.atUs ?? Number.POSITIVE_INFINITY
      this.currentUs = Math.max(this.currentUs, Math.min(limit, this.wallTargetUs()))
    }
    return this.currentUs
  }

  /** Wall milliseconds since the start. */
  get wallMs(): number {
    return performance.now() - this.startedMs
  }

  /**
   * Runs `run` at a time.
   * @param atUs - absolute; a time that has passed means as soon as possible
   * @param idle - true when this event alone is no reason to advance fast time
   */
  schedule(atUs: number, run: () => void, idle = false): QueuedEvent {
    const event = this.queue.add(Math.max(atUs, this.currentUs), run, idle)
    if (!this.inEvent) this.wake()
    return event
  }

  /** Runs `run` after a delay. */
  after(delayUs: number, run: () => void, idle = false): QueuedEvent {
    return this.schedule(this.nowUs + delayUs, run, idle)
  }

  /** Takes an event back. */
  cancel(event: QueuedEvent | undefined): void {
    if (event) this.queue.cancel(event)
  }

  /** To be called by an event that host code sees: the event loop gets a turn before the next event. */
  touchHost(): void {
    this.hostTouched = true
  }

  /** Ends time: nothing runs any more. */
  stop(): void {
    this.stopped = true
    this.queue.clear()
    if (this.pending) clearImmediate(this.pending)
    if (this.sleeping) clearTimeout(this.sleeping.timer)
  }

  private wallTargetUs(): number {
    return this.wallMs * 1000 - this.anchorUs
  }

  private wake(): void {
    if (this.stopped || this.pending) return
    const next = this.queue.peek()
    if (!next || (this.pace === 'fast' && this.queue.busyCount === 0)) return
    const waitUs = this.pace === 'fast' ? 0 : next.atUs - this.wallTargetUs()
    if (waitUs <= 0) {
      this.pending = setImmediate(() => this.turn())
      return
    }
    if (this.sleeping && this.sleeping.untilUs <= next.atUs) return
    if (this.sleeping) clearTimeout(this.sleeping.timer)
    const timer = setTimeout(() => this.turn(), Math.ceil(waitUs / 1000))
    this.sleeping = { timer, untilUs: next.atUs }
  }

  private turn(): void {
    this.pending = undefined
    if (this.sleeping) clearTimeout(this.sleeping.timer)
    this.sleeping = undefined
    const untilMs = performance.now() + TURN_MS
    this.hostTouched = false
    for (let count = 1; !this.hostTouched && this.runNext(); count++) {
      if (count % 16 === 0 && performance.now() > untilMs) break
    }
    this.wake()
  }

  /** True when the event's time has come; gives up what is too far behind to be made up. */
  private isDue(atUs: number): boolean {
    const behindUs = this.wallTargetUs() - atUs
    const excessUs = behindUs - CATCH_UP_US
    if (excessUs > 0) {
      this.anchorUs += excessUs
      this.lagUs += excessUs
    }
    return behindUs >= 0
  }

  private runNext(): boolean {
    const next = this.queue.peek()
    if (this.stopped || !next) return false
    if (this.pace === 'fast' ? this.queue.busyCount === 0 : !this.isDue(next.atUs)) return false
    this.queue.take()
    this.currentUs = Math.max(this.currentUs, next.atUs)
    this.inEvent = true
    try {
      next.run()
    } finally {
      this.inEvent = false
    }
    return true
  }
}

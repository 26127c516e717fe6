import type { Clock, Timer } from '../../host/foundation/clock.js'

interface Entry {
  readonly at: number
  readonly order: number
  readonly fn: () => void
}

/** A clock that jumps from timer to timer. */
export interface VirtualClock extends Clock {
  /** Runs timers until the promise settles; fails when nothing is left to run or `limitMs` of virtual time are over. */
  run<T>(promise: Promise<T>, limitMs?: number): Promise<T>
  /** Runs everything that is due within `ms`. */
  advance(ms: number): Promise<void>
}

/** Lets every promise callback and stream event that is ready run first. */
const settle = () => new Promise<void>((resolve) => setImmediate(resolve))

export function createVirtualClock(): VirtualClock {
  let now = 0
  let order = 0
  const entries: Entry[] = []

  const timer = (ms: number, fn: () => void): Timer => {
    const entry = { at: now + Math.max(0, ms), order: order++, fn }
    let index = entries.length
    while (index > 0 && entries[index - 1]!.at > entry.at) index--
    entries.splice(index, 0, entry)
    return {
      cancel: () => {
        const at = entries.indexOf(entry)
        if (at >= 0) entries.splice(at, 1)
      },
    }
  }

  const step = () => {
    const entry = entries.shift()!
    now = entry.at
    entry.fn()
  }

  const run = async <T>(promise: Promise<T>, limitMs = 600_000): Promise<T> => {
    const end = now + limitMs
    let settled = false
    const done = () => {
      settled = true
    }
    promise.then(done, done)
    await settle()
    while (!settled) {
      if (entries.length === 0) throw new Error('nothing left to run and the promise is still pending')
      if (entries[0]!.at > end) throw new Error(`the promise is still pending after ${limitMs} ms of virtual time`)
      step()
      await settle()
    }
    return promise
  }

  const advance = async (ms: number) => {
    const end = now + ms
    await settle()
    while (entries.length > 0 && entries[0]!.at <= end) {
      step()
      await settle()
    }
    now = end
  }

  return { now: () => now, timer, run, advance }
}

/** Handle of a running timer. */
export interface Timer {
  cancel(): void
}

/**
 * Time as a service, so that link and flasher run against the wall clock or against a virtual board's time.
 * Milliseconds, fractional, since an arbitrary start.
 */
export interface Clock {
  now(): number
  /** Calls `fn` once after `ms`. */
  timer(ms: number, fn: () => void): Timer
}

/** The machine's clock. */
export const wallClock: Clock = {
  now: () => performance.now(),
  timer(ms, fn) {
    const handle = setTimeout(fn, ms)
    return { cancel: () => clearTimeout(handle) }
  },
}

/** Resolves after `ms` on `clock`; rejects with the signal's reason when aborted. */
export function sleep(clock: Clock, ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason)
    const stop = () => {
      timer.cancel()
      reject(signal?.reason)
    }
    const timer = clock.timer(ms, () => {
      signal?.removeEventListener('abort', stop)
      resolve()
    })
    signal?.addEventListener('abort', stop, { once: true })
  })
}

/** Receives what was done since the last call. */
export type Advance = (count: number) => void

/** Turns steps into a running total. */
export function accumulate(report: (done: number) => void): Advance {
  let done = 0
  return (count) => {
    done += count
    report(done)
  }
}

import type { ActivationSegment } from '../../kpu/activation-table.js'
import { type RisingChannel, type TableThresholds, THRESHOLDS } from './thresholds.js'

/** How the kernel guesses codes; numbers of kernels/layer.h. */
export const GUESS = { oneLine: 0, max: 1, min: 2, window: 3 } as const
/** Windows of one channel's table (kernels/layer.h). */
export const WINDOWS = 1024
/** A guess that must be checked more often than this share of values is not worth it. */
const MOST_DOUBT = 0.15
/** Added to the proven doubt: covers the comparison's own rounding. */
const DOUBT_MARGIN = 2e-5

/** Bounds of a channel's sums: what its weights can reach with bytes as input. */
export interface SumRange {
  readonly low: number
  readonly high: number
}

/** What {@link chooseGuess} needs of a layer. */
export interface GuessTask {
  readonly segments: readonly ActivationSegment[]
  readonly table: TableThresholds
  readonly channels: readonly RisingChannel[]
  /** channels x 257 */
  readonly thresholds: Int32Array
  readonly ranges: readonly SumRange[]
}

/** Lines of every channel (slope1, offset1, slope2, offset2) and how near to an integer a guess is certain. */
export interface Guess {
  readonly kind: (typeof GUESS)[keyof typeof GUESS]
  readonly lines: Float32Array
  readonly certain: number
}

/**
 * Picks the cheapest guess that is right everywhere but near rounding edges: one table segment as a line, the greater
 * or smaller of two, else the window table. Proof by trial: code and guess both rise with the sum, so it is enough to
 * look at both sides of every threshold.
 */
export function chooseGuess(task: GuessTask): Guess {
  const [best, ...others] = liveSegments(task)
  if (best !== undefined) {
    const candidates: [Guess['kind'], number, number][] = [[GUESS.oneLine, best, best]]
    for (const other of others) candidates.push([GUESS.max, best, other], [GUESS.min, best, other])
    for (const [kind, first, second] of candidates) {
      const lines = channelLines(task, first, second)
      const doubt = provenDoubt(task, kind, lines)
      if (doubt <= MOST_DOUBT) return { kind, lines, certain: 0.5 - doubt - DOUBT_MARGIN }
    }
  }
  return { kind: GUESS.window, lines: new Float32Array(task.channels.length * 4), certain: 0 }
}

/** Segments worth trying: the one with most thresholds first, then the runner-up and the neighbours. */
function liveSegments(task: GuessTask): number[] {
  const counts = new Map<number, number>()
  for (const segment of task.table.segment) if (segment >= 0) counts.set(segment, (counts.get(segment) ?? 0) + 1)
  const order = [...counts.entries()].sort((a, b) => b[1] - a[1]).map(([segment]) => segment)
  const best = order[0]
  if (best === undefined) return []
  const wanted = [best, order[1] ?? best - 1, best - 1, best + 1]
  return [...new Set(wanted)].filter((index) => index >= 0 && index < task.segments.length)
}

function channelLines(task: GuessTask, first: number, second: number): Float32Array {
  const lines = new Float32Array(task.channels.length * 4)
  task.channels.forEach((channel, index) => {
    lines.set([...lineOf(channel, task.segments[first]!), ...lineOf(channel, task.segments[second]!)], index * 4)
  })
  return lines
}

/** Code as a line over the sum: slope and offset. The half takes the floor of the batch norm's shift into account. */
function lineOf(channel: RisingChannel, segment: ActivationSegment): [number, number] {
  const norm = channel.entry.normMul / 2 ** channel.entry.normShift
  const rise = segment.yMul / 2 ** segment.shiftNumber
  const half = channel.entry.normShift > 0 ? 0.5 : 0
  const atZero = channel.constant * norm + channel.entry.normAdd - half - segment.xStart
  return [norm * rise, atZero * rise + segment.resultBias]
}

/** The kernel's guess for a sum, in its own float32 steps, clamped to 0..255. */
function guessAt(kind: Guess['kind'], lines: Float32Array, at: number, sum: number): number {
  const x = Math.fround(sum)
  let g = Math.fround(Math.fround(x * lines[at]!) + lines[at + 1]!)
  if (kind !== GUESS.oneLine) {
    const h = Math.fround(Math.fround(x * lines[at + 2]!) + lines[at + 3]!)
    g = kind === GUESS.max ? Math.max(g, h) : Math.min(g, h)
  }
  return Math.max(0, Math.min(255, g))
}

/** Largest distance by which a guess lies on the wrong side of a rounding edge; Infinity when hopeless. */
function provenDoubt(task: GuessTask, kind: Guess['kind'], lines: Float32Array): number {
  let doubt = 0
  for (let channel = 0; channel < task.channels.length; channel++) {
    const from = channel * THRESHOLDS
    const { low, high } = task.ranges[channel]!
    const wrongBy = (sum: number, code: number) => Math.abs(guessAt(kind, lines, channel * 4, sum) - code) - 0.5
    let code = 0
    while (task.thresholds[from + code + 1]! <= low && code < 255) code++
    doubt = Math.max(doubt, wrongBy(low, code))
    for (let next = code + 1; next < 256; next++) {
      const threshold = task.thresholds[from + next]!
      if (threshold > high) break
      doubt = Math.max(doubt, wrongBy(threshold - 1, code))
      while (next < 255 && task.thresholds[from + next + 1] === threshold) next++
      code = next
      doubt = Math.max(doubt, wrongBy(threshold, code))
      if (doubt > MOST_DOUBT) return Infinity
    }
    doubt = Math.max(doubt, wrongBy(high, code))
  }
  return doubt
}

/** Where a channel's window table begins, log2 of a window's width, and whether one step up always settles the code. */
export interface Windows {
  readonly low: number
  readonly shift: number
  readonly single: boolean
}

/** Fills one channel's window table: the code at the beginning of each window. */
export function fillWindows(thresholds: Int32Array, out: Uint8Array, range: SumRange): Windows {
  let first = 1
  while (first < 256 && thresholds[first]! <= range.low) first++
  let last = 255
  while (last > 0 && thresholds[last]! > range.high) last--
  if (first > last) {
    out.fill(first - 1)
    return { low: range.low, shift: 0, single: true }
  }
  const low = thresholds[first]! - 1
  let shift = 0
  while ((thresholds[last]! - low) / 2 ** shift >= WINDOWS) shift++
  let code = first - 1
  let single = true
  const width = 2 ** shift
  for (let window = 0; window < WINDOWS; window++) {
    const before = code
    const start = Math.min(low + window * width, range.high)
    while (code < 255 && thresholds[code + 1]! <= start) code++
    single &&= code <= before + 1
    out[window] = code
  }
  return { low, shift, single: single && last <= code + 1 }
}

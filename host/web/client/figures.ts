/** Counts of the last seconds as a rate. */
export class RateMeter {
  private times: number[] = []

  constructor(private readonly windowMs = 3000) {}

  tick(now = performance.now()): void {
    this.times.push(now)
  }

  /** Events a second, or undefined before there are two. */
  rate(now = performance.now()): number | undefined {
    this.times = this.times.filter((time) => now - time < this.windowMs)
    const first = this.times[0]
    if (first === undefined || this.times.length < 2) return undefined
    return ((this.times.length - 1) * 1000) / (this.times[this.times.length - 1]! - first)
  }
}

const LENGTH = 120
const values: number[] = []

/** Adds one latency in ms to the chart and returns the median of what it shows. */
export function chartLatency(ms: number): number {
  values.push(ms)
  if (values.length > LENGTH) values.shift()
  const top = Math.max(20, ...values) * 1.1
  const points = values.map((value, i) => `${(i * 480) / (LENGTH - 1)},${80 - (value / top) * 76}`).join(' ')
  const svg = document.querySelector('#chart')!
  svg.innerHTML = `<line x1="0" y1="40" x2="480" y2="40"/><text x="2" y="36">${(top / 2).toFixed(0)} ms</text><polyline points="${points}"/>`
  return [...values].sort((a, b) => a - b)[values.length >> 1]!
}

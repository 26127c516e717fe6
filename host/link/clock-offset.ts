interface Sample {
  readonly roundTripUs: number
  readonly offsetUs: number
}

const KEPT_SAMPLES = 8
/** Clocks may drift apart by this much while a sample is kept. */
const DRIFT_US = 2000

/** A sample is right to half its round trip; two that cannot both be right mean that a clock has jumped. */
const agree = (a: Sample, b: Sample): boolean =>
  Math.abs(a.offsetUs - b.offsetUs) <= (a.roundTripUs + b.roundTripUs) / 2 + DRIFT_US

/** Offset between the board's clock and the port's, from the ping with the shortest round trip of the last eight. */
export class ClockOffset {
  #samples: Sample[] = []

  /** All in microseconds: host clock when the ping left and when its answer came, board clock in between. */
  add(leftUs: number, cameUs: number, deviceUs: number): Sample {
    const sample = { roundTripUs: cameUs - leftUs, offsetUs: deviceUs - (leftUs + cameUs) / 2 }
    const kept = this.#samples.filter((other) => agree(sample, other))
    this.#samples = [...kept, sample].slice(-KEPT_SAMPLES)
    return sample
  }

  /** Board time minus host time; undefined before the first ping. */
  get offsetUs(): number | undefined {
    if (this.#samples.length === 0) return undefined
    return this.#samples.reduce((best, sample) => (sample.roundTripUs < best.roundTripUs ? sample : best)).offsetUs
  }

  /** Board time as milliseconds of the port's clock. */
  toHostMs(deviceUs: number): number | undefined {
    const { offsetUs } = this
    return offsetUs === undefined ? undefined : (deviceUs - offsetUs) / 1000
  }

  /** The board restarted: its clock did too. */
  reset(): void {
    this.#samples = []
  }
}

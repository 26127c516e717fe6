import type { Faults } from './faults.js'
import { type Random, seededRandom } from './random.js'

/** Rates of damage to bytes on their way. */
export type NoiseRates = Pick<Faults, 'bitFlip' | 'drop' | 'duplicate'>

/** Greatest number of garbage bytes that a faster receiver makes of one byte. */
const MAX_GARBAGE_PER_BYTE = 4
/** A UART still reads right when the rates differ by this much (half a bit in ten, both sides, less margin). */
const BAUD_TOLERANCE = 0.03

/** Seeded damage to one direction of a wire: flipped bits, lost and doubled bytes, and garbage at the wrong rate. */
export class LineNoise {
  private readonly random: Random
  private bitsToFlip: number
  private bytesToDrop: number
  private bytesToDouble: number

  constructor(
    private readonly rates: NoiseRates,
    seed: number,
  ) {
    this.random = seededRandom(seed)
    this.bitsToFlip = this.random.gap(rates.bitFlip)
    this.bytesToDrop = this.random.gap(rates.drop)
    this.bytesToDouble = this.random.gap(rates.duplicate)
  }

  /** What arrives of bytes sent at one rate and received at another. */
  pass(bytes: Uint8Array, senderBaud: number, receiverBaud: number): Uint8Array {
    const ratio = receiverBaud / senderBaud
    if (Math.abs(ratio - 1) > BAUD_TOLERANCE) return this.garble(bytes, ratio)
    const { bitFlip, drop, duplicate } = this.rates
    return bitFlip + drop + duplicate > 0 ? this.damage(bytes) : bytes
  }

  /** A receiver at another rate samples other bits: more bytes when it is faster, fewer when it is slower. */
  private garble(bytes: Uint8Array, ratio: number): Uint8Array {
    const wanted = bytes.length * Math.min(ratio, MAX_GARBAGE_PER_BYTE)
    const count = Math.floor(wanted) + (this.random.next() < wanted % 1 ? 1 : 0)
    return Uint8Array.from({ length: count }, () => this.random.below(256))
  }

  private damage(bytes: Uint8Array): Uint8Array {
    const out: number[] = []
    for (const byte of bytes) {
      const flipped = this.flip(byte)
      if (this.bytesToDrop-- === 0) {
        this.bytesToDrop = this.random.gap(this.rates.drop)
        continue
      }
      out.push(flipped)
      if (this.bytesToDouble-- > 0) continue
      this.bytesToDouble = this.random.gap(this.rates.duplicate)
      out.push(flipped)
    }
    return Uint8Array.from(out)
  }

  private flip(byte: number): number {
    let flipped = byte
    while (this.bitsToFlip < 8) {
      flipped ^= 1 << this.bitsToFlip
      this.bitsToFlip += 1 + this.random.gap(this.rates.bitFlip)
    }
    this.bitsToFlip -= 8
    return flipped
  }
}

import type { ModemLines } from '../port/port.js'

/**
 * How DTR and RTS reach RESET and IO16 (isp.md 1.2): A "dan": RTS resets, DTR is IO16; B "kd233": the other way round;
 * C "goD": the bridge's firmware watches for sequences; `none`: not wired (a plain three-wire UART).
 */
export type WiringFamily = 'A' | 'B' | 'C' | 'none'

/** What the lines do to the chip. */
export interface PinState {
  /** The RESET pin is low. */
  readonly resetHeld: boolean
  /** IO16 is low: the ROM stays in ISP when it samples the pin after a reset. */
  readonly io16Low: boolean
  /** The bridge pulsed RESET by itself (family C). */
  readonly pulsed: boolean
}

const RELEASED: PinState = { resetHeld: false, io16Low: false, pulsed: false }

/** The wires between the USB bridge and the chip. */
export class BoardPins {
  private last: ModemLines = { dtr: false, rts: false }
  private io16Low = false

  /**
   * @param family - wiring
   * @param crossCoupled - two-transistor circuit, in which both lines asserted are neutral
   */
  constructor(
    private readonly family: WiringFamily,
    private readonly crossCoupled = false,
  ) {}

  /** Sets the lines. @returns what the chip's pins see now */
  set(lines: ModemLines): PinState {
    const last = this.last
    this.last = lines
    switch (this.family) {
      case 'A':
        return this.direct(lines.rts, lines.dtr)
      case 'B':
        return this.direct(lines.dtr, lines.rts)
      case 'C':
        return this.sequence(last, lines)
      case 'none':
        return RELEASED
    }
  }

  private direct(reset: boolean, io16: boolean): PinState {
    const neutral = this.crossCoupled && reset && io16
    return { resetHeld: reset && !neutral, io16Low: io16 && !neutral, pulsed: false }
  }

  /** (1,1) then (1,0) enters ISP; (1,0) then (1,1) runs the flash. */
  private sequence(last: ModemLines, now: ModemLines): PinState {
    const pulsed = last.dtr && now.dtr && last.rts !== now.rts
    if (pulsed) this.io16Low = !now.rts
    return { resetHeld: false, io16Low: this.io16Low, pulsed }
  }
}

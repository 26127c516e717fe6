import type { Port } from '../port/port.js'
import type { BoardPortOptions } from './board-port.js'
import type { CameraSpec, FrameSource } from './camera.js'
import type { ChipState } from './chip.js'
import type { KpuUnit } from './kpu-unit.js'
import type { WiringFamily } from './pins.js'
import type { Pace } from './virtual-time.js'

/** A virtual board, as plain data (it travels to a worker thread). Every field has a default. */
export interface BoardOptions {
  /** Default `fast`. */
  readonly pace?: Pace
  /** How DTR and RTS are wired; default B. */
  readonly family?: WiringFamily
  /** Two-transistor reset circuit; default false. */
  readonly crossCoupled?: boolean
  /** Fault list, see `describeFaults`; default none. */
  readonly faults?: string
  /** Seed of boot ids and garbage; default 1. */
  readonly seed?: number
  /** Flash times of the data sheet; default typical. */
  readonly flashTimes?: 'typical' | 'worst'
  /** File that keeps the flash; default none (blank at each start). */
  readonly flashFile?: string
  /** Bytes of the flash from address 0 on at start, before the file's. */
  readonly flashImage?: Uint8Array
  /** Default the test pattern. */
  readonly camera?: CameraSpec
  /** Latency timer of the USB bridge in milliseconds; default 1, many bridges have 16. */
  readonly turnRoundMs?: number
  /** Bytes of the receive ring that DMA fills; default 16384. */
  readonly rxRingBytes?: number
  /** Bytes of the chip's transmit ring; default 2048. */
  readonly txRingBytes?: number
}

/** Counters of a virtual board. Times of the chip are virtual. */
export interface BoardStats {
  readonly state: ChipState
  readonly virtualMs: number
  readonly wallMs: number
  /** Wall time that real pace has given up because the machine was too slow. */
  readonly lagMs: number
  readonly boots: number
  /** Why the last program trapped; empty when it did not. */
  readonly crash: string
  /** Why the ROM refused the image at the last boot; empty when it did not. */
  readonly failedBoot: string
  readonly polls: number
  readonly framesCaptured: number
  readonly kpuLayers: number
  /** Time that the chip's KPU would have taken. */
  readonly kpuMs: number
  readonly kpuWallMs: number
  /** Why the KPU refused the last layer that it refused; empty when it refused none. */
  readonly kpuRefusal: string
  readonly bytesToBoard: number
  readonly bytesToHost: number
  readonly rxOverruns: number
  readonly flashOperations: number
  /** Rate of the chip's UART. */
  readonly baud: number
}

/** A K210 board from its UART pins up, in this thread or in a worker. */
export interface VirtualBoard {
  /** Opens the serial port. @throws BridgeError `PORT_BUSY` while one is open, `PORT_OPEN` while unplugged */
  port(options?: BoardPortOptions): Port
  /** Presses the reset button. */
  reset(): Promise<void>
  /** Takes the chip's power away for 50 ms; the port stays. */
  powerCycle(): Promise<void>
  /** Pulls the cable: power and port are gone. */
  unplug(): Promise<void>
  /** Plugs the cable in again. */
  replug(): Promise<void>
  stats(): Promise<BoardStats>
  /** Copies flash bytes out, bypassing the chip. */
  readFlash(address: number, length: number): Promise<Uint8Array>
  /** Puts flash bytes in, bypassing the chip (erase and program rules do not apply). */
  writeFlash(address: number, bytes: Uint8Array): Promise<void>
  /** Ends time, saves the flash file. */
  close(): Promise<void>
}

/** Parts that only a board in this thread can have. */
export interface InlineParts {
  /** Overrides `camera`. */
  readonly frames?: FrameSource
  /** Instead of the simulator. */
  readonly kpu?: KpuUnit
}

import { sleep } from '../foundation/clock.js'
import type { ModemLines, Port } from '../port/port.js'

/** How DTR and RTS reach RESET and IO16: A = "dan", B = "kd233", C = "goD". Source: isp.md section 1.2. */
export type WiringFamily = 'A' | 'B' | 'C'

/** Both modem lines, held for a while. */
export interface LineStep {
  readonly lines: ModemLines
  readonly holdMs: number
}

/** The two line sequences of one wiring family. */
export interface FamilyRow {
  readonly doc: string
  readonly enterIsp: readonly LineStep[]
  readonly bootFlash: readonly LineStep[]
}

const HOLD_MS = 100
const step = (dtr: 0 | 1, rts: 0 | 1): LineStep => ({ lines: { dtr: dtr === 1, rts: rts === 1 }, holdMs: HOLD_MS })

/** Line sequences, each step held 100 ms as kflash does; 1 = asserted, steps are (DTR, RTS). isp.md section 1.2. */
export const FAMILIES: Readonly<Record<WiringFamily, FamilyRow>> = {
  A: {
    doc: 'RTS to RESET, DTR to IO16: Maix Dock, Maix Bit without microphone, Trainer',
    enterIsp: [step(0, 0), step(0, 1), step(1, 0)],
    bootFlash: [step(0, 0), step(0, 1), step(0, 0)],
  },
  B: {
    doc: 'DTR to RESET, RTS to IO16: KD233, Maix Go, Maixduino, Bit with microphone, Amigo, Cube, M5StickV',
    enterIsp: [step(0, 0), step(1, 0), step(0, 1)],
    bootFlash: [step(0, 0), step(1, 0), step(0, 0)],
  },
  C: {
    doc: 'through the bridge firmware: Maix Go with CMSIS-DAP firmware older than 2019-02-21',
    enterIsp: [step(1, 1), step(1, 0), step(1, 0)],
    bootFlash: [step(0, 0), step(1, 0), step(1, 1)],
  },
}

/** Order in which families are tried when none is given; the same as kflash. isp.md section 1.4. */
export const DETECTION_ORDER: readonly WiringFamily[] = ['A', 'B', 'C', 'B']

/** Walks through a line sequence; both lines are always set together. */
export async function runLines(port: Port, steps: readonly LineStep[], signal?: AbortSignal): Promise<void> {
  for (const { lines, holdMs } of steps) {
    await port.setLines(lines)
    await sleep(port.clock, holdMs, signal)
  }
}

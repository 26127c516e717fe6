import { BridgeError } from '../foundation/errors.js'

/** Faults of one virtual board; all off by default. Names are those of `--faults`. */
export interface Faults {
  readonly seed: number
  readonly bitFlip: number
  readonly drop: number
  readonly duplicate: number
  readonly split: number
  readonly stall: number
  readonly stallEvery: number
  readonly unplug: number
  readonly powerCut: number
  readonly slowFlash: number
  readonly flashId: number
  readonly protection: number
}

/** One row of the fault table. */
export interface FaultRow {
  readonly default: number
  readonly min: number
  readonly max: number
  readonly doc: string
}

const row = (preset: number, min: number, max: number, doc: string): FaultRow => ({ default: preset, min, max, doc })

/** Every fault: default (off), range and meaning. `--help` prints this table. */
export const FAULT_TABLE: Readonly<Record<keyof Faults, FaultRow>> = {
  seed: row(1, 0, 0xffff_ffff, 'seed of all random faults'),
  bitFlip: row(0, 0, 1, 'probability that a bit on the wire is flipped, both directions (1e-5)'),
  drop: row(0, 0, 1, 'probability that a byte on the wire is lost'),
  duplicate: row(0, 0, 1, 'probability that a byte on the wire comes twice'),
  split: row(0, 0, 1, 'probability that one read of the host comes as two'),
  stall: row(0, 0, 60_000, 'milliseconds for which the board-to-host direction stands still, see stallEvery'),
  stallEvery: row(65_536, 1, 2 ** 32, 'bytes to the host between two stalls'),
  unplug: row(0, 0, 2 ** 40, 'the board vanishes after this many bytes of both directions; 0 = never'),
  powerCut: row(0, 0, 2 ** 32, 'the chip loses power in the middle of the n-th flash erase or program; 0 = never'),
  slowFlash: row(1, 0.01, 1000, 'factor on all flash times'),
  flashId: row(0xef4018, 0, 0xff_ffff, 'JEDEC id: maker, type, log2 of the size (0xEF4018)'),
  protection: row(0, 0, 1, '1 = block protection bits set: erase and program are silently ignored'),
}

const isFaultName = (name: string): name is keyof Faults => Object.hasOwn(FAULT_TABLE, name)

/** A board without faults. */
export const NO_FAULTS: Faults = Object.fromEntries(
  Object.entries(FAULT_TABLE).map(([name, { default: preset }]) => [name, preset]),
) as unknown as Faults // one entry for each key of the table

/**
 * Reads a `name=value,name=value` list.
 * @param spec - names of {@link FAULT_TABLE}; values decimal, exponent or 0x form; empty = no faults
 * @throws BridgeError `USAGE` that names the row
 */
export function parseFaults(spec: string): Faults {
  const given: Partial<Record<keyof Faults, number>> = {}
  for (const part of spec.split(',').filter((text) => text.trim() !== '')) {
    const [name = '', text = ''] = part.split('=').map((side) => side.trim())
    if (!isFaultName(name)) throw usage(`there is no fault "${name}"`, part)
    const { min, max } = FAULT_TABLE[name]
    const value = text === '' ? Number.NaN : Number(text)
    if (!(value >= min && value <= max)) throw usage(`fault ${name} takes a number from ${min} to ${max}`, part)
    given[name] = value
  }
  return { ...NO_FAULTS, ...given }
}

function usage(what: string, part: string): BridgeError {
  const fix = `Use name=value pairs with commas between; names: ${Object.keys(FAULT_TABLE).join(', ')}.`
  return new BridgeError('USAGE', { what, where: { faults: part }, fix })
}

/** Lines for `--help`, one a fault. */
export function describeFaults(): string {
  const width = Math.max(...Object.keys(FAULT_TABLE).map((name) => name.length))
  return Object.entries(FAULT_TABLE)
    .map(([name, { default: preset, doc }]) => `  ${name.padEnd(width)}  ${doc} (default ${preset})`)
    .join('\n')
}

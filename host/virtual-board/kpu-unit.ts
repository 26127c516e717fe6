/** One layer as the firmware hands it over: bytes in its linear memory, valid during the call only. */
export interface KpuCall {
  /** The twelve words, 96 bytes little endian, addresses as in the kmodel. */
  readonly layer: Uint8Array
  /** 8 bytes an output channel. */
  readonly batchNorm: Uint8Array
  /** 144 bytes. */
  readonly activation: Uint8Array
  readonly weights: Uint8Array
  readonly weightBits: 8 | 16
  /** 2 MiB in the row layout of kpu.md section 4; the layer reads and writes it. */
  readonly ram: Uint8Array
}

/** The KPU: runs a layer at once, and says how long the chip would take. */
export interface KpuUnit {
  /** @returns microseconds of the chip, or undefined when the KPU refuses the layer */
  run(call: KpuCall): number | undefined
}

/** A board without KPU, for firmware that never calls it. */
export const noKpu: KpuUnit = { run: () => undefined }

/** Counts layers and times of a KPU. */
export class MeteredKpu implements KpuUnit {
  layers = 0
  /** Milliseconds of the chip. */
  chipMs = 0
  /** Milliseconds of this machine. */
  wallMs = 0

  constructor(private readonly unit: KpuUnit) {}

  run(call: KpuCall): number | undefined {
    const startMs = performance.now()
    const durationUs = this.unit.run(call)
    this.wallMs += performance.now() - startMs
    if (durationUs === undefined) return undefined
    this.layers++
    this.chipMs += durationUs / 1000
    return durationUs
  }
}

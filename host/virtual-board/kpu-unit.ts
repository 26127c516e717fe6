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
  /**
   * @returns microseconds of the chip
   * @throws when the KPU cannot run the layer
   */
  run(call: KpuCall): number
}

/** Counts layers and times of a KPU, and keeps why it refused a layer. */
export class MeteredKpu {
  layers = 0
  /** Milliseconds of the chip. */
  chipMs = 0
  /** Milliseconds of this machine. */
  wallMs = 0
  /** Reason of the last refusal; empty when there was none. */
  refusal = ''

  constructor(private readonly unit: KpuUnit) {}

  /** Runs a layer. @returns microseconds of the chip, undefined when the KPU refuses the layer */
  run(call: KpuCall): number | undefined {
    const startMs = performance.now()
    try {
      const durationUs = this.unit.run(call)
      this.layers++
      this.chipMs += durationUs / 1000
      return durationUs
    } catch (error) {
      this.refusal = error instanceof Error ? error.message : String(error)
      return undefined
    } finally {
      this.wallMs += performance.now() - startMs
    }
  }
}

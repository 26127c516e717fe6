/** Memory of the chip as the ROM and the functional processor see it. Source: isp.md 4.1, kpu.md. */
export const MEMORY = {
  /** General SRAM, cached alias. */
  ramBase: 0x8000_0000,
  ramBytes: 6 * 1024 * 1024,
  kpuRamBytes: 2 * 1024 * 1024,
  /** The chip's SRAM and KPU RAM together, in WebAssembly pages of 64 KiB. */
  wasmPages: 128,
  /** Largest payload of a firmware image: the ROM uses the top of the RAM itself (isp.md 3.1). */
  maxPayloadBytes: 0x5e_0000,
} as const

/** The 6 MiB of general RAM at 0x80000000. */
export class Ram {
  readonly bytes = new Uint8Array(MEMORY.ramBytes)

  /** The bytes from an address on, or undefined outside the RAM. */
  from(address: number): Uint8Array | undefined {
    const offset = address - MEMORY.ramBase
    return offset >= 0 && offset < MEMORY.ramBytes ? this.bytes.subarray(offset) : undefined
  }

  /** Copies bytes in. @returns false when they do not fit */
  write(address: number, data: Uint8Array): boolean {
    const target = this.from(address)
    if (!target || data.length > target.length) return false
    target.set(data)
    return true
  }

  /** Power was off: the content is gone (zeros, so that runs repeat). */
  clear(): void {
    this.bytes.fill(0)
  }
}

/**
 * The part of the WebAssembly API that this project uses. Node has it; TypeScript declares it only together with the
 * browser's DOM, which no host code may see.
 */
declare namespace WebAssembly {
  type ImportValue = ((...args: number[]) => number | undefined) | Memory | Global | number
  type Imports = Record<string, Record<string, ImportValue>>
  type ExportValue = ((...args: number[]) => number | undefined) | Memory | Global | object
  type Exports = Record<string, ExportValue>

  class Module {
    constructor(bytes: Uint8Array)
  }

  class Instance {
    constructor(module: Module, imports?: Imports)
    readonly exports: Exports
  }

  class Memory {
    constructor(descriptor: { initial: number; maximum?: number; shared?: boolean })
    readonly buffer: ArrayBuffer
    /** @returns the size before, in pages of 64 KiB */
    grow(pages: number): number
  }

  class Global {
    value: unknown
  }

  function validate(bytes: Uint8Array): boolean
  function compile(bytes: Uint8Array): Promise<Module>
}

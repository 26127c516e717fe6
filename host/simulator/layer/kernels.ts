import { readFile } from 'node:fs/promises'
import { BridgeError } from '../../foundation/errors.js'
import { packageFile } from '../../foundation/paths.js'

/** What kernels.wasm exports. Pointers are addresses in its own memory. */
export interface Kernels {
  readonly memory: WebAssembly.Memory
  readonly heapBase: number
  readonly planBytes: number
  /** 0, or 1 when an accumulator leaves 36 bits. */
  runFast(plan: number): number
  runExact(plan: number): number
}

let compiled: Promise<WebAssembly.Module> | undefined

/** A fresh instance of the kernels; the module itself is compiled once a process. */
export async function loadKernels(): Promise<Kernels> {
  compiled ??= readFile(packageFile('host', 'simulator', 'kernels', 'kernels.wasm')).then(WebAssembly.compile)
  const { exports } = new WebAssembly.Instance(await compiled)
  const { memory, __heap_base: heapBase } = exports
  if (!(memory instanceof WebAssembly.Memory) || !(heapBase instanceof WebAssembly.Global)) {
    throw new BridgeError('INTERNAL', { what: 'kernels.wasm does not export its memory and heap base' })
  }
  const call = exports as Record<string, (plan?: number) => number> // checked by the size of the plan below
  return {
    memory,
    heapBase: Number(heapBase.value),
    planBytes: call.k210sim_plan_bytes!(),
    runFast: (plan) => call.k210sim_run_fast!(plan),
    runExact: (plan) => call.k210sim_run_exact!(plan),
  }
}

import { type KpuUnit, noKpu } from './kpu-unit.js'

/** The KPU by the simulator. */
export function simulatedKpu(): KpuUnit {
  return noKpu
}

import { STATUS } from '../../protocol/status.js'
import type { MeteredKpu } from './kpu-unit.js'
import type { Ram } from './memory.js'
import type { NorFlash } from './nor-flash.js'
import { type CameraSensor, copyWindow } from './sensor.js'
import type { BoardUart } from './uart.js'
import type { VirtualTime } from './virtual-time.js'

/** The rest of the board, as the processor sees it. */
export interface BoardParts {
  readonly time: VirtualTime
  readonly uart: BoardUart
  readonly flash: NorFlash
  readonly sensor: CameraSensor
  readonly ram: Ram
  readonly kpu: MeteredKpu
}

/** What the imports need from the processor that runs the module. */
export interface FirmwareHost {
  readonly bootId: number
  /** Linear memory, taken afresh at each call: it may have grown. */
  memory(): Uint8Array
  /** KPU RAM inside linear memory; undefined for a module that has none. */
  kpuRam(): Uint8Array | undefined
  /** The firmware did something: poll it again soon. */
  acted(): void
  /** Poll it now: something finished. */
  wake(): void
  reboot(target: number): void
  execute(address: number): void
}

type Import = (...args: number[]) => number

/** Rates that the UART's divider can make. Source: isp.md 4.4. */
const BAUD_RANGE = { min: 9600, max: 5_000_000 } as const

/**
 * The functions that a firmware module imports from "k210b": the C port struct (include/k210b/port.h) as WebAssembly.
 * All pointers are addresses in the module's linear memory; results are 0, a count or a negative status.
 */
export function firmwareImports(parts: BoardParts, host: FirmwareHost): Record<string, Import> {
  const effect =
    (run: Import): Import =>
    (...args) => {
      host.acted()
      return run(...args.map((arg) => arg >>> 0))
    }
  const bytes = (pointer: number, length: number) => slice(host.memory(), pointer, length)
  return {
    ...uartImports(parts, host, bytes, effect),
    ...flashImports(parts, host, bytes, effect),
    ...kpuImports(parts, host, bytes, effect),
    ...cameraImports(parts, host, bytes, effect),
    reboot: effect((target) => {
      host.reboot(target)
      return 0
    }),
    execute: effect((address) => {
      if (!parts.ram.from(address)) return -STATUS.RANGE.code
      host.execute(address)
      return 0
    }),
    ram_write: effect((address, pointer, length) => {
      return parts.ram.write(address, bytes(pointer, length)) ? 0 : -STATUS.RANGE.code
    }),
    boot_id: () => host.bootId,
  }
}

type Bytes = (pointer: number, length: number) => Uint8Array
type Effect = (run: Import) => Import

function uartImports({ uart }: BoardParts, host: FirmwareHost, bytes: Bytes, effect: Effect): Record<string, Import> {
  return {
    uart_tx_space: () => uart.txSpace,
    uart_tx: effect((pointer, length) => uart.transmit(bytes(pointer, length))),
    uart_tx_idle: () => (uart.txIdle ? 1 : 0),
    uart_rx(pointer = 0, capacity = 0) {
      if (uart.rxAvailable === 0) return 0
      host.acted()
      const taken = uart.take(capacity >>> 0)
      bytes(pointer >>> 0, taken.length).set(taken)
      return taken.length
    },
    uart_rx_overruns: () => uart.overruns,
    uart_set_baud: effect((baud) => {
      if (baud < BAUD_RANGE.min || baud > BAUD_RANGE.max) return -STATUS.RANGE.code
      uart.baud = baud
      return 0
    }),
  }
}

function flashImports(
  { flash, time }: BoardParts,
  host: FirmwareHost,
  bytes: Bytes,
  effect: Effect,
): Record<string, Import> {
  const started = (result: number) => {
    if (flash.busyUntilUs !== undefined) time.schedule(flash.busyUntilUs, () => host.wake())
    return result
  }
  return {
    flash_read: effect((address, pointer, length) => flash.read(address, bytes(pointer, length))),
    flash_erase: effect((address, size) => started(flash.erase(address, size))),
    flash_program: effect((address, pointer, length) => started(flash.program(address, bytes(pointer, length)))),
    flash_busy: () => (flash.busyUntilUs === undefined ? 0 : 1),
    flash_id: () => flash.id,
    flash_status: () => flash.status,
  }
}

function kpuImports(
  { kpu, time }: BoardParts,
  host: FirmwareHost,
  bytes: Bytes,
  effect: Effect,
): Record<string, Import> {
  let finishUs = 0
  return {
    kpu_start: effect((layer, bn, bnBytes, activation, weights, weightBytes, weightBits) => {
      const ram = host.kpuRam()
      if (!ram) return -STATUS.KPU.code
      if (time.nowUs < finishUs) return -STATUS.BUSY.code
      const durationUs = kpu.run({
        layer: bytes(layer, 96),
        batchNorm: bytes(bn, bnBytes),
        activation: bytes(activation, 144),
        weights: bytes(weights, weightBytes),
        weightBits: weightBits === 16 ? 16 : 8,
        ram,
      })
      if (durationUs === undefined) return -STATUS.KPU.code
      finishUs = time.nowUs + durationUs
      time.schedule(finishUs, () => host.wake())
      return 0
    }),
    kpu_done: () => (time.nowUs >= finishUs ? 1 : 0),
  }
}

function cameraImports(
  { sensor }: BoardParts,
  host: FirmwareHost,
  bytes: Bytes,
  effect: Effect,
): Record<string, Import> {
  let target = { planes: 0, width: 0, height: 0 }
  return {
    camera_start: effect((planes, width, height) => {
      if (sensor.isBusy) return -STATUS.BUSY.code
      if (width < 1 || width > 640 || height < 1 || height > 480) return -STATUS.RANGE.code
      bytes(planes, 3 * width * height) // traps here rather than when the picture is there
      target = { planes, width, height }
      sensor.start(() => host.wake())
      return 0
    }),
    camera_done(frameIdPointer = 0, timePointer = 0) {
      const capture = sensor.take()
      if (!capture) return 0
      host.acted()
      const { planes, width, height } = target
      copyWindow(capture.picture, bytes(planes, 3 * width * height), width, height)
      writeNumber(bytes(frameIdPointer >>> 0, 4), capture.frameId)
      writeNumber(bytes(timePointer >>> 0, 8), capture.timeUs)
      return 1
    },
  }
}

/** Little endian, as many bytes as the target has. */
function writeNumber(target: Uint8Array, value: number): void {
  for (let i = 0; i < target.length; i++) target[i] = Math.floor(value / 2 ** (8 * i)) & 0xff
}

/** @throws RangeError outside the memory, which ends the firmware like a bus error */
function slice(memory: Uint8Array, pointer: number, length: number): Uint8Array {
  if (pointer + length > memory.length) {
    throw new RangeError(`bus error: ${length} bytes at 0x${pointer.toString(16)} of linear memory`)
  }
  return memory.subarray(pointer, pointer + length)
}

import { rebootIntoRom } from '../device/reboot-into-rom.js'
import { type FlashOptions, type FlashResult, flashBoard } from '../flasher/flash.js'
import { loadClassicStub, loadOwnStub } from '../flasher/flash-files.js'
import type { FlashItem } from '../flasher/plan.js'
import { asBridgeError, type BridgeError } from '../foundation/errors.js'
import type { PortOpener } from '../port/port.js'

/** What `flash` is told beside items and ports. */
export interface FlashPortOptions extends Omit<FlashOptions, 'stub' | 'onProgress'> {
  /** File of a classic stub; default our own. */
  readonly stubFile?: string
  readonly onProgress?: (port: string, progress: Parameters<NonNullable<FlashOptions['onProgress']>>[0]) => void
}

/** How flashing one of several boards ended. */
export interface FlashedBoard {
  readonly port: string
  readonly result?: FlashResult
  readonly error?: BridgeError
}

/** Flashes the same items to the boards on several ports at once; one board's failure never stops another. */
export async function flashPorts(
  openPort: PortOpener,
  ports: readonly string[],
  items: readonly FlashItem[],
  { stubFile, onProgress, ...options }: FlashPortOptions,
): Promise<FlashedBoard[]> {
  const stub = stubFile ? await loadClassicStub(stubFile) : await loadOwnStub()
  const flashOne = async (url: string): Promise<FlashedBoard> => {
    try {
      const port = await openPort(url)
      try {
        const result = await flashBoard(port, items, {
          askShimToReboot: rebootIntoRom,
          ...options,
          stub,
          onProgress: (progress) => onProgress?.(url, progress),
        })
        return { port: url, result }
      } finally {
        await port.close()
      }
    } catch (error) {
      return { port: url, error: asBridgeError(error) }
    }
  }
  return Promise.all(ports.map(flashOne))
}

import { ISP_BAUD } from '../../protocol/isp/commands.js'
import { bootFromFlash } from '../flasher/boot-check.js'
import { enterIsp, greetRom, greetStub } from '../flasher/enter.js'
import { DETECTION_ORDER, FAMILIES, runLines } from '../flasher/families.js'
import { IspSession } from '../flasher/isp-session.js'
import type { Port } from '../port/port.js'
import { rebootIntoRom } from './reboot-into-rom.js'

/** What answers on a port that has no shim. */
export interface Probed {
  readonly stage: 'rom' | 'stub'
  /** Why the ROM does not boot, where it just printed it. */
  readonly failure?: string
}

const BOOT_FAILURE = /boot failed[^\r\n]*/i
/** The ROM reads and hashes an image of this size before it says anything; the shim has a tenth of a MiB. */
const IMAGE_BYTES = 512 * 1024

async function withIsp<T>(port: Port, signal: AbortSignal | undefined, work: (session: IspSession) => Promise<T>) {
  const session = new IspSession(port, signal)
  try {
    return await work(session)
  } finally {
    session.dispose()
  }
}

/** Greets ROM and stub at 115200; touches no modem line. @returns undefined when neither answers */
export function probeBoard(port: Port, signal?: AbortSignal): Promise<Probed | undefined> {
  return withIsp(port, signal, async (session) => {
    await session.setBaud(ISP_BAUD)
    if (await greetRom(session)) {
      const failure = BOOT_FAILURE.exec(session.consoleText)?.[0].trim()
      return { stage: 'rom', ...(failure === undefined ? {} : { failure }) }
    }
    return (await greetStub(session)) ? { stage: 'stub' } : undefined
  })
}

/**
 * Restarts a board that sits in ROM or stub from its flash: by the reset lines of each wiring in turn, without lines by
 * the stub's command.
 * @returns why it does not boot; undefined when ROM and stub are gone
 */
export function bootBoard(port: Port, signal?: AbortSignal): Promise<string | undefined> {
  return withIsp(port, signal, async (session) => {
    const wirings = port.hasModemLines ? [...new Set(DETECTION_ORDER)].map((family) => [family]) : [[]]
    let failure: string | undefined
    for (const families of wirings) {
      failure = (await bootFromFlash(session, { families, imageBytes: IMAGE_BYTES, signal })).failure
      if (failure === undefined || BOOT_FAILURE.test(failure)) break
    }
    return failure
  })
}

/** Resets a board that answers nothing, by the lines of every wiring; which of them leads to the chip cannot be told. */
export async function resetByLines(port: Port, signal?: AbortSignal): Promise<void> {
  for (const family of DETECTION_ORDER) await runLines(port, FAMILIES[family].bootFlash, signal)
}

/** Brings a board that has no session into its boot ROM. @throws BridgeError `FLASH_NO_ROM` */
export async function enterRom(port: Port, signal?: AbortSignal): Promise<void> {
  await withIsp(port, signal, (session) => enterIsp(session, { rounds: 2, askShimToReboot: rebootIntoRom, signal }))
}

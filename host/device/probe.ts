import { ISP_BAUD } from '../../protocol/isp/commands.js'
import { greetRom, greetStub } from '../flasher/enter.js'
import { IspSession } from '../flasher/isp-session.js'
import type { Port } from '../port/port.js'

/** What answers on a port that has no shim. */
export interface Probed {
  readonly stage: 'rom' | 'stub'
  /** What the ROM printed, for example why it does not boot. */
  readonly note: string
}

const BOOT_FAILURE = /boot failed[^\r\n]*/i

/** Greets ROM and stub at 115200; touches no modem line. @returns undefined when neither answers */
export async function probeBoard(port: Port, signal?: AbortSignal): Promise<Probed | undefined> {
  const session = new IspSession(port, signal)
  try {
    await session.setBaud(ISP_BAUD)
    if (await greetRom(session)) {
      const printed = BOOT_FAILURE.exec(session.consoleText)?.[0].trim()
      return { stage: 'rom', note: printed ?? 'the boot ROM answers; there is no firmware that it boots' }
    }
    return (await greetStub(session)) ? { stage: 'stub', note: 'the flash stub answers' } : undefined
  } finally {
    session.dispose()
  }
}

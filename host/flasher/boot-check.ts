import { ISP_BAUD, ISP_COMMANDS } from '../../protocol/isp/commands.js'
import { encodeIspPacket } from '../../protocol/isp/packet.js'
import { BridgeError } from '../foundation/errors.js'
import { greetRom } from './enter.js'
import { FAMILIES, runLines, type WiringFamily } from './families.js'
import type { IspSession } from './isp-session.js'

const LISTEN_MS = 100
const GREETINGS = 3
/** The ROM reads and hashes the image before it gives up: about 4 MiB a second. */
const ROM_BYTES_PER_MS = 4096
const FAILURE = /boot failed with exit code\s*-?\d*[^\r\n]*/i

/** Restarts the board from its flash: by the reset lines, or by the stub's reboot command. */
export async function restart(
  session: IspSession,
  family: WiringFamily | undefined,
  signal?: AbortSignal,
): Promise<void> {
  if (family === undefined || !session.port.hasModemLines) {
    await session.send(encodeIspPacket({ op: ISP_COMMANDS.reboot.op }))
    await session.setBaud(ISP_BAUD)
    session.flush()
    return
  }
  await session.setBaud(ISP_BAUD)
  session.flush()
  await runLines(session.port, FAMILIES[family].bootFlash, signal)
}

/**
 * Finds out whether the firmware runs: the ROM prints a line when it refuses the image, and answers greetings.
 * @param imageBytes - size of the firmware image, 0 when it is not known
 * @returns undefined when it boots, else what the ROM said
 */
export async function bootFailure(session: IspSession, imageBytes: number): Promise<string | undefined> {
  await session.sleep(imageBytes / ROM_BYTES_PER_MS)
  for (let attempt = 0; attempt < GREETINGS; attempt++) {
    await session.sleep(LISTEN_MS)
    const printed = FAILURE.exec(session.consoleText)
    if (printed) return printed[0].trim()
    if (await greetRom(session, LISTEN_MS)) {
      return FAILURE.exec(session.consoleText)?.[0].trim() ?? 'the boot ROM answers instead of the firmware'
    }
  }
  return undefined
}

/** The error of a board that does not boot. */
export function bootError(session: IspSession, reason: string): BridgeError {
  return new BridgeError('FLASH_BOOT', {
    what: `the board does not boot: ${reason}`,
    where: { port: session.port.url },
    fix: 'Flash the firmware again with --verify; check that IO16 (BOOT) is not held low.',
  })
}

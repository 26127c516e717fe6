import { reboot } from '../../protocol/index.js'
import { isBridgeError } from '../foundation/errors.js'
import { LinkSession } from '../link/session.js'
import type { Port } from '../port/port.js'

const ROM = 1
/** A shim starts at the first; one that another program left may still run at the second. */
const RATES = [115_200, 1_500_000] as const

/** Asks a running shim, by the link, to restart into the boot ROM: the way in on ports without modem lines. */
export async function rebootIntoRom(port: Port): Promise<boolean> {
  const before = port.baud
  for (const rate of RATES) {
    if (port.baud !== rate) await port.setBaud(rate)
    if (await ask(port)) return true
  }
  await port.setBaud(before)
  return false
}

async function ask(port: Port): Promise<boolean> {
  try {
    const link = await LinkSession.open(port, { helloRetries: 0, keepAliveMs: 0 })
    try {
      await link.request(reboot, { target: ROM, token: Math.floor(Math.random() * 2 ** 32) })
      return true
    } finally {
      await link.close()
    }
  } catch (error) {
    if (isBridgeError(error)) return false
    throw error
  }
}

import type { DoctorCheck } from './doctor/check.js'
import { checkDaemon, checkPorts, checkTools, checkUser } from './doctor/machine.js'
import { checkFirmware, checkNode, checkPackages } from './doctor/packages.js'

/** Checks this machine from Node to the daemon, in that order. Never throws. @param daemonUrl - where it should answer */
export async function runDoctor(daemonUrl: string): Promise<DoctorCheck[]> {
  return [
    checkNode(process.version),
    ...(await checkPackages()),
    await checkFirmware(),
    ...(await checkUser()),
    ...(await checkPorts()),
    ...(await checkTools()),
    await checkDaemon(daemonUrl),
  ]
}

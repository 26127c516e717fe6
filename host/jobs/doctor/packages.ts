import { createHash } from 'node:crypto'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { readFileBytes } from '../../foundation/files.js'
import { packageFile } from '../../foundation/paths.js'
import { type DoctorCheck, fail, ok, reasonOf, warn } from './check.js'

/** Oldest Node that is supported. */
const NODE_MAJOR = 20

/** @param version - as process.version, for example `v20.11.0` */
export function checkNode(version: string): DoctorCheck {
  const major = Number(/^v(\d+)/.exec(version)?.[1])
  if (major >= NODE_MAJOR) return ok('node', version)
  return fail('node', `${version} is too old`, `Install Node ${NODE_MAJOR} or later.`)
}

/** Native packages, each tried by loading the module of ours that uses it: a missing binary only shows there. */
const PACKAGES: readonly { readonly name: string; readonly use: string; readonly load: () => Promise<unknown> }[] = [
  {
    name: 'onnxruntime-node',
    use: 'calibration and float accuracy',
    load: () => import('../../evaluate/detector.js'),
  },
  {
    name: 'sharp',
    use: 'pictures',
    load: async () => {
      const { decodePicture, encodePng } = await import('../../vision/pictures.js')
      return decodePicture(await encodePng({ width: 1, height: 1, channels: 1, data: new Uint8Array(1) }))
    },
  },
  { name: 'serialport', use: 'serial ports', load: () => import('../../port/serial.js') },
  { name: 'libsql', use: "the daemon's database", load: () => import('../../store/database.js') },
]

/** Tries every native package. */
export async function checkPackages(): Promise<DoctorCheck[]> {
  return Promise.all(
    PACKAGES.map(async ({ name, use, load }) => {
      try {
        await load()
        return ok(`package ${name}`, `loads (${use})`)
      } catch (error) {
        return fail(
          `package ${name}`,
          `does not load, so ${use} will not work: ${reasonOf(error).split('\n')[0]}`,
          'Run npm ci again on this machine, with install scripts allowed.',
        )
      }
    }),
  )
}

const MODULES = ['shim.wasm', 'stub.wasm'] as const
const REINSTALL = 'Install the package again, or build the firmware: npm run firmware -- --update.'

/** The firmware modules that ship, against the hashes recorded with them. @param folder - of modules and VERSIONS.json */
export async function checkFirmware(folder = packageFile('firmware-shim', 'prebuilt')): Promise<DoctorCheck> {
  const missing = MODULES.filter((name) => !existsSync(join(folder, name)))
  if (missing.length > 0) return fail('firmware', `${missing.join(' and ')} missing`, REINSTALL)
  const recorded = join(folder, 'VERSIONS.json')
  if (!existsSync(recorded)) return warn('firmware', 'VERSIONS.json is missing: the modules are unchecked', REINSTALL)
  const versions = JSON.parse(new TextDecoder().decode(await readFileBytes(recorded))) as Record<string, string>
  for (const name of MODULES) {
    const sha256 = createHash('sha256')
      .update(await readFileBytes(join(folder, name)))
      .digest('hex')
    if (versions[name] !== sha256)
      return fail('firmware', `${name} has another hash than VERSIONS.json says`, REINSTALL)
  }
  return ok('firmware', `shim and stub for virtual boards, built by ${versions.clang ?? 'an unknown compiler'}`)
}

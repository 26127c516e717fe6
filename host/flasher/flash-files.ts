import { BridgeError } from '../foundation/errors.js'
import { readFileBytes } from '../foundation/files.js'
import { packageFile } from '../foundation/paths.js'
import { looksLikeImage } from './image.js'
import { isZip, readKfpkg } from './kfpkg.js'
import type { FlashItem } from './plan.js'
import type { StubProgram } from './start-stub.js'

/** The flash stub that comes with this program: for the virtual board, whose processor runs WebAssembly. */
export async function loadOwnStub(): Promise<StubProgram> {
  return { bytes: await readFileBytes(packageFile('firmware-shim', 'prebuilt', 'stub.wasm')), kind: 'ours' }
}

/**
 * A stub file that the user names; it is spoken to with the classic commands 0xD2..0xD7 only.
 * @throws BridgeError `FILE_READ`, `FILE_FORMAT` when it is empty or larger than the RAM
 */
export async function loadClassicStub(path: string): Promise<StubProgram> {
  const bytes = await readFileBytes(path)
  if (bytes.length === 0 || bytes.length > 1024 * 1024) {
    throw new BridgeError('FILE_FORMAT', {
      what: 'this is no flash stub: it must have 1 byte to 1 MiB',
      where: { file: path, bytes: bytes.length },
      fix: 'Name the ISP program of a K210 flasher.',
    })
  }
  return { bytes, kind: 'classic' }
}

/**
 * What a file means to the flasher: a kfpkg package, a firmware image, a program (wrapped when it goes to address 0)
 * or raw data.
 * @param at - address of a file that is no package; default 0
 * @throws BridgeError `KFPKG_FORMAT`; `USAGE` when an address is given for a package
 */
export function itemsFromBytes(name: string, bytes: Uint8Array, at?: number): FlashItem[] {
  if (isZip(bytes)) {
    if (at === undefined) return readKfpkg(bytes)
    throw new BridgeError('USAGE', {
      what: 'a kfpkg package has its own addresses',
      where: { file: name },
      fix: 'Leave out --at.',
    })
  }
  const address = at ?? 0
  return [{ name, address, bytes, wrap: address === 0 && !looksLikeImage(bytes) }]
}

import { packageFile } from '../../host/foundation/paths.js'
import { ispHeader } from '../../protocol/isp/c-header.js'
import { protocolHeader } from './c-header.js'
import { protocolTables } from './c-tables.js'
import { goldenTable } from './golden-table.js'
import { wirePage } from './wire-page.js'

/** One file that is written from the rows, path relative to package.json. */
export interface GeneratedFile {
  readonly path: string
  readonly text: string
}

/** Every generated file with the text that it must have. */
export function generatedFiles(): readonly GeneratedFile[] {
  return [
    { path: 'firmware-shim/generated/k210b_protocol.h', text: protocolHeader() },
    { path: 'firmware-shim/generated/k210b_protocol.c', text: protocolTables() },
    { path: 'firmware-shim/generated/k210b_isp.h', text: ispHeader() },
    { path: 'firmware-shim/generated/k210b_golden.h', text: goldenTable(packageFile('test', 'golden')) },
    { path: 'protocol/wire.md', text: wirePage() },
  ]
}

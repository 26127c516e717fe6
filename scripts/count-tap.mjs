// Prints `N passed, N failed` from the totals line of a TAP file; exit 1 when anything failed or nothing ran.
import { readFileSync } from 'node:fs'

const [file, status] = process.argv.slice(2)
const text = readFileSync(file, 'utf8')
const totals = [...text.matchAll(/^# \{ total: (\d+)(?:, pass: (\d+))?(?:, fail: (\d+))?(?:, skip: (\d+))?.*\}/gm)].at(
  -1,
)
const passed = Number(totals?.[2] ?? 0)
// A file that throws at load is one failed top-level test, which the totals already count.
let failed = Number(totals?.[3] ?? 0)
if (failed === 0 && (status !== '0' || passed === 0)) failed = 1
if (failed > 0) for (const [line] of text.matchAll(/^\s*not ok .*$/gm)) console.log(line)
console.log(`${passed} passed, ${failed} failed`)
process.exit(failed > 0 ? 1 : 0)

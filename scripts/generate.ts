// Writes the C header, the descriptor tables, the golden tables and the wire page from the rows of protocol/.
// `--check` writes nothing and fails when a committed file differs.
import { readFileSync } from 'node:fs'
import { writeFileAtomic } from '../host/foundation/files.js'
import { packageFile } from '../host/foundation/paths.js'
import { type GeneratedFile, generatedFiles } from './generate/files.js'

function isCurrent(file: GeneratedFile): boolean {
  try {
    return readFileSync(packageFile(file.path), 'utf8') === file.text
  } catch {
    return false
  }
}

const check = process.argv.includes('--check')
for (const file of generatedFiles().filter((candidate) => !isCurrent(candidate))) {
  if (check) {
    process.stderr.write(`${file.path} is not what the rows say: run npm run generate\n`)
    process.exitCode = 1
  } else {
    await writeFileAtomic(packageFile(file.path), file.text)
    process.stdout.write(`${file.path}\n`)
  }
}

import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import t from 'tap'
import { sleep, wallClock } from '../../host/foundation/clock.js'
import { ERROR_CODES } from '../../host/foundation/error-codes.js'
import { asBridgeError, BridgeError, isBridgeError } from '../../host/foundation/errors.js'
import { readFileBytes, writeFileAtomic } from '../../host/foundation/files.js'
import { toAddress, toHex } from '../../host/foundation/hex.js'
import { packageFile, packageRoot } from '../../host/foundation/paths.js'
import { throwsCode } from '../support/throws-code.js'
import { createVirtualClock } from '../support/virtual-clock.js'

t.test('BridgeError: code decides HTTP status and exit code, JSON has code, what, where and fix', async (t) => {
  const cause = new Error('EACCES')
  const error = new BridgeError('PORT_PERMISSION', { what: 'may not open', where: { port: '/dev/ttyUSB0' }, cause })
  t.same([error.status, error.exitCode], [503, 3])
  t.equal(error.cause, cause)
  t.same(JSON.parse(JSON.stringify(error)), {
    code: 'PORT_PERMISSION',
    what: 'may not open',
    where: { port: '/dev/ttyUSB0' },
    fix: '',
  })
  t.match(error.message, 'PORT_PERMISSION: may not open')
})

t.test('isBridgeError: narrows by code', async (t) => {
  const error = new BridgeError('LINK_TIMEOUT', { what: 'silence' })
  t.ok(isBridgeError(error))
  t.ok(isBridgeError(error, 'LINK_TIMEOUT'))
  t.notOk(isBridgeError(error, 'LINK_LOST'))
  t.notOk(isBridgeError(new Error('silence')))
})

t.test('asBridgeError: keeps a BridgeError, wraps anything else with the original as cause', async (t) => {
  const known = new BridgeError('FLASH_BOOT', { what: 'no boot' })
  t.equal(asBridgeError(known, 'INTERNAL', { what: 'other' }), known)
  const thrown = new TypeError('x is undefined')
  t.match(asBridgeError(thrown), { code: 'INTERNAL', what: 'x is undefined', cause: thrown })
  t.match(asBridgeError('text', 'FILE_READ', { where: { file: 'a' } }), { code: 'FILE_READ', what: 'text' })
})

t.test('error codes: every row has an HTTP error status and a sentence', async (t) => {
  for (const [code, { status, doc }] of Object.entries(ERROR_CODES)) {
    t.ok(status >= 400 && status < 600, `${code} has status ${status}`)
    t.match(doc, /\.$/, code)
  }
})

t.test('writeFileAtomic: makes folders, replaces the file and leaves no temporary one', async (t) => {
  const folder = t.testdir()
  const file = join(folder, 'a', 'b', 'model.kmodel')
  await writeFileAtomic(file, 'first')
  await writeFileAtomic(file, new Uint8Array([1, 2, 3]))
  t.same(await readFileBytes(file), new Uint8Array([1, 2, 3]))
  t.same(await readdir(join(folder, 'a', 'b')), ['model.kmodel'])
})

t.test('writeFileAtomic: writers at the same time leave one whole file', async (t) => {
  const folder = t.testdir()
  const file = join(folder, 'shared')
  const texts = Array.from({ length: 20 }, (_, i) => String(i).repeat(50_000))
  await Promise.all(texts.map((text) => writeFileAtomic(file, text)))
  t.ok(texts.includes(await readFile(file, 'utf8')), 'one of the texts, whole')
  t.same(await readdir(folder), ['shared'])
})

t.test('writeFileAtomic: a failure names the file, keeps the old one and leaves nothing behind', async (t) => {
  const folder = t.testdir({ plain: 'text' })
  await mkdir(join(folder, 'taken'))
  await writeFile(join(folder, 'taken', 'x'), '')
  const error = await throwsCode(t, 'FILE_WRITE', () => writeFileAtomic(join(folder, 'taken'), 'new'))
  t.equal(error.where.file, join(folder, 'taken'))
  await throwsCode(t, 'FILE_WRITE', () => writeFileAtomic(join(folder, 'plain', 'x'), 'new'), 'a file as folder')
  t.same((await readdir(folder)).sort(), ['plain', 'taken'])
})

t.test('readFileBytes: a missing file is FILE_READ with its path', async (t) => {
  const error = await throwsCode(t, 'FILE_READ', () => readFileBytes('/nowhere/model.onnx'))
  t.equal(error.where.file, '/nowhere/model.onnx')
})

t.test('sleep: resolves after its time on the clock', async (t) => {
  const clock = createVirtualClock()
  await clock.run(sleep(clock, 250))
  t.equal(clock.now(), 250)
  const before = wallClock.now()
  await sleep(wallClock, 15)
  t.ok(wallClock.now() - before >= 14, 'on the wall clock')
})

t.test('sleep: an abort rejects with its reason at once and leaves no timer', async (t) => {
  const clock = createVirtualClock()
  const reason = new BridgeError('CANCELLED', { what: 'stop' })
  const early = AbortSignal.abort(reason)
  await throwsCode(t, 'CANCELLED', () => sleep(clock, 1000, early), 'aborted before')
  const abort = new AbortController()
  const sleeping = sleep(clock, 1000, abort.signal)
  abort.abort(reason)
  await throwsCode(t, 'CANCELLED', () => sleeping, 'aborted while sleeping')
  await clock.advance(2000)
  t.equal(clock.now(), 2000)
})

t.test('hex: bytes without separators, addresses as 0x and eight digits', async (t) => {
  t.equal(toHex(new Uint8Array([0, 10, 255]).subarray(1)), '0aff')
  t.equal(toAddress(0x8000_0000), '0x80000000')
  t.equal(toAddress(0x1000), '0x00001000')
})

t.test('packageFile: names files beside package.json', async (t) => {
  t.equal(packageFile('package.json'), join(packageRoot, 'package.json'))
  t.match(await readFile(packageFile('package.json'), 'utf8'), /"k210-bridge"/)
})

import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import t, { type Test } from 'tap'
import { packageFile } from '../../host/foundation/paths.js'
import { ArtifactStore, artifactKind } from '../../host/store/artifacts.js'
import { BoardTable } from '../../host/store/board-table.js'
import { openDatabase } from '../../host/store/database.js'
import { lockFolder } from '../../host/store/folder-lock.js'
import { JobTable } from '../../host/store/job-table.js'
import { MIGRATIONS } from '../../host/store/migrations.js'
import { throwsCode } from '../support/throws-code.js'

const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex')

/** A store in an empty folder, and the names of the files in it. */
function store(t: Test) {
  const folder = t.testdir()
  const db = openDatabase(join(folder, 'bridge.sqlite'))
  t.teardown(() => db.close())
  const files = () => readdir(join(folder, 'artifacts'))
  return { db, artifacts: new ArtifactStore(db, join(folder, 'artifacts')), files }
}

t.test('openDatabase: a new file gets every migration, an old one those that are missing', async (t) => {
  const file = join(t.testdir(), 'data', 'bridge.sqlite')
  const first = openDatabase(file)
  t.match(first.prepare('PRAGMA user_version').get(), { user_version: MIGRATIONS.length })
  // Back to the first step, as a file of an older version is.
  first.exec('DROP TABLE boards; DROP TABLE cards; PRAGMA user_version = 1')
  first.prepare("INSERT INTO jobs (id, kind, state, created_ms) VALUES ('j', 'flash', 'done', 1)").run()
  first.close()
  const again = openDatabase(file)
  t.teardown(() => again.close())
  t.equal(new JobTable(again).all().length, 1, 'rows are kept')
  t.same(new BoardTable(again).all(), [], 'the second step has run')
  t.match(again.prepare('PRAGMA journal_mode').get(), { journal_mode: 'wal' })
})

t.test('openDatabase: a file of a newer version is refused, not rewritten', async (t) => {
  const file = join(t.testdir(), 'bridge.sqlite')
  const db = openDatabase(file)
  db.exec(`PRAGMA user_version = ${MIGRATIONS.length + 1}`)
  db.close()
  const error = await throwsCode(t, 'CONFLICT', () => openDatabase(file))
  t.equal(error.where.file, file)
})

t.test('lockFolder: a folder that is in use is refused until its user gives it back', async (t) => {
  const folder = join(t.testdir(), 'data')
  const release = lockFolder(folder)
  const error = await throwsCode(t, 'CONFLICT', () => lockFolder(folder))
  t.equal(error.where.folder, folder)
  release()
  lockFolder(folder)()
  const text = t.testdir({ text: '' })
  await throwsCode(t, 'FILE_WRITE', () => lockFolder(join(text, 'text')))
})

t.test('openDatabase: what is no database or no folder is FILE_WRITE with the path', async (t) => {
  const folder = t.testdir({ text: 'this is no database, and it is longer than its header would be'.repeat(20) })
  for (const file of [join(folder, 'text'), join(folder, 'text', 'below')]) {
    const error = await throwsCode(t, 'FILE_WRITE', () => openDatabase(file))
    t.equal(error.where.file, file)
  }
})

t.test('artifacts: bytes come back under their hash, and a second upload is the same artifact', async (t) => {
  const { artifacts, files } = store(t)
  const bytes = Buffer.alloc(300_000, 'abc')
  const pieces = () => Readable.from([bytes.subarray(0, 5), bytes.subarray(5, 100_000), bytes.subarray(100_000)])
  const added = await artifacts.add(pieces(), 'x.bin')
  t.same(added, { sha256: sha256(bytes), bytes: bytes.length, kind: 'firmware', name: 'x.bin' })
  t.ok(bytes.equals(await artifacts.read(added.sha256)))
  t.ok(bytes.equals(Buffer.concat(await artifacts.stream(added.sha256).toArray())), 'as a stream')
  await artifacts.add(pieces(), 'y.bin')
  t.same(await files(), [added.sha256])
  t.match(artifacts.list(), [{ name: 'y.bin' }], 'the newer name counts')
})

t.test('artifacts: the same bytes at the same time, and an empty file', async (t) => {
  const { artifacts, files } = store(t)
  const bytes = Buffer.alloc(100_000, 7)
  await Promise.all(Array.from({ length: 8 }, (_, i) => artifacts.add(Readable.from([bytes]), `${i}`)))
  const empty = await artifacts.add(Readable.from([]), 'empty')
  t.match(empty, { bytes: 0, kind: 'other' })
  t.same((await files()).sort(), [sha256(bytes), empty.sha256].sort())
})

t.test('artifacts: an upload beyond its limit is refused and leaves nothing', async (t) => {
  const { artifacts, files } = store(t)
  const endless = new Readable({
    read() {
      this.push(Buffer.alloc(65_536))
    },
  })
  const error = await throwsCode(t, 'HTTP_TOO_LARGE', () => artifacts.add(endless, 'big.bin', 1 << 20))
  t.equal(error.where.file, 'big.bin')
  t.ok(endless.destroyed, 'the source is stopped')
  t.same(await files(), [])
  t.same(artifacts.list(), [])
})

t.test('artifacts: a source that fails leaves nothing', async (t) => {
  const { artifacts, files } = store(t)
  const source = Readable.from(
    (async function* () {
      yield Buffer.alloc(1000)
      throw new Error('the client went away')
    })(),
  )
  await throwsCode(t, 'FILE_WRITE', () => artifacts.add(source, 'cut.bin'))
  t.same(await files(), [])
})

t.test('artifacts: unknown hashes are NOT_FOUND', async (t) => {
  const { artifacts } = store(t)
  const error = await throwsCode(t, 'NOT_FOUND', () => artifacts.get('0'.repeat(64)))
  t.equal(error.where.sha256, '0'.repeat(64))
  await throwsCode(t, 'NOT_FOUND', () => artifacts.read('../../etc/passwd'), 'a path is no hash')
})

t.test('artifactKind: first bytes win over the name', async (t) => {
  const head = (...bytes: number[]) => new Uint8Array([...bytes, ...Buffer.alloc(16)])
  t.equal(artifactKind(head(0x4c, 0x44, 0x4d, 0x4b), 'x.bin'), 'kmodel', 'v4: LDMK')
  t.equal(artifactKind(head(3, 0, 0, 0), 'x'), 'kmodel', 'v3')
  t.equal(artifactKind(head(0x50, 0x4b, 3, 4), 'x'), 'kfpkg', 'zip')
  t.equal(artifactKind(head(0xff, 0xd8, 0xff, 0xe0), 'x'), 'picture', 'JPEG')
  t.equal(artifactKind(head(0x89, 0x50, 0x4e, 0x47), 'x.json'), 'picture', 'PNG')
  t.equal(artifactKind(head(8), 'net.ONNX'), 'model')
  t.equal(artifactKind(head(0x7b), 'net.card.json'), 'card')
  t.equal(artifactKind(head(0), 'fw.bin'), 'firmware')
  t.equal(artifactKind(new Uint8Array(0), 'notes.txt'), 'other')
})

/** Adds 64 MiB in small pieces to the store in argv[2]; says when half is written. */
const WRITER = `
  import { Readable } from 'node:stream'
  const [folder, root] = process.argv.slice(1)
  const { openDatabase } = await import(root + '/host/store/database.js')
  const { ArtifactStore } = await import(root + '/host/store/artifacts.js')
  const store = new ArtifactStore(openDatabase(folder + '/bridge.sqlite'), folder + '/artifacts')
  async function* pieces() {
    for (let i = 0; i < 1024; i++) {
      if (i === 512) process.stdout.write('half')
      await new Promise((resolve) => setTimeout(resolve, 1))
      yield Buffer.alloc(65536, i)
    }
  }
  await store.add(Readable.from(pieces()), 'big.bin')
`

t.test('artifacts: a process killed while it writes leaves no half artifact, and its rest is cleared', async (t) => {
  const folder = t.testdir()
  const child = spawn(process.execPath, ['--input-type=module', '-e', WRITER, folder, packageFile('dist')], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
  const ended = new Promise((resolve) => child.once('exit', resolve))
  const halfWay = await Promise.race([new Promise((resolve) => child.stdout.once('data', resolve)), ended])
  child.kill('SIGKILL')
  await ended
  if (!Buffer.isBuffer(halfWay)) return t.comment('skipped: dist/ is absent')
  const db = openDatabase(join(folder, 'bridge.sqlite'))
  t.teardown(() => db.close())
  const artifacts = new ArtifactStore(db, join(folder, 'artifacts'))
  t.same(artifacts.list(), [])
  const files = await readdir(join(folder, 'artifacts'))
  t.ok(files.length === 1 && files[0]!.endsWith('.tmp'), 'nothing stands under a hash')
  await artifacts.clearRests()
  t.same(await readdir(join(folder, 'artifacts')), [], 'the next start clears the rest')
  const added = await artifacts.add(Readable.from([Buffer.from('later')]), 'later.txt')
  t.equal((await readFile(join(folder, 'artifacts', added.sha256))).toString(), 'later')
})

t.test('board table: ports in the order they came, a second add replaces, remove forgets', async (t) => {
  const { db } = store(t)
  const boards = new BoardTable(db)
  boards.add({ id: 'a', port: '/dev/ttyUSB0' })
  boards.add({ id: 'b', port: 'tcp://h:1' })
  boards.add({ id: 'a', port: '/dev/ttyUSB1' })
  boards.add({ id: 'c', port: 'tcp://h:1' })
  t.same(
    boards
      .all()
      .map(({ id, port }) => `${id} ${port}`)
      .sort(),
    ['a /dev/ttyUSB1', 'c tcp://h:1'],
  )
  boards.remove('a')
  boards.remove('never there')
  t.same(
    boards.all().map(({ id }) => id),
    ['c'],
  )
})

t.test('job table: saving again updates state, end, result and error, and keeps kind and start', async (t) => {
  const { db } = store(t)
  const jobs = new JobTable(db)
  const begun = { id: 'j', kind: 'flash', createdMs: 5, result: null, error: null }
  jobs.save({ ...begun, state: 'running', endedMs: null })
  jobs.save({ ...begun, kind: 'other', createdMs: 9, state: 'done', endedMs: 7, result: '{"bytes":1}' })
  t.same(jobs.all(), [{ ...begun, state: 'done', endedMs: 7, result: '{"bytes":1}' }])
})

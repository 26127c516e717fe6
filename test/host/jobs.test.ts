import { createServer, type IncomingMessage, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { setTimeout as delay } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { BridgeError } from '../../host/foundation/errors.js'
import { DaemonClient, parseDaemonUrl } from '../../host/jobs/daemon-client.js'
import { type Job, type JobContext, JobManager } from '../../host/jobs/job-manager.js'
import { openDatabase } from '../../host/store/database.js'
import { JobTable } from '../../host/store/job-table.js'
import { throwsCode } from '../support/throws-code.js'
import { within } from '../support/within.js'

/** Work that runs until it is told to end, and hears an abort. */
function openWork() {
  let context!: JobContext
  let finish!: (result: unknown) => void
  let fail!: (error: unknown) => void
  const begun = Promise.withResolvers?.<void>() ?? { promise: delay(20), resolve: () => {} }
  const work = (given: JobContext) => {
    context = given
    begun.resolve()
    return new Promise<unknown>((resolve, reject) => {
      finish = resolve
      fail = reject
      given.signal.addEventListener('abort', () => reject(given.signal.reason))
    })
  }
  return {
    work,
    begun: begun.promise as Promise<void>,
    progress: (stage: string, done: number, total: number) => context.progress({ stage, done, total, unit: 'bytes' }),
    finish: (result: unknown) => finish(result),
    fail: (error: unknown) => fail(error),
  }
}

function tableOf(t: Test) {
  const db = openDatabase(':memory:')
  t.teardown(() => db.close())
  return new JobTable(db)
}

t.test('job: runs at once, tells progress and time left, and ends with its result', async (t) => {
  const jobs = new JobManager()
  const seen: Job[] = []
  jobs.subscribe((job) => seen.push(job))
  const open = openWork()
  const { id, state } = jobs.start('compile', open.work)
  t.equal(state, 'running')
  await open.begun
  open.progress('calibrate', 0, 100)
  t.equal(jobs.get(id).etaMs, null, 'unknown before anything is done')
  await delay(60)
  open.progress('calibrate', 25, 100)
  const { stage, progress, etaMs } = jobs.get(id)
  t.same([stage, progress], ['calibrate', 0.25])
  t.ok(etaMs! >= 150 && etaMs! < 3000, `three quarters left after 60 ms: ${etaMs} ms`)
  open.progress('emit', 0, 0)
  t.match(jobs.get(id), { stage: 'emit', progress: 0, etaMs: null }, 'a stage of unknown length')
  open.progress('emit', 7, 5)
  t.equal(jobs.get(id).progress, 1, 'never beyond the end')
  open.finish({ bytes: 12 })
  t.match(await jobs.wait(id), { state: 'done', progress: 1, etaMs: 0, result: { bytes: 12 } })
  t.equal(seen.at(-1)?.state, 'done')
  open.progress('late', 1, 2)
  t.equal(jobs.get(id).state, 'done', 'progress after the end changes nothing')
  t.equal(seen.at(-1)?.state, 'done')
})

t.test('job: a failure keeps code, what, where and fix', async (t) => {
  const jobs = new JobManager()
  const { id } = jobs.start('deploy', async () => {
    throw new BridgeError('KMODEL_VERSION', { what: 'version 5', where: { file: 'x' }, fix: 'Compile again.' })
  })
  t.match(await jobs.wait(id), {
    state: 'failed',
    etaMs: null,
    error: { code: 'KMODEL_VERSION', what: 'version 5', where: { file: 'x' }, fix: 'Compile again.' },
  })
  const odd = jobs.start('deploy', () => Promise.reject(new TypeError('odd')))
  t.match(await jobs.wait(odd.id), { state: 'failed', error: { code: 'INTERNAL', what: 'odd' } })
  const thrown = jobs.start('deploy', () => {
    throw new TypeError('at once')
  })
  t.match(await jobs.wait(thrown.id), { state: 'failed', error: { what: 'at once' } })
})

t.test('job: cancel reaches the work, which ends as cancelled; cancelling twice or later does nothing', async (t) => {
  const jobs = new JobManager()
  const open = openWork()
  const { id } = jobs.start('flash', open.work)
  await open.begun
  t.equal(jobs.cancel(id).state, 'running', 'until the work has stopped')
  jobs.cancel(id)
  t.match(await jobs.wait(id), { state: 'cancelled', error: { code: 'CANCELLED' } })
  t.equal(jobs.cancel(id).state, 'cancelled')
})

t.test('job: work that was finished before it heard of the cancel is done', async (t) => {
  const jobs = new JobManager()
  const { id } = jobs.start('flash', async () => {
    await delay(20)
    return 'written'
  })
  jobs.cancel(id)
  t.match(await jobs.wait(id), { state: 'done', result: 'written' })
})

t.test('job: an unknown id is NOT_FOUND', async (t) => {
  const jobs = new JobManager()
  for (const ask of [() => jobs.get('x'), () => jobs.cancel('x'), () => jobs.wait('x')]) {
    t.equal((await throwsCode(t, 'NOT_FOUND', ask)).where.job, 'x')
  }
})

t.test('job: a listener that throws or leaves disturbs neither the work nor the others', async (t) => {
  const jobs = new JobManager()
  const states: string[] = []
  jobs.subscribe(() => {
    throw new Error('listener')
  })
  const stop = jobs.subscribe(() => t.fail('it has left'))
  stop()
  jobs.subscribe((job) => states.push(job.state))
  const { id } = jobs.start('flash', async () => 1)
  t.match(await jobs.wait(id), { state: 'done', result: 1 })
  t.same(states, ['done'])
})

t.test('cancelAll: waits for work that ends, and not for ever for work that does not', async (t) => {
  const jobs = new JobManager()
  const open = openWork()
  const good = jobs.start('flash', open.work)
  await open.begun
  await jobs.cancelAll(10_000)
  t.equal(jobs.get(good.id).state, 'cancelled')
  const deaf = jobs.start('flash', () => new Promise(() => {}))
  await jobs.cancelAll(30)
  t.equal(jobs.get(deaf.id).state, 'running')
})

t.test('job: a store that cannot be written does not change how the work ended', async (t) => {
  const db = openDatabase(':memory:')
  const jobs = new JobManager(new JobTable(db))
  const open = openWork()
  const { id } = jobs.start('flash', open.work)
  await open.begun
  db.close()
  open.finish('written')
  t.match(await jobs.wait(id), { state: 'done', result: 'written' })
})

t.test('jobs: ends survive a restart, running ones are marked failed and say so', async (t) => {
  const table = tableOf(t)
  const first = new JobManager(table)
  const done = first.start('compile', async () => ({ bytes: 3 }))
  await first.wait(done.id)
  const failed = first.start('flash', () => Promise.reject(new BridgeError('FLASH_BOOT', { what: 'no boot' })))
  await first.wait(failed.id)
  const open = openWork()
  const running = first.start('deploy', open.work)
  await open.begun

  const second = new JobManager(table)
  t.match(second.get(done.id), { kind: 'compile', state: 'done', progress: 1, result: { bytes: 3 } })
  t.match(second.get(failed.id), { state: 'failed', error: { code: 'FLASH_BOOT' } })
  t.match(second.get(running.id), { kind: 'deploy', state: 'failed', error: { what: /stopped while/ } })
  t.match(await second.wait(running.id), { state: 'failed' })
  t.equal(table.all().find(({ id }) => id === running.id)?.state, 'failed', 'in the table too')
})

t.test('jobs: only the last ended ones are kept', async (t) => {
  const table = tableOf(t)
  const jobs = new JobManager(table)
  const open = openWork()
  const running = jobs.start('watch', open.work)
  const ids: string[] = []
  for (let i = 0; i < 250; i++) {
    const { id } = jobs.start('flash', async () => i)
    await jobs.wait(id)
    ids.push(id)
  }
  t.ok(jobs.list().length <= 201, `${jobs.list().length} jobs in memory`)
  t.equal(jobs.get(running.id).state, 'running', 'the running one stays')
  t.equal(jobs.get(ids.at(-1)!).result, 249)
  t.ok(new JobManager(table).list().length <= 201, 'a restart does not bring all of them back')
  open.finish(0)
})

t.test('daemon: port URLs name the daemon and maybe a board', async (t) => {
  t.same(parseDaemonUrl('daemon:http://127.0.0.1:2100/desk%201'), { baseUrl: 'http://127.0.0.1:2100', board: 'desk 1' })
  t.same(parseDaemonUrl('daemon:https://lab:2100'), { baseUrl: 'https://lab:2100', board: '' })
  t.same(parseDaemonUrl('daemon:http://[::1]:2100/'), { baseUrl: 'http://[::1]:2100', board: '' })
  for (const url of ['daemon:', 'daemon:127.0.0.1', 'daemon:ftp://x/y', 'daemon:http://h/a/b', 'http://h/a']) {
    await throwsCode(t, 'PORT_URL', () => parseDaemonUrl(url), url)
  }
  await throwsCode(t, 'PORT_URL', () => parseDaemonUrl('daemon:http://h/%E0%A4%A'), 'a broken escape')
})

/** A server that answers every request the same way. */
async function fixedServer(t: Test, respond: (response: ServerResponse, request: IncomingMessage) => void) {
  const server = createServer((request, response) => respond(response, request))
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.teardown(() => server.closeAllConnections())
  t.teardown(() => server.close())
  return new DaemonClient(`http://127.0.0.1:${(server.address() as AddressInfo).port}`, 'sesame')
}

t.test('daemon client: events that come in pieces are put together, comments and retries skipped', async (t) => {
  const client = await fixedServer(t, async (response, { headers }) => {
    t.equal(headers.authorization, 'Bearer sesame')
    for (const piece of [
      'retry: 1000\n\nev',
      'ent: a\ndata: {"x"',
      ':"\u00e4"}\n\n: keep-alive\n\nevent: b\ndata: 2\n\n',
    ])
      await new Promise((resolve) => response.write(piece, resolve))
    response.end()
  })
  const seen: unknown[] = []
  for await (const event of client.events('/x')) seen.push(event)
  t.same(seen, [
    { event: 'a', data: { x: '\u00e4' } },
    { event: 'b', data: 2 },
  ])
})

t.test(
  'daemon client: a problem becomes the error of its code, anything else INTERNAL or DAEMON_UNREACHABLE',
  async (t) => {
    const problem = { code: 'FLASH_BOOT', what: 'no boot', where: { port: 'x' }, fix: 'Again.' }
    const refusing = await fixedServer(t, (response) => response.writeHead(502).end(JSON.stringify(problem)))
    t.match(await throwsCode(t, 'FLASH_BOOT', () => refusing.boards()), { what: 'no boot', where: { port: 'x' } })
    const strange = await fixedServer(t, (response) => response.writeHead(500).end('<html>'))
    await throwsCode(t, 'INTERNAL', () => strange.boards())
    const cut = await fixedServer(t, (response, { method }) => {
      if (method === 'POST') response.writeHead(202).end('{"job":{"id":"j"}}')
      else response.writeHead(200).end('event: job\ndata: {"state":"running","stage":"write","progress":0.5}\n\n')
    })
    await throwsCode(t, 'DAEMON_UNREACHABLE', () => cut.work('/x', {}, {}), 'the stream ended before the job')
    const broken = await fixedServer(t, (response, { method }) => {
      if (method === 'POST') return response.writeHead(202).end('{"job":{"id":"j"}}')
      response.writeHead(200).write('event: job\n')
      setTimeout(() => response.destroy(), 20)
    })
    await throwsCode(t, 'DAEMON_UNREACHABLE', () => broken.work('/x', {}, {}), 'the connection broke')
  },
)

t.test('daemon client: aborting cancels the job there and ends here as CANCELLED', async (t) => {
  let deleted = ''
  const client = await fixedServer(t, (response, { method, url }) => {
    if (method === 'POST') return response.writeHead(202).end('{"job":{"id":"j"}}')
    if (method === 'GET') return response.writeHead(200).write('event: job\ndata: {"state":"running","stage":"w"}\n\n')
    deleted = url!
    return response.writeHead(202).end('{}')
  })
  const abort = new AbortController()
  const work = throwsCode(t, 'CANCELLED', () => client.work('/x', {}, { signal: abort.signal }))
  await delay(100)
  abort.abort()
  await within(work, 'the cancelled work', 8000)
  for (let i = 0; i < 50 && deleted === ''; i++) await delay(10)
  t.equal(deleted, '/api/v1/jobs/j')
})

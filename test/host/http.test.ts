import { createHash } from 'node:crypto'
import { connect } from 'node:net'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import t, { type Test } from 'tap'
import { Fleet } from '../../host/device/fleet.js'
import { BridgeError } from '../../host/foundation/errors.js'
import { silentLogger } from '../../host/foundation/logger.js'
import { createApp, listen, parseListen } from '../../host/http/app.js'
import type { GuardOptions } from '../../host/http/plugins/guard.js'
import { HTTP_LIMITS, type Services } from '../../host/http/services.js'
import { JobManager } from '../../host/jobs/job-manager.js'
import type { PortOpener } from '../../host/port/port.js'
import { ArtifactStore } from '../../host/store/artifacts.js'
import { openDatabase } from '../../host/store/database.js'
import { createVirtualBoard } from '../../host/virtual-board/inline-board.js'
import { throwsCode } from '../support/throws-code.js'

/** Services without boards but those that a test adds; `virtual:` opens a blank board. */
async function services(t: Test): Promise<Services> {
  const folder = t.testdir()
  const db = openDatabase(join(folder, 'bridge.sqlite'))
  const board = await createVirtualBoard({ pace: 'real' })
  const openPort: PortOpener = async (url, options) => {
    if (url.startsWith('virtual:')) return board.port({ url, ...options })
    throw new BridgeError(url.includes(':') ? 'PORT_URL' : 'PORT_OPEN', {
      what: `no port ${url}`,
      where: { port: url },
    })
  }
  const fleet = new Fleet(openPort, silentLogger)
  const jobs = new JobManager()
  t.teardown(async () => {
    await jobs.cancelAll(1000)
    await fleet.close()
    await board.close()
    db.close()
  })
  const artifacts = new ArtifactStore(db, join(folder, 'artifacts'))
  return { fleet, jobs, artifacts, logger: silentLogger, version: '1.2.3' }
}

async function testApp(t: Test, guard: GuardOptions = { host: '127.0.0.1' }) {
  const given = await services(t)
  const app = await createApp(given, guard)
  t.teardown(() => app.close())
  const get = (url: string, headers: Record<string, string> = {}) => app.inject({ method: 'GET', url, headers })
  const post = (url: string, payload?: object | string | Buffer, headers: Record<string, string> = {}) =>
    app.inject({ method: 'POST', url, payload, headers })
  return { app, get, post, ...given }
}

/** One file as multipart/form-data. */
function form(field: string, name: string, bytes: Uint8Array, before: Record<string, string> = {}) {
  const boundary = 'part-of-this-test'
  const texts = Object.entries(before).map(
    ([key, value]) => `--${boundary}\r\nContent-Disposition: form-data; name="${key}"\r\n\r\n${value}\r\n`,
  )
  const head = `${texts.join('')}--${boundary}\r\nContent-Disposition: form-data; name="${field}"; filename="${name}"\r\nContent-Type: application/octet-stream\r\n\r\n`
  return {
    payload: Buffer.concat([Buffer.from(head), bytes, Buffer.from(`\r\n--${boundary}--\r\n`)]),
    headers: { 'content-type': `multipart/form-data; boundary=${boundary}` },
  }
}

const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex')
const unknown = '0'.repeat(64)

t.test('health and version', async (t) => {
  const { get } = await testApp(t)
  const health = await get('/api/v1/health')
  t.equal(health.statusCode, 200)
  t.match(health.json(), { status: 'ok', boards: 0, running: 0, uptimeMs: Number })
  t.match((await get('/api/v1/version')).json(), { version: '1.2.3', api: 'v1', node: process.version })
})

t.test('openapi.json: every path of the API with its methods, and /docs is there', async (t) => {
  const { get } = await testApp(t)
  const document = (await get('/openapi.json')).json()
  t.match(document, { openapi: /^3\./, info: { title: 'K210 bridge', version: '1.2.3' } })
  const wanted = {
    '/health': ['get'],
    '/version': ['get'],
    '/boards': ['get', 'post'],
    '/boards/{id}': ['get', 'delete'],
    '/boards/{id}/reset': ['post'],
    '/boards/{id}/flash': ['post'],
    '/boards/{id}/models': ['get', 'post'],
    '/boards/{id}/config': ['get', 'put'],
    '/boards/{id}/infer': ['post'],
    '/boards/{id}/snapshot.jpg': ['get'],
    '/boards/{id}/stream.mjpeg': ['get'],
    '/boards/{id}/events': ['get'],
    '/artifacts': ['get', 'post'],
    '/artifacts/{sha256}': ['get'],
    '/compile': ['post'],
    '/jobs': ['get'],
    '/jobs/{id}': ['get', 'delete'],
    '/jobs/{id}/events': ['get'],
  }
  for (const [path, methods] of Object.entries(wanted)) {
    const found = document.paths[`/api/v1${path}`] ?? {}
    t.ok(
      methods.every((method) => method in found),
      `${methods} ${path}`,
    )
    for (const [method, operation] of Object.entries<{ responses?: object }>(found)) {
      t.type(operation.responses, 'object', `${method} ${path} has responses`)
    }
  }
  t.match((await get('/docs/')).statusCode, 200)
})

t.test('boards: added, listed, shown and removed', async (t) => {
  const { get, post, app } = await testApp(t)
  t.same((await get('/api/v1/boards')).json(), { boards: [] })
  const added = await post('/api/v1/boards', { port: 'virtual:', id: 'desk' })
  t.equal(added.statusCode, 201)
  t.match(added.json(), {
    board: { id: 'desk', port: 'virtual:', state: String, firmware: null, models: [], link: {} },
  })
  t.match((await get('/api/v1/boards')).json(), { boards: [{ id: 'desk' }] })
  t.match((await get('/api/v1/boards/desk')).json(), { board: { id: 'desk' } })
  const absent = await post('/api/v1/boards', { port: '/dev/ttyAbsent' })
  t.equal(absent.statusCode, 201, 'a board need not be there yet')
  t.match(absent.json(), { board: { id: 'ttyAbsent', state: 'absent', note: /no port/ } })
  const removed = await app.inject({ method: 'DELETE', url: '/api/v1/boards/desk' })
  t.same([removed.statusCode, removed.body], [204, ''])
  t.equal((await get('/api/v1/boards/desk')).statusCode, 404)
})

t.test('problems: every error has code, what, where and fix as application/problem+json', async (t) => {
  const { get, post, app } = await testApp(t)
  await post('/api/v1/boards', { port: 'virtual:', id: 'desk' })
  const json = { 'content-type': 'application/json' }
  const cases = [
    [404, 'NOT_FOUND', await get('/api/v1/boards/none')],
    [404, 'NOT_FOUND', await get('/api/v1/nowhere')],
    [404, 'NOT_FOUND', await get(`/api/v1/artifacts/${unknown}`)],
    [404, 'NOT_FOUND', await get('/api/v1/jobs/none')],
    [404, 'NOT_FOUND', await get('/api/v1/jobs/none/events')],
    [404, 'NOT_FOUND', await get('/api/v1/boards/none/events')],
    [404, 'NOT_FOUND', await get('/api/v1/boards/none/stream.mjpeg')],
    [404, 'NOT_FOUND', await post('/api/v1/compile', { model: unknown })],
    [404, 'NOT_FOUND', await post('/api/v1/boards/desk/models', { artifact: unknown, slot: 0 })],
    [404, 'NOT_FOUND', await post('/api/v1/boards/desk/flash', { items: [{ artifact: unknown, at: 0 }] })],
    [400, 'HTTP_INVALID', await post('/api/v1/boards', {})],
    [400, 'HTTP_INVALID', await post('/api/v1/boards', '{"port":', json)],
    [400, 'HTTP_INVALID', await post('/api/v1/boards', { port: 'virtual:', id: 'no spaces' })],
    [400, 'HTTP_INVALID', await post('/api/v1/boards/desk/models', { artifact: 'short', slot: 0 })],
    [400, 'HTTP_INVALID', await post('/api/v1/boards/desk/models', { artifact: unknown, slot: 4 })],
    [400, 'HTTP_INVALID', await post('/api/v1/boards/desk/flash', { items: [] })],
    [400, 'HTTP_INVALID', await post('/api/v1/boards/desk/infer', Buffer.alloc(0))],
    [400, 'HTTP_INVALID', await get('/api/v1/boards/desk/snapshot.jpg?after=x')],
    [400, 'PORT_URL', await post('/api/v1/boards', { port: 'gopher://x' })],
    [409, 'CONFLICT', await post('/api/v1/boards', { port: 'virtual:' })],
    [409, 'CONFLICT', await post('/api/v1/boards', { port: '/dev/ttyX', id: 'desk' })],
    [409, 'CONFLICT', await post('/api/v1/boards/desk/infer', Buffer.from([1, 2]), { 'content-type': 'image/jpeg' })],
    [400, 'HTTP_INVALID', await app.inject({ method: 'PUT', url: '/api/v1/boards/desk/config', payload: { slot: 9 } })],
  ] as const
  for (const [status, code, response] of cases) {
    const body = response.json()
    const { method, url } = response.raw.req
    t.match(
      { status: response.statusCode, type: response.headers['content-type'], ...body },
      { status, code, title: /\S/, type: /\S/, what: /\S/, where: Object, fix: String },
      `${method} ${url}: ${body.what}`,
    )
    t.match(response.headers['content-type'], /^application\/problem\+json/)
    t.equal(body.status, status)
  }
  t.match((await post('/api/v1/boards', { port: 3 })).json(), { where: { field: 'body/port' } }, 'which field')
})

t.test('guard: only this machine is a Host, and pages of other sites are refused', async (t) => {
  const { get, post } = await testApp(t)
  for (const host of ['localhost', 'localhost:2100', '127.0.0.1:2100', '[::1]:2100', 'LOCALHOST']) {
    t.equal((await get('/api/v1/health', { host })).statusCode, 200, host)
  }
  for (const host of ['evil.example', 'evil.example:2100', '127.0.0.1.evil.example', '10.0.0.5']) {
    const response = await get('/api/v1/health', { host })
    t.match([response.statusCode, response.json()], [421, { code: 'HTTP_HOST', where: { host: /^/ } }], `host ${host}`)
  }
  const host = '127.0.0.1:2100'
  for (const origin of ['https://evil.example', 'null', 'http://127.0.0.1.evil.example']) {
    t.match(
      (await post('/api/v1/boards', { port: 'virtual:' }, { host, origin })).json(),
      { code: 'HTTP_HOST' },
      origin,
    )
  }
  t.equal((await post('/api/v1/boards', { port: 'virtual:' }, { host, origin: `http://${host}` })).statusCode, 201)
})

t.test('guard: beyond loopback every path wants the token, as header, query or the cookie that follows', async (t) => {
  const { get } = await testApp(t, { host: '0.0.0.0', token: 'open sesame' })
  const host = '192.168.1.7:2100'
  for (const url of ['/api/v1/health', '/openapi.json', '/api/v1/boards', '/docs/', '/']) {
    const refused = await get(url, { host })
    t.match([refused.statusCode, refused.json()], [401, { code: 'HTTP_TOKEN' }], url)
  }
  for (const authorization of ['Bearer wrong', 'Bearer ', 'open', 'Bearer open sesame!']) {
    t.equal((await get('/api/v1/health', { host, authorization })).statusCode, 401, authorization)
  }
  t.equal((await get('/api/v1/health', { host, authorization: 'Bearer open sesame' })).statusCode, 200)
  const first = await get('/api/v1/health?token=open%20sesame', { host })
  t.equal(first.statusCode, 200)
  const set = String(first.headers['set-cookie'])
  t.match(set, /HttpOnly; SameSite=Strict/)
  t.equal((await get('/api/v1/boards', { host, cookie: set.split(';')[0]! })).statusCode, 200)
  t.equal((await get('/api/v1/health', { host: 'evil.example', authorization: 'Bearer open sesame' })).statusCode, 421)
})

t.test('listen: beyond loopback a token is demanded, and a taken port is named', async (t) => {
  const given = await services(t)
  await throwsCode(t, 'HTTP_TOKEN', () => listen(given, '0.0.0.0:0', ''))
  const { app, url } = await listen(given, '127.0.0.1:0')
  t.teardown(() => app.close())
  t.match(url, /^http:\/\/127\.0\.0\.1:\d+\/$/)
  const error = await throwsCode(t, 'CONFLICT', () => listen(given, `127.0.0.1:${new URL(url).port}`))
  t.equal(error.where.address, `127.0.0.1:${new URL(url).port}`)
  t.same(
    ['2100', ':2100', '0.0.0.0:1', '[::1]:80', 'localhost:65535'].map((text) => parseListen(text)),
    [
      { host: '127.0.0.1', port: 2100 },
      { host: '127.0.0.1', port: 2100 },
      { host: '0.0.0.0', port: 1 },
      { host: '::1', port: 80 },
      { host: 'localhost', port: 65535 },
    ],
  )
  for (const text of ['', 'host', '1.2.3.4:', '1:2:3', '127.0.0.1:65536', 'x:1y']) {
    await throwsCode(t, 'USAGE', () => parseListen(text), `--listen ${text}`)
  }
})

t.test('artifacts: raw, multipart and JSON bodies are stored byte for byte and come back', async (t) => {
  const { get, post } = await testApp(t)
  const card = Buffer.from('{ "schema":   1 }\n')
  const notes = Buffer.from('not parsed either')
  const kmodel = Buffer.concat([Buffer.from([3, 0, 0, 0]), Buffer.alloc(200_000, 5)])
  const octets = { 'content-type': 'application/octet-stream' }
  const multipart = form('file', 'net.kmodel', kmodel, { note: 'first a text field' })
  const cases = [
    ['net.kmodel', 'kmodel', kmodel, await post('/api/v1/artifacts?name=net.kmodel', kmodel, octets)],
    ['net.kmodel', 'kmodel', kmodel, await post('/api/v1/artifacts', multipart.payload, multipart.headers)],
    [
      'net.card.json',
      'card',
      card,
      await post('/api/v1/artifacts?name=net.card.json', card, { 'content-type': 'application/json' }),
    ],
    [
      'notes.txt',
      'other',
      notes,
      await post('/api/v1/artifacts', notes, {
        'content-type': 'text/plain',
        'content-disposition': 'attachment; filename="notes.txt"',
      }),
    ],
  ] as const
  for (const [name, kind, bytes, response] of cases) {
    t.equal(response.statusCode, 201, response.body)
    t.same(response.json(), { artifact: { sha256: sha256(bytes), bytes: bytes.length, kind, name } })
    const back = await get(`/api/v1/artifacts/${sha256(bytes)}`)
    t.ok(bytes.equals(back.rawPayload), 'the same bytes')
    t.match(back.headers, {
      'content-length': String(bytes.length),
      'content-disposition': `attachment; filename="${name}"`,
    })
  }
  t.equal((await get('/api/v1/artifacts')).json().artifacts.length, 3, 'the same content is one artifact')
  const wrongField = form('model', 'net.kmodel', kmodel)
  const refused = await post('/api/v1/artifacts', wrongField.payload, wrongField.headers)
  t.match([refused.statusCode, refused.json()], [400, { code: 'HTTP_INVALID', where: { field: 'file' } }])
  t.match((await post('/api/v1/artifacts')).json(), { code: 'HTTP_INVALID' }, 'no body at all')
})

t.test('uploads beyond the limit are 413, raw and multipart, and leave nothing', async (t) => {
  const { get, post } = await testApp(t)
  const tooMuch = Buffer.alloc(HTTP_LIMITS.uploadBytes + 1)
  const octets = { 'content-type': 'application/octet-stream' }
  const multipart = form('file', 'big.bin', tooMuch)
  for (const response of [
    await post('/api/v1/artifacts', tooMuch, octets),
    await post('/api/v1/artifacts', multipart.payload, multipart.headers),
  ]) {
    t.match([response.statusCode, response.json()], [413, { code: 'HTTP_TOO_LARGE', status: 413 }])
  }
  const json = { padding: 'x'.repeat(HTTP_LIMITS.jsonBytes) }
  t.equal((await post('/api/v1/boards', json)).statusCode, 413, 'a JSON request')
  t.same((await get('/api/v1/artifacts')).json(), { artifacts: [] })
})

t.test('uploads without a length are cut off at the limit', async (t) => {
  const { app, url } = await listen(await services(t), '127.0.0.1:0')
  t.teardown(() => app.close())
  const piece = Buffer.alloc(1 << 20)
  let sent = 0
  const body = new ReadableStream({
    pull(controller) {
      sent += piece.length
      controller.enqueue(piece)
      if (sent > HTTP_LIMITS.uploadBytes * 2) controller.close()
    },
  })
  const headers = { 'content-type': 'application/octet-stream' }
  const init: RequestInit & { duplex: 'half' } = { method: 'POST', headers, body, duplex: 'half' }
  const status = await fetch(`${url}api/v1/artifacts`, init).then(
    (response) => response.status,
    () => 413, // the connection was closed while we sent
  )
  t.equal(status, 413)
  t.ok(sent < HTTP_LIMITS.uploadBytes * 1.6, `${sent >> 20} MiB were taken`)
  const { artifacts } = (await (await fetch(`${url}api/v1/artifacts`)).json()) as { artifacts: unknown[] }
  t.same(artifacts, [])
})

t.test('jobs: listed, shown with result or error, progress as events, cancelled by DELETE', async (t) => {
  const { app, url, jobs } = await (async () => {
    const given = await services(t)
    return { ...(await listen(given, '127.0.0.1:0')), ...given }
  })()
  t.teardown(() => app.close())
  const job = jobs.start('flash', async ({ progress, signal }) => {
    for (let done = 1; done <= 4; done++) {
      await delay(40, undefined, { signal })
      progress({ stage: 'write', done, total: 4, unit: 'steps' })
    }
    return { sentBytes: 12 }
  })
  const events = await (await fetch(`${url}api/v1/jobs/${job.id}/events`)).text()
  const seen = [...events.matchAll(/^event: job\ndata: (.*)$/gm)].map(([, data]) => JSON.parse(data!))
  t.match(seen[0], { id: job.id, state: 'running' })
  t.match(seen.at(-1), { state: 'done', progress: 1, result: { sentBytes: 12 } }, 'the stream ends with the job')
  t.ok(
    seen.some(({ progress, etaMs }) => progress > 0 && progress < 1 && etaMs > 0),
    'with the time left',
  )
  const late = await (await fetch(`${url}api/v1/jobs/${job.id}/events`)).text()
  t.match(late, /"state":"done"/, 'an ended job says so and ends')

  const slow = jobs.start('compile', ({ signal }) => delay(30_000, undefined, { signal }))
  const cancelled = await fetch(`${url}api/v1/jobs/${slow.id}`, { method: 'DELETE' })
  t.equal(cancelled.status, 202)
  await jobs.wait(slow.id)
  const shown = async (id: string) => (await (await fetch(`${url}api/v1/jobs/${id}`)).json()) as { job: object }
  t.match(await shown(slow.id), { job: { kind: 'compile', state: 'cancelled' } })
  const failing = jobs.start('deploy', async () => {
    throw new BridgeError('KMODEL_VERSION', { what: 'version 5', where: { offset: 4 }, fix: 'Compile again.' })
  })
  await jobs.wait(failing.id)
  t.match(await shown(failing.id), {
    job: {
      state: 'failed',
      error: { code: 'KMODEL_VERSION', what: 'version 5', where: { offset: 4 }, fix: /Compile/ },
    },
  })
  const list = (await (await fetch(`${url}api/v1/jobs`)).json()) as { jobs: object[] }
  t.match(list.jobs, [{ id: job.id }, { id: slow.id }, { id: failing.id }])
})

t.test('events: a reader that does not read costs no memory and then gets the newest', async (t) => {
  const given = await services(t)
  const { app, url } = await listen(given, '127.0.0.1:0')
  t.teardown(() => app.close())
  const device = await given.fleet.add('virtual:', 'desk')
  const socket = connect(Number(new URL(url).port), '127.0.0.1')
  t.teardown(() => socket.destroy())
  socket.write('GET /api/v1/boards/desk/events HTTP/1.1\r\nHost: localhost\r\n\r\n')
  await new Promise((resolve) => socket.once('readable', resolve))
  const padding = 'x'.repeat(20_000)
  const emitter = (device as unknown as { emitter: NodeJS.EventEmitter }).emitter // to play a busy board
  const before = process.memoryUsage().rss
  for (let frameId = 0; frameId < 5000; frameId++) {
    emitter.emit('result', { boardId: 'desk', frameId, padding })
    if (frameId % 100 === 0) await delay(1)
  }
  const grownMib = (process.memoryUsage().rss - before) / 2 ** 20
  t.ok(grownMib < 80, `100 MB of events grew the process by ${grownMib.toFixed(1)} MiB`)
  let text = ''
  socket.on('data', (data) => {
    text += data
  })
  for (let i = 0; i < 200 && !text.includes('"frameId":4999'); i++) await delay(25)
  const ids = [...text.matchAll(/"frameId":(\d+)/g)].map(([, id]) => Number(id))
  t.equal(ids.at(-1), 4999, 'the newest')
  t.ok(ids.length < 2500, `${ids.length} of 5000 were sent`)
})

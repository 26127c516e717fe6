import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { packageFile } from '../../host/foundation/paths.js'

/** The built command line; tests of whole processes need `npm run build` before. */
export const cliPath = packageFile('dist', 'host', 'cli.js')
export const isBuilt = existsSync(cliPath)
export const notBuilt = 'dist/ is absent: run npm run build first'

/** A running `demo` or `serve`. */
export interface DaemonProcess {
  readonly url: string
  readonly startMs: number
  stderr(): string
  stop(): Promise<number | null>
}

/** Starts the daemon on a free port with an empty data folder and waits for the page's URL on stdout. */
export async function startDaemon(
  command: 'demo' | 'serve',
  args: readonly string[] = [],
  timeoutMs = 90_000,
): Promise<DaemonProcess> {
  const data = await mkdtemp(join(tmpdir(), 'k210-bridge-test-'))
  const started = Date.now()
  const child = spawn(process.execPath, [cliPath, command, '--listen', '127.0.0.1:0', '--data', data, ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let stderr = ''
  child.stderr.on('data', (chunk) => {
    stderr += chunk
  })
  const url = await pageUrl(child, timeoutMs).catch((error) => {
    child.kill('SIGKILL')
    throw new Error(`${error.message}\n${stderr}`)
  })
  return {
    url,
    startMs: Date.now() - started,
    stderr: () => stderr,
    stop: async () => {
      const ended = new Promise<number | null>((resolve) => child.once('exit', resolve))
      if (child.exitCode === null) child.kill('SIGINT')
      const timer = setTimeout(() => child.kill('SIGKILL'), 10_000)
      const code = child.exitCode ?? (await ended)
      clearTimeout(timer)
      await rm(data, { recursive: true, force: true })
      return code
    },
  }
}

function pageUrl(child: ChildProcess, timeoutMs: number): Promise<string> {
  return new Promise((resolve, reject) => {
    let stdout = ''
    const timer = setTimeout(() => reject(new Error(`no page URL within ${timeoutMs} ms`)), timeoutMs)
    child.stdout!.on('data', (chunk) => {
      stdout += chunk
      const url = /http:\/\/\S+/.exec(stdout)?.[0]
      if (!url) return
      clearTimeout(timer)
      resolve(url)
    })
    child.once('exit', (code) => {
      clearTimeout(timer)
      reject(new Error(`the process ended with ${code} before it printed a URL`))
    })
  })
}

/** Reads server-sent events until `take` returns true. */
export async function readEvents(
  url: string,
  take: (event: string, data: unknown) => boolean,
  timeoutMs = 30_000,
): Promise<void> {
  const abort = new AbortController()
  const timer = setTimeout(() => abort.abort(new Error(`events did not come within ${timeoutMs} ms`)), timeoutMs)
  try {
    const response = await fetch(url, { signal: abort.signal })
    const decoder = new TextDecoder()
    let text = ''
    for await (const chunk of response.body!) {
      text += decoder.decode(chunk as Uint8Array, { stream: true })
      for (let end = text.indexOf('\n\n'); end >= 0; end = text.indexOf('\n\n')) {
        const block = text.slice(0, end)
        text = text.slice(end + 2)
        const event = /^event: (.*)$/m.exec(block)?.[1]
        const data = /^data: (.*)$/m.exec(block)?.[1]
        if (event && data && take(event, JSON.parse(data))) return
      }
    }
  } finally {
    clearTimeout(timer)
    abort.abort()
  }
}

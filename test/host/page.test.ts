import { existsSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { chromium } from 'playwright-core'
import t from 'tap'
import { isBuilt, notBuilt, startDaemon } from '../support/daemon-process.js'

const browserPath = ['/usr/bin/chromium', '/usr/bin/google-chrome'].find(existsSync)
const skip = !isBuilt ? notBuilt : browserPath === undefined ? 'Chromium is absent' : false

t.test(
  'live page in a real browser: picture, boxes, figures, link counters and log appear',
  { skip, timeout: 180_000 },
  async (t) => {
    const daemon = await startDaemon('demo', ['--no-open'])
    t.teardown(() => daemon.stop())
    const browser = await chromium.launch({
      executablePath: browserPath,
      args: [
        '--no-sandbox',
        '--disable-gpu',
        '--disable-quic',
        '--no-first-run',
        '--disable-background-networking',
        '--disable-component-update',
        '--disable-sync',
      ],
    })
    t.teardown(() => browser.close())
    const page = await browser.newPage({ viewport: { width: 1100, height: 800 } })
    const problems: string[] = []
    page.on('pageerror', (error) => problems.push(error.message))
    page.on('console', (message) => message.type() === 'error' && problems.push(message.text()))
    await page.goto(daemon.url)
    await page.waitForSelector('#state.running', { timeout: 60_000 })
    await page.waitForFunction(() => Number(document.documentElement.dataset.frame) > 0, undefined, { timeout: 30_000 })
    await page.waitForFunction(() => /^\d/.test(document.querySelector('#fps')!.textContent!), undefined, {
      timeout: 15_000,
    })

    const first = Number(await page.getAttribute('html', 'data-frame'))
    await page.waitForFunction((before) => Number(document.documentElement.dataset.frame) > before + 5, first, {
      timeout: 15_000,
    })
    t.pass('frame ids go on')

    const colours = await page.evaluate(() => {
      const canvas = document.querySelector<HTMLCanvasElement>('#view')!
      const { data } = canvas.getContext('2d')!.getImageData(0, 0, canvas.width, canvas.height)
      const seen = new Set<number>()
      for (let i = 0; i < data.length; i += 4 * 97) seen.add((data[i]! << 16) | (data[i + 1]! << 8) | data[i + 2]!)
      return { width: canvas.width, count: seen.size }
    })
    t.ok(colours.count > 500, `the canvas shows a photograph (${colours.count} colours)`)
    t.match(await page.textContent('#link'), /frames/, 'link counters are listed')
    t.match(await page.textContent('#facts'), /slot 0/, 'the model slot is listed')
    t.ok((await page.locator('#log li').count()) > 0, 'the log has lines')
    await page.screenshot({ path: join(tmpdir(), 'k210-bridge-page.png') })
    await page.setViewportSize({ width: 390, height: 844 })
    const overflow = await page.evaluate(
      () => document.documentElement.scrollWidth - document.documentElement.clientWidth,
    )
    t.equal(overflow, 0, 'nothing sticks out on a phone')
    await page.screenshot({ path: join(tmpdir(), 'k210-bridge-page-phone.png') })
    t.same(problems, [], 'no errors in the console')
  },
)

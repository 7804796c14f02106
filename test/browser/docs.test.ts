import type { Browser, BrowserContext, Page } from 'playwright-core'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { operationsOf, parseDocument } from '../facade/docs/documented.ts'
import { ask, countPayments, openFacade, PRODUCTION, type TestFacade } from '../facade/harness.ts'
import { findChromium, hearComplaints, startBrowser } from '../support/browser.ts'

const CHROMIUM = await findChromium()

/** A phone and a desk, pixels wide. */
const WIDTHS = [390, 1280]

/** How often the wheel is turned until a heading shows, at most. */
const MOST_TURNS = 400

/** For so long it may be laid out anew while other tests run, ms. */
const LAYOUT_MS = 20_000

/** To look at the whole page takes a browser long while other tests run, ms. */
const TIMEOUT_MS = 120_000

/** How one asks, by the language that the page shows it in. */
const CALLS = { Shell: 'curl ', 'Node.js': 'fetch(', Python: 'requests.post(', PHP: 'curl_init(' }

/** Reads all that a page has stored in its browser. */
const KEPT = `(async () => {
  const kept = [JSON.stringify(localStorage), JSON.stringify(sessionStorage), document.cookie]
  for (const { name } of await indexedDB.databases()) {
    const opening = indexedDB.open(name)
    await new Promise((resolve) => { opening.onsuccess = resolve })
    for (const store of opening.result.objectStoreNames) {
      const reading = opening.result.transaction(store).objectStore(store).getAll()
      await new Promise((resolve) => { reading.onsuccess = resolve })
      kept.push(JSON.stringify(reading.result))
    }
    opening.result.close()
  }
  return kept.join()
})()`

describe.skipIf(CHROMIUM === null)('the documentation in a browser', () => {
  let test: TestFacade
  let browser: Browser
  /** One for all tests, so that the browser has the reference's script compiled after the first of them. */
  let context: BrowserContext
  let page: Page
  /** What the operations are called. */
  let summaries: string[]
  /** What the browser said and asked that it should not have. */
  let complaints: string[]

  beforeAll(async () => {
    test = await openFacade({ config: { callbackUrlPolicy: PRODUCTION } })
    const document = parseDocument((await ask(test, 'GET /api/v1/openapi.json')).body)
    summaries = operationsOf(document).map(({ operation }) => operation.summary)
    browser = await startBrowser(CHROMIUM ?? '')
    context = await browser.newContext()
  })
  afterAll(async () => {
    await browser.close()
    await test.stop()
  })

  beforeEach(async () => {
    page = await context.newPage()
    complaints = hearComplaints(page, test.url)
  })
  afterEach(() => page.close())

  const open = async (path: string, width: number): Promise<void> => {
    await page.setViewportSize({ width, height: 900 })
    await page.goto(`${test.url}${path}`)
    await page.locator('h1').first().waitFor()
  }

  /** By how much the page is wider than what shows it, pixels. */
  const overhang = () => page.evaluate<number>('document.documentElement.scrollWidth - window.innerWidth')

  const isAtEnd = () =>
    page.evaluate<boolean>('scrollY + innerHeight >= document.documentElement.scrollHeight - 2')

  it.each(WIDTHS)(
    'shows every operation, the schemas, and the guide with its examples, %i pixels wide, and asks nobody else',
    async (width) => {
      await open('/docs', width)
      await page.locator('h2', { hasText: 'Payments' }).waitFor()
      expect(await overhang()).toBe(0)
      // What is further down is rendered when it comes into view.
      for (const heading of [...summaries, 'Outcomes', 'Schemas']) {
        const place = page.getByRole('heading', { name: heading }).first()
        await page.mouse.move(width / 2, 450)
        for (let turns = 0; !(await place.isVisible()); turns += 1) {
          if (turns > MOST_TURNS) throw new Error(`there is no heading ${heading}`)
          await page.mouse.wheel(0, (await isAtEnd()) ? -1_000_000 : 600)
        }
        await place.scrollIntoViewIfNeeded()
        // It is laid out anew while it is rendered.
        await expect.poll(overhang, { timeout: LAYOUT_MS }).toBe(0)
      }
      await page.getByRole('link', { name: 'Guide', exact: true }).click()
      await page.getByRole('heading', { name: 'Verify the signature' }).waitFor()
      expect(await overhang()).toBe(0)
      expect(complaints).toEqual([])
      await page.getByRole('link', { name: 'verify.py' }).click()
      await page.waitForURL('**/docs/verify/verify.py')
      expect(await page.locator('body').innerText()).toContain('import hmac')
    },
    TIMEOUT_MS,
  )

  it('asks for a payment with a key, and shows the guide’s answer', async () => {
    await open('/docs', 1280)
    await page.getByRole('button', { name: /Test Request.*stk_push/s }).click()
    const dialog = page.getByRole('dialog')
    await dialog.locator('input[placeholder]').first().fill(test.apiKey)
    await dialog
      .getByRole('button', { name: /^Send\b/ })
      .first()
      .click()
    const answer = dialog.getByText('STK Push accepted for processing')
    await answer.waitFor()
    expect(await countPayments(test)).toBe(1)
    // The key is gone with the page: nothing of it is kept in the browser.
    expect(await page.evaluate<string>(KEPT)).not.toContain(test.apiKey)
    await open('/docs', 1280)
    expect(await page.locator('input[placeholder]').first().inputValue()).toBe('')
    expect(complaints).toEqual([])
  })

  it('finds an operation by its words', async () => {
    await open('/docs', 1280)
    await page
      .getByRole('button', { name: /Search/ })
      .first()
      .click()
    const wanted = summaries.at(-1) ?? ''
    await page.keyboard.type(wanted)
    await page.getByRole('option', { name: wanted }).first().waitFor()
    expect(complaints).toEqual([])
  })

  it('shows how to ask in each language', async () => {
    await open('/docs', 1280)
    for (const [language, call] of Object.entries(CALLS)) {
      await page.getByRole('tab', { name: language }).click()
      const sample = page.locator('pre', { hasText: '/api/v1/mpesa/stk_push' }).first()
      await expect.poll(() => sample.innerText(), { message: language }).toContain(call)
      expect(await sample.innerText()).toContain('254712345678')
    }
    expect(complaints).toEqual([])
  })
})

import { readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import type { Browser, Page } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { GROUPS } from '../../src/console/page/layout.ts'
import { openConsole, type TestConsole } from '../console/harness.ts'
import { findChromium, hearComplaints, startBrowser } from '../support/browser.ts'
import { fillConsole } from './full-console.ts'

const CHROMIUM = await findChromium()

/** A phone at night and a desk by day. */
const SCREENS = [
  { width: 390, scheme: 'dark' },
  { width: 1280, scheme: 'light' },
] as const

/** A browser takes long while other tests run, ms. */
const TIMEOUT_MS = 120_000

/** The same for a walk through all pages, each of which is looked through from end to end. */
const WALK_TIMEOUT_MS = 360_000

/** Every page that somebody with all rights comes to without an id. */
const PATHS = [...GROUPS.map(({ path }) => path), '/me', '/keys']

/** What the browser itself says of a page that is refused. */
const REFUSED = /^Failed to load resource: the server responded with a status of 40[34]/

type Violation = { id: string; nodes: { html: string; failureSummary?: string }[] }

describe.skipIf(CHROMIUM === null)('the console in a browser', () => {
  let test: TestConsole
  let browser: Browser
  let cookie: string
  let axe: string
  /** The pages that show something of what was put there. */
  let filled: string[]

  beforeAll(async () => {
    axe = await readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')
    test = await openConsole()
    filled = await fillConsole(test)
    cookie = (await test.as('money')).cookies.get('console_session') ?? ''
    browser = await startBrowser(CHROMIUM ?? '')
  })
  afterAll(async () => {
    await browser.close()
    await test.stop()
  })

  /** Opens a page as somebody who is signed in, or not; `complaints`: what the browser said and asked that it should not. */
  const open = async (
    path: string,
    how: { width: number; scheme?: 'dark' | 'light'; signedIn?: boolean },
  ) => {
    const { width, scheme = 'light', signedIn = true } = how
    const context = await browser.newContext({
      viewport: { width, height: 800 },
      colorScheme: scheme,
      bypassCSP: false,
    })
    if (signedIn) await context.addCookies([{ name: 'console_session', value: cookie, url: test.url }])
    const page = await context.newPage()
    const complaints = hearComplaints(page, test.url)
    await page.goto(`${test.url}${path}`)
    return { page, complaints, close: () => context.close() }
  }

  /** By how much the page is wider than what shows it, pixels. */
  const overhang = (page: Page) =>
    page.evaluate<number>('document.documentElement.scrollWidth - window.innerWidth')

  /** What axe-core finds. It is run by the browser itself, which no policy of a page keeps from it. */
  const findings = async (page: Page): Promise<string[]> => {
    await page.evaluate(axe)
    const violations = await page.evaluate<Violation[]>('axe.run().then(({ violations }) => violations)')
    return violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(' ')}`)
  }

  /** What is wrong with the page that is shown. */
  const wrongWith = async (page: Page): Promise<string[]> => {
    const [headings, wider] = [await page.locator('h1').count(), await overhang(page)]
    return [
      ...(headings === 1 ? [] : [`it has ${headings} first headings`]),
      ...(wider > 0 ? [`it is ${wider} pixels too wide`] : []),
      ...(await findings(page)),
    ]
  }

  it.each(SCREENS)(
    'every page is whole and accessible on data that fills it, $width pixels wide, in the $scheme',
    async ({ width, scheme }) => {
      const { page, complaints, close } = await open('/keys', { width, scheme })
      const wrong: string[] = []
      for (const path of [...PATHS, ...filled]) {
        const response = await page.goto(`${test.url}${path}`)
        if (response?.status() !== 200) wrong.push(`${path} is answered ${response?.status()}`)
        wrong.push(...(await wrongWith(page)).map((one) => `${path}: ${one}`))
      }
      expect(wrong).toEqual([])
      expect(complaints).toEqual([])
      await close()
    },
    WALK_TIMEOUT_MS,
  )

  it.each(SCREENS)(
    'what is refused is said on a page that is whole and accessible, $width pixels wide, in the $scheme',
    async ({ width, scheme }) => {
      const looking = (await test.as('look')).cookies.get('console_session') ?? ''
      const { page, complaints, close } = await open('/sign-in', { width, scheme, signedIn: false })
      expect(await wrongWith(page)).toEqual([])
      await page.context().addCookies([{ name: 'console_session', value: looking, url: test.url }])
      const settle = filled.find((path) => path.endsWith('/settle')) ?? ''
      for (const [path, status] of [
        [settle, 403],
        ['/payments/999999', 404],
      ] as const) {
        expect((await page.goto(`${test.url}${path}`))?.status()).toBe(status)
        expect(await wrongWith(page)).toEqual([])
      }
      expect(complaints.filter((text) => !REFUSED.test(text))).toEqual([])
      await close()
    },
    TIMEOUT_MS,
  )

  it(
    'signs in by the code behind the # of a link, and takes it out of the address',
    async () => {
      const { operators } = test.parts.clientsOf({ name: 'a test', from: 'the suite' })
      const made = await operators.createOperator({ name: 'wanjiku', role: 'look' })
      const { page, complaints, close } = await open(`/sign-in/link#${made.signInCode}`, {
        width: 390,
        signedIn: false,
      })
      await expect.poll(() => page.url()).toBe(`${test.url}/sign-in/link`)
      expect(await findings(page)).toEqual([])
      await page.keyboard.press('Tab')
      await page.getByRole('button', { name: 'Sign in' }).click()
      await page.getByText('Signed in as wanjiku.').waitFor()
      expect(complaints).toEqual([])
      await close()
    },
    TIMEOUT_MS,
  )

  it(
    'is used by the keyboard: the first Tab leads past the navigation',
    async () => {
      const { page, close } = await open('/operators', { width: 1280 })
      await page.keyboard.press('Tab')
      expect(await page.evaluate('document.activeElement.textContent')).toBe('To the content')
      await page.keyboard.press('Enter')
      expect(await page.evaluate('document.activeElement.id')).toBe('content')
      await close()
    },
    TIMEOUT_MS,
  )

  it(
    'says beside Approvals how many wait, and lets them be decided',
    async () => {
      const { page, complaints, close } = await open('/approvals', { width: 390 })
      await page.getByRole('link', { name: 'Approvals 2 wait for you', exact: true }).waitFor()
      await page.getByRole('button', { name: 'Refuse 2', exact: true }).click()
      await page.getByText('Approval 2 is refused.').waitFor()
      await page.getByRole('link', { name: 'Approvals 1 waits for you', exact: true }).waitFor()
      expect(await wrongWith(page)).toEqual([])
      expect(complaints).toEqual([])
      await close()
    },
    TIMEOUT_MS,
  )
})

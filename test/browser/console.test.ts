import type { Browser } from 'playwright-core'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { GROUPS } from '../../src/console/page/layout.ts'
import { openConsole, type TestConsole } from '../console/harness.ts'
import { findChromium, hearComplaints, startBrowser } from '../support/browser.ts'
import { fillConsole } from './full-console.ts'
import { wrongInScheme, wrongOnPaper, wrongWith } from './look-at.ts'
import { cancelAndRetryAll, makePartner, pauseAndResume, settleDry } from './without-script.ts'

const CHROMIUM = await findChromium()

/** A phone at night and a desk by day; the other scheme of each has other colours and nothing else. */
const SCREENS = [
  { width: 390, scheme: 'dark', other: 'light' },
  { width: 1280, scheme: 'light', other: 'dark' },
] as const

/** A browser takes long while other tests run, ms. */
const TIMEOUT_MS = 120_000

/** What a page shows when something was pressed is there within this, ms. */
const STEP_TIMEOUT_MS = 15_000

/** The same for a walk through all pages, each of which is looked through from end to end. */
const WALK_TIMEOUT_MS = 360_000

/** Every page that somebody with all rights comes to without an id. */
const PATHS = [...GROUPS.map(({ path }) => path), '/me', '/keys']

/** What the browser itself says of a page that is refused. */
const REFUSED = /^Failed to load resource: the server responded with a status of 4\d\d/

describe.skipIf(CHROMIUM === null)('the console in a browser', () => {
  let test: TestConsole
  let browser: Browser
  let cookie: string
  /** The pages that show something of what was put there. */
  let filled: string[]

  beforeAll(async () => {
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
    how: { width: number; scheme?: 'dark' | 'light'; signedIn?: boolean; script?: boolean },
  ) => {
    const { width, scheme = 'light', signedIn = true, script = true } = how
    const context = await browser.newContext({
      viewport: { width, height: 800 },
      colorScheme: scheme,
      bypassCSP: false,
    })
    // The pages have no other script, and axe-core needs a browser that runs some.
    if (!script) await context.route('**/*.js', (route) => route.fulfill({ contentType: 'text/javascript' }))
    if (signedIn) await context.addCookies([{ name: 'console_session', value: cookie, url: test.url }])
    const page = await context.newPage()
    page.setDefaultTimeout(STEP_TIMEOUT_MS)
    const complaints = hearComplaints(page, test.url)
    await page.goto(`${test.url}${path}`)
    return { page, complaints, close: () => context.close() }
  }

  it.each(SCREENS)(
    'every page is whole and accessible on data that fills it, $width pixels wide, in the $scheme',
    async ({ width, scheme, other }) => {
      const { page, complaints, close } = await open('/keys', { width, scheme })
      const wrong: string[] = []
      for (const path of [...PATHS, ...filled]) {
        const response = await page.goto(`${test.url}${path}`)
        if (response?.status() !== 200) wrong.push(`${path} is answered ${response?.status()}`)
        const found = [
          ...(await wrongWith(page)),
          ...(await wrongInScheme(page, { other, own: scheme })),
          ...(width === 1280 ? await wrongOnPaper(page) : []),
        ]
        wrong.push(...found.map((one) => `${path}: ${one}`))
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
      expect(await wrongWith(page)).toEqual([])
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
    'does everything without script: each page that an action leads to is whole and accessible',
    async () => {
      const { operators } = test.parts.clientsOf({ name: 'a test', from: 'the suite' })
      const made = await operators.createOperator({ name: 'amina', role: 'money' })
      const how = { width: 390, scheme: 'dark', signedIn: false, script: false } as const
      const { page, complaints, close } = await open('/sign-in/link', how)
      await page.getByLabel('Code').fill(made.signInCode ?? '')
      await page.getByRole('button', { name: 'Sign in' }).click()
      await page.getByText('Signed in as amina.').waitFor()
      await settleDry(page, test.url, wrongWith)
      const endpoint = filled.find((path) => path.startsWith('/deliveries/endpoint?')) ?? ''
      await pauseAndResume(page, `${test.url}${endpoint}`, wrongWith)
      await cancelAndRetryAll(page, test.url, wrongWith)
      await makePartner(page, test.url, wrongWith)
      expect(complaints.filter((text) => !REFUSED.test(text))).toEqual([])
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

import type { Page } from 'playwright-core'
import { expect } from 'vitest'

/** Looks at the page that is shown now, and says what is wrong with it. */
type Look = (page: Page) => Promise<string[]>

/** Every action leads to a page, which may have the address and the heading of the one before: it is there once it is loaded. */
const leadsOn = (page: Page, action: Promise<void>): Promise<unknown> =>
  Promise.all([page.waitForEvent('load'), action])

const press = (page: Page, name: string | RegExp): Promise<unknown> =>
  leadsOn(
    page,
    page
      .getByRole('button', { name, exact: typeof name === 'string' })
      .first()
      .click(),
  )

const follow = (page: Page, name: string): Promise<unknown> =>
  leadsOn(page, page.getByRole('link', { name, exact: true }).first().click())

/** Holds that the page is the one of the heading, and that nothing is wrong with it. */
const arrive = async (page: Page, title: RegExp, look: Look): Promise<void> => {
  expect(await page.locator('h1').textContent()).toMatch(title)
  expect({ title, wrong: await look(page) }).toEqual({ title, wrong: [] })
}

/** Finds a payment by its id, and looks at what settling it by hand would do. */
export const settleDry = async (page: Page, url: string, look: Look): Promise<void> => {
  await page.goto(`${url}/payments`)
  await page.getByLabel('Find by anything').fill('1')
  await press(page, 'Find')
  await arrive(page, /^Payment 1$/, look)
  await follow(page, 'Settle by hand')
  await page.getByLabel('M-PESA’s receipt').fill('no receipt')
  await page.getByLabel('Why').fill('on the statement')
  await press(page, 'Show what it would do')
  await arrive(page, /^Settle payment 1$/, look)
  await page.getByLabel('How it ended').selectOption('failed')
  await page.getByLabel('M-PESA’s receipt').fill('')
  await press(page, 'Show what it would do')
  await arrive(page, /^Settle payment 1\?$/, look)
}

/** Pauses an endpoint, and lets it go on. */
export const pauseAndResume = async (page: Page, endpoint: string, look: Look): Promise<void> => {
  await page.goto(endpoint)
  await press(page, 'Pause')
  await page.getByText('It is paused:').waitFor()
  await arrive(page, /example$/, look)
  await press(page, 'Resume')
  await page.getByText('It is resumed.').waitFor()
  await arrive(page, /example$/, look)
}

/** Cancels every delivery that is held, and retries the cancelled ones. */
export const cancelAndRetryAll = async (page: Page, url: string, look: Look): Promise<void> => {
  await page.goto(`${url}/deliveries?state=held`)
  await follow(page, 'Cancel all that fit…')
  await arrive(page, /^Cancel all that fit$/, look)
  await page.getByLabel('Why').fill('the shop is closed')
  await press(page, /^Cancel \d+ deliver/)
  await arrive(page, /^Cancelled$/, look)
  await follow(page, 'Retry the cancelled ones…')
  await press(page, /^Retry \d+ deliver/)
  await arrive(page, /^Retried$/, look)
}

/** Makes a partner, and has a test callback refused that no payment of it could have. */
export const makePartner = async (page: Page, url: string, look: Look): Promise<void> => {
  await page.goto(`${url}/partners`)
  await page.getByLabel('Name').fill('Duka la Amina')
  await press(page, 'Create the partner')
  await arrive(page, /^Partner \d+ is created$/, look)
  expect(await page.locator('pre').allTextContents()).toEqual([
    expect.stringMatching(/^mpg_/),
    expect.stringMatching(/^whsec_/),
  ])
  await follow(page, 'To the partner')
  await page.getByLabel('Callback URL').fill('https://127.0.0.1/told')
  await press(page, 'Send test callbacks')
  await page.getByText('Nothing was sent').waitFor()
  await arrive(page, /^Test callbacks$/, look)
}

import type { Page } from 'playwright-core'
import { startBrowser } from '../support/browser.ts'
import type { Click, Night, Way } from './play-night.ts'
import { asThere, commandOf, consolePathOf, type Section, sectionText } from './runbook.ts'
import type { Stage } from './stage.ts'

/** Somebody who is signed in to the console, in a browser. */
export type NightConsole = { way: Way; close(): Promise<void> }

/** Something shows within this, ms; other tests run. */
const SHOWS_MS = 20_000

/** Starts the console and a browser, and signs in by the link that the shell prints. */
export const openNightConsole = async (stage: Stage, chromium: string): Promise<NightConsole> => {
  await using opening = new AsyncDisposableStack()
  const console = await stage.gateway.start('console')
  const browser = opening.adopt(await startBrowser(chromium), (one) => one.close())
  const page = await browser.newPage()
  page.setDefaultTimeout(SHOWS_MS)
  const printed = await stage.shell.type('gateway operators create --name wanjiku --role money')
  const link = /http\S+#\S+/.exec(printed)?.[0]
  if (link === undefined) throw new Error(`no link was printed: ${printed}`)
  await page.goto(link)
  const button = page.getByRole('button', { name: 'Sign in' })
  if (await button.isVisible()) await Promise.all([page.waitForEvent('load'), button.click()])
  const url = console.ready['console_url'] ?? ''
  await page.getByRole('heading', { name: 'Now' }).waitFor()
  const opened = opening.move()
  return { way: byConsole(page, url), close: () => opened.disposeAsync() }
}

/**
 * Clicks from *Now*, where a sentence tells of what is wrong, and from the page that the section of the runbook leads
 * to. What no page can do, for it is on another machine's disk or a service, is typed as the runbook shows it.
 */
const byConsole = (page: Page, url: string): Way => ({
  unit: 'clicks',
  mend: async (stage, night, places) => {
    let count = 1
    let shown = await openNow(page, url, night)
    const start = await consolePathOf(night.runbook)
    if (start !== '/') {
      await page.goto(`${url}${start}`)
      count += 1
    }
    for (const step of night.clicks) {
      if (typeof step === 'function') {
        await step(stage)
        continue
      }
      count += 1
      if ('type' in step) {
        const own = asThere(await commandOf(night.runbook, step.type, []), places)
        shown += `$ ${own}\n${await stage.shell.type(own)}`
      } else {
        await requireShown(night.runbook, step, places)
        await take(page, step, places)
        shown += `${await saying(page)}\n`
      }
    }
    return { count, shown }
  },
  hasCleared: async ({ sentence }) => {
    await page.goto(url)
    if (sentence !== null && (await sentenceOf(page, sentence).count()) > 0)
      throw new Error(`Now still says ${sentence}: ${await saying(page)}`)
  },
})

/** What is clicked or filled in stands in the section, but for what is of the night itself, like a host. */
const requireShown = async (
  section: Section,
  step: Exclude<Click, { type: string }>,
  places: Readonly<Record<string, string>>,
): Promise<void> => {
  const words = 'fill' in step ? step.fill : step.click
  if (asThere(words, places) !== words) return
  const text = (await sectionText(section)).replaceAll(/\s+/g, ' ')
  if (!text.includes(`*${words}*`)) throw new Error(`${section.join(', ')} does not say *${words}*`)
}

const sentenceOf = (page: Page, name: string) => page.locator(`li[data-name="${name}"]`)

/** Opens *Now*, which brings itself up to date, and waits until it tells of the night. */
const openNow = async (page: Page, url: string, { sentence }: Night): Promise<string> => {
  await page.goto(url)
  if (sentence !== null) await sentenceOf(page, sentence).waitFor()
  return `${await saying(page)}\n`
}

/** Where the page is, and what is told there. */
const saying = async (page: Page): Promise<string> =>
  `── ${new URL(page.url()).pathname}\n${await page.locator('main').innerText()}`

const take = async (
  page: Page,
  step: Exclude<Click, { type: string }>,
  places: Readonly<Record<string, string>>,
): Promise<void> => {
  if ('fill' in step) return page.getByLabel(asThere(step.fill, places)).fill(asThere(step.with, places))
  const name = asThere(step.click, places)
  const found = page
    .locator(`${step.at ?? 'main'} :is(a, button, summary)`)
    .filter({
      hasText: new RegExp(`^\\s*${name.replaceAll(/[.*+?^${}()|[\]\\]/g, String.raw`\$&`)}\\s*$`),
      visible: true,
    })
    .first()
  if (step.ifShown === true && (await found.count()) === 0) return
  await found.waitFor()
  // A summary opens what is there already.
  if ((await found.and(page.locator('summary')).count()) > 0) return found.click()
  await Promise.all([page.waitForEvent('load'), found.click()])
}

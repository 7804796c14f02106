import { readFile } from 'node:fs/promises'
import { createRequire } from 'node:module'
import type { Page } from 'playwright-core'

/** What of A4 is printed on, pixels: 210 mm without the margins. */
const PAPER_WIDTH = 703

const axe = await readFile(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8')

type Violation = { id: string; nodes: { html: string; failureSummary?: string }[] }

/** What axe-core finds, of all its rules or of one. It is run by the browser itself, which no policy of a page keeps from it. */
const findings = async (page: Page, rule: string | null): Promise<string[]> => {
  if (!(await page.evaluate<boolean>(`'axe' in window`))) await page.evaluate(axe)
  const options = { resultTypes: ['violations'], ...(rule !== null && { runOnly: [rule] }) }
  const run = `axe.run(${JSON.stringify(options)}).then(({ violations }) => violations)`
  const violations = await page.evaluate<Violation[]>(run)
  return violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(' ')}`)
}

/** By how much the page is wider than what shows it, pixels. */
const overhang = (page: Page): Promise<number> =>
  page.evaluate<number>('document.documentElement.scrollWidth - window.innerWidth')

/** What is wrong with the page that is shown, as it is shown. */
export const wrongWith = async (page: Page): Promise<string[]> => {
  const [headings, wider] = [await page.locator('h1').count(), await overhang(page)]
  return [
    ...(headings === 1 ? [] : [`it has ${headings} first headings`]),
    ...(wider > 0 ? [`it is ${wider} pixels too wide`] : []),
    ...(await findings(page, null)),
  ]
}

/** Whether its colours can be told apart in the other scheme too; `page` is left in its own. */
export const wrongInScheme = async (
  page: Page,
  { other, own }: { other: 'dark' | 'light'; own: 'dark' | 'light' },
): Promise<string[]> => {
  await page.emulateMedia({ colorScheme: other })
  const found = await findings(page, 'color-contrast')
  await page.emulateMedia({ colorScheme: own })
  return found.map((one) => `in the ${other}: ${one}`)
}

/** Whether it fits paper; `page` is left on its screen. */
export const wrongOnPaper = async (page: Page): Promise<string[]> => {
  const screen = page.viewportSize() ?? { width: 1280, height: 800 }
  await page.emulateMedia({ media: 'print' })
  await page.setViewportSize({ width: PAPER_WIDTH, height: 1000 })
  const wider = await overhang(page)
  const shown = await page.locator('button:visible, nav:visible').count()
  await page.emulateMedia({ media: 'screen' })
  await page.setViewportSize(screen)
  return [
    ...(wider > 0 ? [`on paper it is ${wider} pixels too wide`] : []),
    ...(shown > 0 ? [`on paper it has ${shown} things to press`] : []),
  ]
}

import { readFile } from 'node:fs/promises'
import type { Marked } from 'marked'
import { escapeHtml, renderPage } from './page.ts'

const GUIDE = new URL('../../../docs/partner-guide.md', import.meta.url)

/** The pages of our documentation that partners read here: the file's name, where it is, and the page's name. */
const PAGES = [
  { name: 'guide', title: 'Partner guide', linked: 'partner-guide.md', file: GUIDE },
  {
    name: 'simulator',
    title: 'The simulator',
    linked: 'simulator.md',
    file: new URL('../../../docs/simulator.md', import.meta.url),
  },
] as const

export const PAGE_NAMES = PAGES.map(({ name }) => name)

/** The examples that the guide links to, by name. */
const EXAMPLES: ReadonlyMap<string, URL> = new Map([
  ['verify.mjs', new URL('../../../docs/verify/verify.mjs', import.meta.url)],
  ['verify.py', new URL('../../../docs/verify/verify.py', import.meta.url)],
  ['verify.php', new URL('../../../docs/verify/verify.php', import.meta.url)],
])

export const EXAMPLE_NAMES: readonly string[] = [...EXAMPLES.keys()]

const STYLE = `
main { font: 16px/1.6 system-ui, sans-serif; color: var(--ink); max-width: 52rem; margin: 0 auto; padding: 1rem 1.25rem 4rem }
main :is(h1, h2, h3) { line-height: 1.25; margin: 2.5rem 0 1rem; scroll-margin-top: calc(var(--bar) + 1rem) }
main h1 { margin-top: 1rem }
main code, main pre { font: 0.875em/1.5 ui-monospace, monospace; background: var(--soft); border-radius: 4px }
main code { padding: 0.1em 0.3em; overflow-wrap: anywhere }
main pre { padding: 0.8rem; overflow-x: auto }
main pre code { padding: 0; background: none; overflow-wrap: normal }
main td:first-child code { white-space: nowrap }
main .wide { overflow-x: auto }
main table { border-collapse: collapse; width: 100% }
main :is(th, td) { text-align: left; vertical-align: top; padding: 0.4rem 0.8rem 0.4rem 0; border-bottom: 1px solid var(--line) }`

/** A page for partners, by its name. Rejects when its file cannot be read. */
export const renderGuidePage = async (name: (typeof PAGE_NAMES)[number]): Promise<string> => {
  const page = PAGES.find((one) => one.name === name) ?? PAGES[0]
  const markdown = await openMarkdown()
  const html = await markdown.parse(await readFile(page.file, 'utf8'))
  return renderPage({
    title: page.title,
    current: `docs/${name}`,
    up: '../',
    style: STYLE,
    body: `<main>${html}</main>`,
  })
}

/** The partners' guide as it is written, in Markdown. */
export const readGuide = (): Promise<string> => readFile(GUIDE, 'utf8')

/** The text of an example that verifies signatures; null where there is none of this name. */
export const readExample = async (name: string): Promise<string | null> => {
  const file = EXAMPLES.get(name)
  return file === undefined ? null : readFile(file, 'utf8')
}

/** Loaded with the first reader: `serve` starts without it. */
const openMarkdown = async (): Promise<Marked> => {
  const { Marked } = await import('marked')
  return new Marked({
    renderer: {
      heading({ tokens, depth, text }) {
        return `<h${depth} id="${anchorOf(text)}">${this.parser.parseInline(tokens)}</h${depth}>\n`
      },
      // What is not served here is named and not linked.
      link({ href, tokens }) {
        const text = this.parser.parseInline(tokens)
        const target = servedAt(href)
        return target === null ? text : `<a href="${escapeHtml(target)}">${text}</a>`
      },
    },
    hooks: {
      // A table that is wider than a phone is pushed aside alone, not with the page.
      postprocess: (html) =>
        html.replaceAll('<table>', '<div class="wide"><table>').replaceAll('</table>', '</table></div>'),
    },
  })
}

/** Where a link of a page leads from its page here; null where it leads to a file that is not served. */
const servedAt = (href: string): string | null => {
  if (/^(?:https:|#)/.test(href)) return href
  const [file = '', anchor] = href.split('#')
  const page = PAGES.find(({ linked }) => linked === file)
  if (page !== undefined) return anchor === undefined ? page.name : `${page.name}#${anchor}`
  return EXAMPLES.has(file.replace(/^verify\//, '')) ? href : null
}

/** The anchor of a heading, as links in the guide name it. */
const anchorOf = (heading: string): string =>
  heading
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N} _-]/gu, '')
    .replaceAll(' ', '-')

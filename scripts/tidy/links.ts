import { posix } from 'node:path'
import { type Finding, matchesIn, type ProjectFile, type Rule } from './project.ts'

const LINK = /\]\(([^)\s]+)\)/g

/** A file or folder that a page names as a path from the root: `src/core/payments/states.ts`. */
const NAMED_PATH = /`((?:src|test|docs|scripts|proto|bench|clients|examples)\/[\w./-]*\w)(?:\/)?`/g

/** Every file that a page links to or names is there, and so is every heading that a link goes to. */
export const links: Rule = (files) => {
  const texts = new Map(files.map((file) => [file.path, file.text]))
  const pages = files.filter((file) => file.path.endsWith('.md'))
  const linked = pages.flatMap((page) =>
    matchesIn(page, LINK).flatMap(({ line, match }) =>
      report(page, line, judgeLink(page, match[1] ?? '', texts)),
    ),
  )
  const named = pages.flatMap((page) =>
    matchesIn(page, NAMED_PATH).flatMap(({ line, match }) =>
      report(page, line, exists(match[1] ?? '', texts) ? null : `there is no ${match[1]}`),
    ),
  )
  return [...linked, ...named]
}

const report = (page: ProjectFile, line: number, problem: string | null): Finding[] =>
  problem === null ? [] : [{ path: page.path, line, problem }]

const judgeLink = (page: ProjectFile, target: string, texts: ReadonlyMap<string, string>): string | null => {
  if (/^[a-z]+:/.test(target)) return null
  const [file = '', heading] = target.split('#')
  const path = file === '' ? page.path : posix.join(posix.dirname(page.path), file)
  if (!exists(path, texts)) return `the link leads to ${path}, which is not there`
  const text = texts.get(path)
  if (heading === undefined || text === undefined || headingsOf(text).includes(heading)) return null
  return `${path} has no heading #${heading}`
}

/** Generated code is not among the texts, so its folder is taken on trust. */
const exists = (path: string, texts: ReadonlyMap<string, string>): boolean =>
  texts.has(path) ||
  path.startsWith('src/gen') ||
  [...texts.keys()].some((one) => one.startsWith(`${path.replace(/\/$/, '')}/`))

/** The anchors of a page's headings, as GitHub and its kin make them. */
const headingsOf = (text: string): string[] =>
  [...text.matchAll(/^#+ (.+)$/gm)].map((match) =>
    (match[1] ?? '')
      .toLowerCase()
      .replaceAll(/[^\p{L}\p{N} _-]/gu, '')
      .replaceAll(' ', '-'),
  )

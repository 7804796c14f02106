import { ALERTS } from '../alerts/alerts.ts'
import type { Finding, ProjectFile, Rule } from './project.ts'

const FOLDER = 'docs/runbooks'

/** What a person who is woken looks for in a section, in its order. */
const PARTS = ['Console:', 'hell', '**It means**', '**Partners notice**', '**It is over when**'] as const

/** How every page begins: whatever has woken somebody, it is there in a sentence. */
const BEGINNING = 'Console: `/`. Shell: `gateway status`.'

/** Every page begins alike. Every alert has a section on the page that its link leads to, which says what each of them says; no other alert has one. */
export const runbooks: Rule = (files) => {
  const pages = files.filter(({ path }) => path.startsWith(`${FOLDER}/`))
  return [
    ...pages.flatMap(judgeBeginning),
    ...ALERTS.flatMap((alert) => judge(alert, pages)),
    ...pages.flatMap(gone),
  ]
}

const judgeBeginning = ({ path, text }: ProjectFile): Finding[] => {
  const [, , first = ''] = text.split('\n')
  if (path.endsWith('README.md') || first.startsWith(BEGINNING)) return []
  return [{ path, line: 3, problem: `does not begin with "${BEGINNING}"` }]
}

const judge = ({ name, page }: { name: string; page: string }, pages: readonly ProjectFile[]): Finding[] => {
  const path = `${FOLDER}/${page}.md`
  const section = sectionNamed(name, pages.find((one) => one.path === path)?.text ?? '')
  if (section === null) return [{ path, line: 1, problem: `has no section ## ${name}` }]
  return PARTS.filter((part) => !section.text.includes(part)).map((part) => ({
    path,
    line: section.line,
    problem: `${name} does not say "${part}"`,
  }))
}

const gone = ({ path, text }: ProjectFile): Finding[] =>
  [...text.matchAll(/^## (Gateway\w+)$/gm)]
    .filter(([, name]) => !ALERTS.some((alert) => alert.name === name))
    .map(([, name]) => ({ path, line: 1, problem: `there is no alert ${name}` }))

/** The text below a heading of the second level, up to the next, and the line of the heading; null where it is missing. */
export const sectionNamed = (heading: string, page: string): { text: string; line: number } | null => {
  const start = `\n${page}`.indexOf(`\n## ${heading}\n`)
  if (start < 0) return null
  const rest = page.slice(start + heading.length + 3)
  const end = rest.search(/^## /m)
  return { text: end < 0 ? rest : rest.slice(0, end), line: page.slice(0, start).split('\n').length }
}

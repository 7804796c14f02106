import { type Finding, matchesIn, type ProjectFile, type Rule } from './project.ts'

/** The page with the table of risks, between its two marks. */
const PAGE = 'docs/security.md'
const TABLE = /<!-- risks:start -->([^]*)<!-- risks:end -->/

/** OWASP's API Security Top 10 numbers its risks from 1. */
const RISKS = Array.from({ length: 10 }, (_one, index) => `API${index + 1}`)

/** What stands at the ways in: each must be named by a line of the table. */
const WAYS_IN = ['REST', 'gRPC', 'Connect', 'callbacks', 'docs', 'ops', 'deliveries']

/**
 * The table of risks has a line for each of the ten and each way in, and each line names a test that holds it. That the files
 * are there is for the rule `links`.
 */
export const risks: Rule = (files) => {
  const page = files.find((file) => file.path === PAGE)
  const table = TABLE.exec(page?.text ?? '')?.[1]
  if (page === undefined || table === undefined)
    return [{ path: PAGE, line: 1, problem: 'has no table of risks' }]
  const lines = matchesIn(page, /^\| .*$/gm).filter(({ match }) => table.includes(match[0]))
  const rows = lines.filter(({ match }) => !/^\| (?:Way in|---) \|/.test(match[0]))
  const untested = rows
    .filter(({ match }) => !/`test\/[\w./-]+\.test\.ts`/.test(match[0].split('|').at(-2) ?? ''))
    .map(({ line }): Finding => ({ path: PAGE, line, problem: 'names no test that holds it' }))
  return [
    ...untested,
    ...RISKS.filter((risk) => !cellsOf(rows, 2).some((cell) => cell.split(' ').includes(risk))).map(
      missing(page),
    ),
    ...WAYS_IN.filter((way) => !cellsOf(rows, 1).some((cell) => cell.includes(way))).map(missing(page)),
  ]
}

const cellsOf = (rows: readonly { match: RegExpExecArray }[], column: number): string[] =>
  rows.map(({ match }) => match[0].split('|')[column]?.trim() ?? '')

const missing =
  (page: ProjectFile) =>
  (what: string): Finding => ({
    path: page.path,
    line: 1,
    problem: `the table of risks has no line for ${what}`,
  })

import { readFileSync } from 'node:fs'

// The figures that the README shows are those of bench/RESULTS.md: there they are brought up to date.

const RESULTS = 'bench/RESULTS.md'

/** The headings in the results whose tables the README shows. */
const FIGURES = 'What users ask for'
const COSTS = 'Where the CPU of a payment goes'

const readResults = (): string => readFileSync(new URL(`../../${RESULTS}`, import.meta.url), 'utf8')

/** The table below a heading; throws where there is none. */
const tableBelow = (page: string, heading: string): string[] => {
  const [, below = ''] = page.split(new RegExp(`^#+ ${heading}$`, 'm'))
  const [section = ''] = below.split(/^#/m)
  const rows = section.split('\n').filter((line) => line.startsWith('|'))
  if (rows.length < 3) throw new Error(`${RESULTS} has no table below "${heading}"`)
  return rows
}

/** What users ask for, with links that lead from the README. */
export const figuresAsMarkdown = (results = readResults()): string[] =>
  tableBelow(results, FIGURES).map((row) => row.replaceAll('](#', `](${RESULTS}#`).replaceAll('](../', ']('))

/** Where the CPU of a payment goes, as a picture; each row of the table is a part and its milliseconds. */
export const costsAsMarkdown = (results = readResults()): string[] => {
  const [, , ...rows] = tableBelow(results, COSTS)
  const parts = rows.map((row) => {
    const [, part = '', ms = ''] = row.split('|').map((cell) => cell.trim().replaceAll('`', ''))
    if (Number.isNaN(Number.parseFloat(ms))) throw new Error(`${RESULTS}: "${ms}" must be milliseconds`)
    return `  "${part}" : ${ms}`
  })
  return ['```mermaid', 'pie showData title CPU of a payment, ms', ...parts, '```']
}

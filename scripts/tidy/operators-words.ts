import { type Finding, matchesIn, type ProjectFile, type Rule } from './project.ts'

/** The page that tells an operator what each line of the log and each metric means. */
const PAGE = 'docs/operations.md'

const EVENT = /\bevent: (?:'([^']+)'|`([^`]+)`)/g
const METRIC = /'(gateway_[a-z0-9_]+)'/g

type Named = { path: string; line: number; name: string }

/** Every event that the log can hold and every metric of ours is explained on the operators' page, and nothing else is. */
export const operatorsWords: Rule = (files) => {
  const page = files.find((file) => file.path === PAGE)
  if (!page) return [{ path: PAGE, line: 1, problem: 'is missing' }]
  const explained = namesExplained(page)
  const used = files.filter((file) => /^src\/.*\.ts$/.test(file.path)).flatMap(namesUsed)
  const unexplained = used
    .filter(({ name }) => !explained.some((one) => toPattern(name).test(one.name)))
    .map(({ path, line, name }): Finding => ({ path, line, problem: `${name} is not explained in ${PAGE}` }))
  const gone = explained
    .filter(({ name }) => !used.some((one) => toPattern(one.name).test(name)))
    .map(({ path, line, name }): Finding => ({ path, line, problem: `nothing in src says ${name}` }))
  return [...unexplained, ...gone]
}

const namesUsed = (file: ProjectFile): Named[] =>
  [...matchesIn(file, EVENT), ...matchesIn(file, METRIC)].map(({ line, match }) => ({
    path: file.path,
    line,
    name: match[1] ?? match[2] ?? '',
  }))

/** The first cells of the tables whose first column is headed `event` or `metric`. */
const namesExplained = (page: ProjectFile): Named[] => {
  let isInTable = false
  return page.text.split('\n').flatMap((text, index): Named[] => {
    if (/^\| (?:event|metric) \|/.test(text)) isInTable = true
    else if (!text.startsWith('|')) isInTable = false
    const name = isInTable ? /^\| `([a-z0-9_]+)` \|/.exec(text)?.[1] : undefined
    return name === undefined ? [] : [{ path: page.path, line: index + 1, name }]
  })
}

/** A name with a part that is filled in at run time, `payment_${…}`, stands for every name of that form. */
const toPattern = (name: string): RegExp => new RegExp(`^${name.replaceAll(/\$\{[^}]*\}/g, '[a-z0-9_]+')}$`)

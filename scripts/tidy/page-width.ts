import type { Finding, ProjectFile, Rule } from './project.ts'

/** How wide a line of prose may be, characters. */
const WIDEST = 120

/** Tables, headings and comments are one line however long they are. */
const ONE_LINE = /^\s*(?:\||#|<!--)/

const FENCE = /^\s*(?:```|~~~)/

/** What has no place for a line break: a link, a piece of code, or a word. */
const UNBREAKABLE = /\[[^\]]*\]\([^)]*\)|`[^`]*`|\S+/g

/** Finds prose in the pages that is wider than 120 characters although it could be wrapped. */
export const pageWidth: Rule = (files) =>
  files.filter(({ path }) => path.endsWith('.md')).flatMap((page) => wideLines(page))

const wideLines = ({ path, text }: ProjectFile): Finding[] => {
  let isCode = false
  return text.split('\n').flatMap((line, index) => {
    if (FENCE.test(line)) isCode = !isCode
    const isProse = !isCode && !FENCE.test(line) && !ONE_LINE.test(line)
    if (!isProse || line.length <= WIDEST || hasLongPart(line)) return []
    const problem = `the line has ${line.length} characters: wrap it at ${WIDEST}`
    return [{ path, line: index + 1, problem }]
  })
}

const hasLongPart = (line: string): boolean =>
  [...line.matchAll(UNBREAKABLE)].some(([part]) => part.length > WIDEST)

import { type Finding, matchesIn, type Rule } from './project.ts'

/** Where statements are; a migration runs once, before anything is prepared. */
const STATEMENTS = /^src\/(?!database\/migrations\/|gen\/|simulator\/)/

/** Every column of a table, by Kysely, by `*`, or by the table's name and `*`. What is in a LATERAL is no result by itself. */
const STARS = /\bselectAll\(|\bRETURNING \*|(?<!LATERAL \()\bSELECT \*\s+FROM (?:TABLES)\b|\b(?:TABLES)\.\*/
  .source

const SCHEMA = 'src/database/schema/schema.ts'

/**
 * A statement names the columns it reads: a column that a migration adds changes the result of one that reads them all, and
 * Postgres then refuses it on every connection that has it prepared.
 */
export const namedColumns: Rule = (files): Finding[] => {
  const schema = files.find(({ path }) => path === SCHEMA)
  const tables = schema ? matchesIn(schema, /^ {2}(\w+): \w+Table$/gm).map(({ match }) => match[1]) : []
  const pattern = new RegExp(STARS.replaceAll('TABLES', tables.join('|') || 'payments'), 'g')
  return files
    .filter(({ path }) => STATEMENTS.test(path))
    .flatMap((file) =>
      matchesIn(file, pattern).map(({ line, match }) => ({
        path: file.path,
        line,
        problem: `name the columns instead of "${match[0]}": a new one must not change a prepared statement`,
      })),
    )
}

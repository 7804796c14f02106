import type { Brand } from './brand.ts'
import { invalid, type Parsed, valid } from './parsed.ts'
import { toVisibleLine } from './visible-text.ts'

/** A partner's own pairs for one payment, checked. */
export type Metadata = Brand<Readonly<Record<string, string>>, 'Metadata'>

/** The bounds of metadata: pairs, and characters of a name and of a value. */
export const MAX_METADATA_PAIRS = 10
export const MAX_METADATA_NAME_CHARACTERS = 40
export const MAX_METADATA_VALUE_CHARACTERS = 500

/** What a name looks like: one that begins with `_` could be one that JavaScript has a use for. */
export const METADATA_NAME_PATTERN = /^[A-Za-z0-9][A-Za-z0-9_.-]{0,39}$/

/** The field of a pair in messages to people. */
export const metadataField = (name: string): string => `metadata.${name}`

/** What is wrong about metadata: which field, and the end of the sentence that begins with it. */
export type MetadataRefusal = { field: string; problem: string }

/**
 * Checks a partner's pairs; null for none. `unreadable`: fields that were given as something that the message cannot
 * hold, `metadata` or `metadata.<name>`.
 */
export const parseMetadata = (
  pairs: Readonly<Record<string, string>>,
  unreadable: readonly string[] = [],
): { metadata: Metadata | null } | { refusal: MetadataRefusal } => {
  if (unreadable.includes('metadata'))
    return refuse('metadata', 'must be an object of strings, like {"order":"17"}')
  const names = Object.keys(pairs)
  for (const field of unreadable) {
    if (!field.startsWith(metadataField(''))) continue
    const name = field.slice(metadataField('').length)
    return METADATA_NAME_PATTERN.test(name) ? refuse(field, VALUE_PROBLEM) : refuseName(name)
  }
  if (names.length > MAX_METADATA_PAIRS)
    return refuse('metadata', `must have at most ${MAX_METADATA_PAIRS} pairs`)
  for (const name of names) {
    if (!METADATA_NAME_PATTERN.test(name)) return refuseName(name)
    const value = parseValue(pairs[name] ?? '')
    if (!value.ok) return refuse(metadataField(name), value.problem)
  }
  return { metadata: names.length === 0 ? null : (pairs as Metadata) }
}

const VALUE_PROBLEM = `must be a string of at most ${MAX_METADATA_VALUE_CHARACTERS} visible characters, without line breaks`

const parseValue = (value: string): Parsed<string> =>
  value.isWellFormed() &&
  countCharacters(value) <= MAX_METADATA_VALUE_CHARACTERS &&
  toVisibleLine(value) === value
    ? valid(value)
    : invalid(VALUE_PROBLEM)

/** Of the characters beyond the first plane each counts once. */
const countCharacters = (text: string): number => Array.from(text).length

const refuseName = (name: string): { refusal: MetadataRefusal } =>
  refuse(
    'metadata',
    `must have names of 1 to ${MAX_METADATA_NAME_CHARACTERS} letters, digits, "_", "." and "-" that begin with a letter or a digit, not ${JSON.stringify(toVisibleLine(name.slice(0, MAX_METADATA_NAME_CHARACTERS + 1)))}`,
  )

const refuse = (field: string, problem: string): { refusal: MetadataRefusal } => ({
  refusal: { field, problem },
})

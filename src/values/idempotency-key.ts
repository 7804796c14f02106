import type { Brand } from './brand.ts'
import { invalid, type Parsed, valid } from './parsed.ts'

/** A partner's own name for one payment; compared exactly, within the partner. */
export type IdempotencyKey = Brand<string, 'IdempotencyKey'>

/** The longest key, characters. */
export const MAX_IDEMPOTENCY_KEY_CHARACTERS = 255

const PRINTABLE = /^[\x20-\x7e]{1,255}$/

/**
 * Parses 1 to 255 printable ASCII characters, no blank at either end. A header's value has none: HTTP takes them away,
 * so that with them the same text would be one key in a header and another in a message. Null is what is no single
 * header line.
 */
export const parseIdempotencyKey = (text: string | null): Parsed<IdempotencyKey> => {
  if (text === null || !PRINTABLE.test(text) || text.trim() === '')
    return invalid(
      `must be 1 to ${MAX_IDEMPOTENCY_KEY_CHARACTERS} printable ASCII characters in one header line, like a UUID`,
    )
  return hasBlankEnds(text) ? invalid('must have no blank at either end') : valid(text as IdempotencyKey)
}

/** A key that the release before took out of a message, blanks and all; null for every other text. */
export const parseBlankEndedKey = (text: string): IdempotencyKey | null =>
  PRINTABLE.test(text) && hasBlankEnds(text) ? (text as IdempotencyKey) : null

/** Parses a key that is looked for: also one that is stored and that no request may have any more. */
export const parseSoughtKey = (text: string | null): Parsed<IdempotencyKey> => {
  const stored = parseBlankEndedKey(text ?? '')
  return stored === null ? parseIdempotencyKey(text) : valid(stored)
}

const hasBlankEnds = (text: string): boolean => text.startsWith(' ') || text.endsWith(' ')

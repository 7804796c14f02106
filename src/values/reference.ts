import type { Brand } from './brand.ts'
import { invalid, type Parsed, valid } from './parsed.ts'

/** A partner's own reference, kept in full. */
export type Reference = Brand<string, 'Reference'>

/** The longest reference, characters. */
export const MAX_REFERENCE_CHARACTERS = 64

const PRINTABLE = /^[\p{L}\p{M}\p{N}\p{P}\p{S}\p{Zs}]{1,64}$/u

/** Parses 1 to 64 printable characters, of any script; null is what is no string. */
export const parseReference = (text: string | null): Parsed<Reference> =>
  text !== null && PRINTABLE.test(text)
    ? valid(text as Reference)
    : invalid(`must be a string of 1 to ${MAX_REFERENCE_CHARACTERS} printable characters`)

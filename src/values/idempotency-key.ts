import type { Brand } from './brand.ts'
import { invalid, type Parsed, valid } from './parsed.ts'

/** A partner's own name for one payment; compared exactly, within the partner. */
export type IdempotencyKey = Brand<string, 'IdempotencyKey'>

/** Parses 1 to 255 printable ASCII characters. */
export const parseIdempotencyKey = (text: string): Parsed<IdempotencyKey> =>
  /^[\x20-\x7e]{1,255}$/.test(text)
    ? valid(text as IdempotencyKey)
    : invalid('must be 1 to 255 printable ASCII characters in one header line, like a UUID')

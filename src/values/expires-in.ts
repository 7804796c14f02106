import type { Brand } from './brand.ts'
import { invalid, type Parsed, valid } from './parsed.ts'

/** For how long a payer may be prompted after the request, seconds. */
export type ExpiresInSeconds = Brand<number, 'ExpiresInSeconds'>

export const MIN_EXPIRES_IN_SECONDS = 10
export const MAX_EXPIRES_IN_SECONDS = 86_400

/** A payer pays within so long of when the prompt may have come at the latest, seconds. */
export const PAID_WITHIN_S = 3_600

/** M-PESA's clock and that of Postgres differ by less, seconds. */
export const CLOCKS_DIFFER_S = 300

/** Parses a whole number of seconds, 10 to a day; null is what is no such number. */
export const parseExpiresIn = (seconds: number | null): Parsed<ExpiresInSeconds> =>
  seconds !== null &&
  Number.isInteger(seconds) &&
  seconds >= MIN_EXPIRES_IN_SECONDS &&
  seconds <= MAX_EXPIRES_IN_SECONDS
    ? valid(seconds as ExpiresInSeconds)
    : invalid(`must be a whole number of seconds from ${MIN_EXPIRES_IN_SECONDS} to ${MAX_EXPIRES_IN_SECONDS}`)

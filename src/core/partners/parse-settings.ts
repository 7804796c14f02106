import { MAX_AMOUNT_KES } from '../../values/amount.ts'
import { parseCallbackHost } from '../../values/callback-host.ts'
import { invalid, type Parsed, valid } from '../../values/parsed.ts'

/** What a partner may be allowed in a second at most: more than one Postgres takes. */
const MAX_REQUESTS_PER_SECOND = 100_000

/** What a partner may ask for in a day at most, KES: a number that every client can hold. */
const MAX_DAILY_KES = 1_000_000_000_000

const MAX_HOSTS = 50

/** Parses a list of allowed hosts. */
export const parseCallbackHosts = (texts: readonly string[]): Parsed<string[]> => {
  if (texts.length > MAX_HOSTS) return invalid(`must be at most ${MAX_HOSTS} hosts`)
  const hosts: string[] = []
  for (const text of texts) {
    const host = parseCallbackHost(text)
    if (!host.ok) return host
    hosts.push(host.value)
  }
  return valid(hosts)
}

const wholeUpTo =
  (max: number) =>
  (number: number): Parsed<number> =>
    Number.isSafeInteger(number) && number >= 1 && number <= max
      ? valid(number)
      : invalid(`must be a whole number from 1 to ${max}`)

export const parseRequestsPerSecond = wholeUpTo(MAX_REQUESTS_PER_SECOND)

export const parseMaxPaymentKes = wholeUpTo(MAX_AMOUNT_KES)

export const parseMaxDailyKes = wholeUpTo(MAX_DAILY_KES)

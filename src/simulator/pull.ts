import { LRUCache } from 'lru-cache'
import { z } from 'zod'
import type { Clock } from '../runtime/clock.ts'
import { fromDarajaTimestamp, toGuideInstant } from '../values/instant.ts'
import { parseMsisdn } from '../values/msisdn.ts'
import { field, type Route, readFields, shortcodeField } from './calls.ts'
import type { Choose } from './choose.ts'
import type { Entry, Ledger, Transaction } from './ledger.ts'
import type { Tokens } from './oauth.ts'

import { Refused, UNKNOWN_MERCHANT } from './wrong-reply.ts'

/** Rows in one answer at most. */
const ROWS_A_PAGE = 100
/** How far back transactions are listed. */
const TOLD_FOR_MS = 48 * 60 * 60 * 1000
const MAX_SHORTCODES = 1_000

const REGISTRATION = z.object({
  ShortCode: shortcodeField,
  RequestType: field((text) => text === 'Pull').optional(),
  NominatedNumber: field((text) => parseMsisdn(text).ok).optional(),
  CallBackURL: field((text) => URL.canParse(text)).optional(),
})

/** `2026-05-04 21:04:10` in East Africa Time; null when it names no instant. */
const instantOf = (text: string): Date | null =>
  /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d$/.test(text) ? fromDarajaTimestamp(text.replaceAll(/\D/g, '')) : null

const instantField = field((text) => instantOf(text) !== null).transform(
  (text) => instantOf(text)?.getTime() ?? 0,
)

const PULL = z.object({
  ShortCode: shortcodeField,
  StartDate: instantField,
  EndDate: instantField,
  /** Counts rows. */
  OffSetValue: field((text) => /^\d{1,9}$/.test(text)).transform(Number),
})

type Row = { entry: Entry; transaction: Transaction }

/** A row as the API writes it: the amount is text, the date UTC. */
const rowView = ({ entry, transaction }: Row): Record<string, unknown> => ({
  transactionId: transaction.receipt,
  trxDate: toGuideInstant(transaction.at),
  msisdn: Number(entry.phone),
  billreference: entry.account_reference,
  amount: transaction.amount.toFixed(2),
})

/** What a shortcode was paid from `StartDate` to `EndDate`, both included, in the order of payment. */
const rowsOf = (ledger: Ledger, asked: z.infer<typeof PULL>, now: Date): Row[] => {
  const from = Math.max(asked.StartDate, now.getTime() - TOLD_FOR_MS)
  // The end names a whole second.
  const until = asked.EndDate + 1000
  return ledger
    .prompts()
    .filter(({ entry }) => entry.shortcode === asked.ShortCode)
    .flatMap(({ entry }) => entry.transactions.map((transaction) => ({ entry, transaction })))
    .filter(({ transaction: { at } }) => at.getTime() >= from && at.getTime() < until)
    .sort((one, other) => one.transaction.at.getTime() - other.transaction.at.getTime())
}

/**
 * Pull Transactions: `POST /pulltransactions/v1/register`, once for a shortcode, then `POST /pulltransactions/v1/query`
 * lists what the shortcode was paid in a window of time, a page at a time.
 */
export const registerPull = (
  route: Route,
  options: { tokens: Tokens; choose: Choose; ledger: Ledger; clock: Clock },
): void => {
  const { tokens, choose, ledger, clock } = options
  const registered = new LRUCache<string, true>({ max: MAX_SHORTCODES })

  route('POST', '/pulltransactions/v1/register', ({ headers, body, id }) => {
    const consumerKey = tokens.consumerKeyOf(headers.authorization)
    const { ShortCode } = readFields(body, REGISTRATION)
    const { fault, secondRegistration } = choose.pull(ShortCode, consumerKey)
    const isKnown = registered.has(ShortCode)
    registered.set(ShortCode, true)
    const right = {
      ResponseRefID: id,
      ResponseStatus: isKnown ? '1001' : '1000',
      ShortCode,
      ResponseDescription: `ShortCode ${isKnown ? 'already Registered' : 'Registered Successfully'}`,
    }
    return { right, wrong: (isKnown ? secondRegistration : undefined) ?? fault }
  })

  route('POST', '/pulltransactions/v1/query', ({ headers, body, id }) => {
    const consumerKey = tokens.consumerKeyOf(headers.authorization)
    const asked = readFields(body, PULL)
    const { fault, pullRows, offsetStandsStill } = choose.pull(asked.ShortCode, consumerKey)
    if (!registered.has(asked.ShortCode)) throw new Refused(UNKNOWN_MERCHANT)
    const offset = offsetStandsStill ? 0 : asked.OffSetValue
    const rows = rowsOf(ledger, asked, clock())
      .slice(offset, offset + ROWS_A_PAGE)
      .map(rowView)
    const isEmpty = rows.length === 0
    const right = {
      ResponseRefID: id,
      ResponseCode: isEmpty ? '1001' : '1000',
      ResponseMessage: isEmpty ? 'No transactions found' : 'Success',
      // A list in a list: so it is documented.
      Response: isEmpty || pullRows === 'flat' ? rows : [rows],
    }
    return { right, wrong: fault }
  })
}

import { sql, type Transaction } from 'kysely'
import type { RowOf, Schema } from '../../database/schema/schema.ts'
import { HELD_UNTIL } from '../daraja/back-off.ts'
import { PATHS } from './links.ts'
import { begun, counted, countOf, lengthOf, MOST_COUNTED, verb } from './phrases.ts'
import { type Sentence, sentence } from './sentence.ts'

/** How long a payment may wait for its push, seconds. */
const LATE_SECONDS = 10

/** Accounts of Daraja whose duties are looked at at most. */
const MOST_ACCOUNTS = 50

/** An account that Daraja holds off; `partner` is whose own account it is, null: the gateway's. */
export type HeldAccount = RowOf<'daraja_accounts', 'shortcode' | 'held_since' | 'held_code'> & {
  partner_id: bigint | null
  partner: string | null
}

/** Payments of an account that wait for their push for too long; one more than are counted at most. */
export type LatePushes = {
  shortcode: string | null
  partner_id: bigint | null
  partner: string | null
  late: number
  since: Date
}

export type DarajaFacts = { held: HeldAccount[]; late: LatePushes[] }

export const readDaraja = async (transaction: Transaction<Schema>): Promise<DarajaFacts> => ({
  held: await readHeld(transaction),
  late: await readLate(transaction),
})

/** Which shortcode is that of the gateway's own account, a setting says: here it is one that is no partner's. */
const readHeld = async (transaction: Transaction<Schema>): Promise<HeldAccount[]> => {
  const { rows } = await sql<HeldAccount>`
    SELECT daraja_accounts.shortcode, coalesce(held_since, held_until) AS held_since, held_code,
           own.partner_id, own.name AS partner
    FROM daraja_accounts LEFT JOIN LATERAL (
      SELECT a.partner_id, p.name FROM partner_accounts a JOIN partners p ON p.id = a.partner_id
      WHERE a.shortcode = daraja_accounts.shortcode AND a.ended_at IS NULL LIMIT 1
    ) own ON true
    WHERE ${HELD_UNTIL} > now()
    ORDER BY daraja_accounts.shortcode LIMIT ${MOST_ACCOUNTS}
  `.execute(transaction)
  return rows
}

/** A walk along the index to each account that has duties, and of each to those that wait. */
const readLate = async (transaction: Transaction<Schema>): Promise<LatePushes[]> => {
  const { rows } = await sql<LatePushes>`
    WITH RECURSIVE accounts AS (
      (SELECT account_id FROM to_submit WHERE account_id >= 0 ORDER BY account_id LIMIT 1)
      UNION ALL
      SELECT (
        SELECT duties.account_id FROM to_submit duties
        WHERE duties.account_id > accounts.account_id ORDER BY duties.account_id LIMIT 1
      ) FROM accounts WHERE accounts.account_id IS NOT NULL
    )
    SELECT own.shortcode, own.partner_id, p.name AS partner, waiting.late, waiting.since
    FROM (SELECT account_id FROM accounts WHERE account_id IS NOT NULL LIMIT ${MOST_ACCOUNTS}) accounts
    CROSS JOIN LATERAL (
      SELECT count(*)::integer AS late, min(due_at) AS since FROM (
        SELECT due_at FROM to_submit duties
        WHERE duties.account_id = accounts.account_id AND leased_until <= now()
          AND due_at < now() - make_interval(secs => ${LATE_SECONDS})
        ORDER BY due_at LIMIT ${MOST_COUNTED + 1}
      ) few
    ) waiting
    LEFT JOIN partner_accounts own ON own.id = accounts.account_id
    LEFT JOIN partners p ON p.id = own.partner_id
    WHERE waiting.late > 0
    ORDER BY accounts.account_id
  `.execute(transaction)
  return rows
}

/** Pure. Payments of an account that is held wait for that: they have no sentence of their own. */
export const tellDaraja = ({ held, late }: DarajaFacts, now: Date): Sentence[] => {
  const heldAccounts = new Set(held.map(accountOf))
  return [
    ...held.map((one) =>
      tellHeld(one, late.find((waiting) => accountOf(waiting) === accountOf(one)) ?? null, now),
    ),
    ...late.filter((one) => !heldAccounts.has(accountOf(one))).map((one) => tellLate(one, now)),
  ]
}

/** An account by its owner: the gateway has one alone. */
const accountOf = ({ partner_id, shortcode }: Pick<LatePushes, 'partner_id' | 'shortcode'>): string =>
  partner_id === null ? 'own' : `${partner_id} ${shortcode}`

/** From when on a hold is no short pause, ms. */
const LONG_MS = 60_000

const tellHeld = (one: HeldAccount, late: LatePushes | null, now: Date): Sentence => {
  const since = one.held_since ?? now
  const isRefused = REFUSED.test(one.held_code ?? '')
  const many = counted(late?.late ?? 0)
  const whose = one.partner === null ? 'us' : `the account of ${one.partner}`
  const waits = many.count === 0 ? '' : `; ${countOf(many, 'payment')} ${verb(many, 'waits', 'wait')} for it`
  const why = one.held_code === null ? '' : `: ${reasonOf(one.held_code)}`
  const check = `gateway accounts check${one.partner_id === null ? '' : ` --partner ${one.partner_id}`}`
  const about = { ...many, since, partner: partnerOf(one) }
  return isRefused
    ? sentence(
        {
          name: 'account_refused',
          severity: 'urgent',
          text: `Daraja gives ${whose} no access token since ${lengthOf(since, now)} (shortcode ${one.shortcode}, ${one.held_code})${waits}: are the consumer key and secret right?`,
          command: check,
          path: PATHS.accounts,
        },
        about,
      )
    : sentence(
        {
          name: 'daraja_holding_off',
          severity: now.getTime() - since.getTime() > LONG_MS ? 'act' : 'look',
          text: `Daraja has held ${whose} off for ${lengthOf(since, now)} (shortcode ${one.shortcode})${why}${waits}.`,
          command: check,
          path: PATHS.accounts,
        },
        about,
      )
}

/** Codes of Daraja's that are about the access token: see src/core/daraja/classify-error.ts. */
const REFUSED = /^(?:400\.008\.|401\.|404\.001\.0[34]$|fault_401$|no_token$)/

const REASONS: readonly (readonly [RegExp, string])[] = [
  [/^500\.003\.02$/, 'spike arrest'],
  [/^500\.003\.03$/, 'quota used up'],
  [/^(?:429|fault_429)$/, 'too many requests'],
  [/^edge_/, 'stopped at the edge in front of it'],
]

/** Daraja's code, or that of the connection, as a person reads it. */
const reasonOf = (code: string): string => REASONS.find(([pattern]) => pattern.test(code))?.[1] ?? code

const tellLate = (one: LatePushes, now: Date): Sentence => {
  const many = counted(one.late)
  const whose = one.partner === null ? '' : ` of ${one.partner}’s own account`
  return sentence(
    {
      name: 'submit_late',
      severity: 'urgent',
      since: one.since,
      partner: partnerOf(one),
      text: `${begun(countOf(many, 'payment'))}${whose} ${verb(many, 'waits', 'wait')} to be pushed to Daraja, the first for ${lengthOf(one.since, now)}: is gateway serve running, and DARAJA_PUSHES_PER_SECOND enough?`,
      command: 'gateway payments list --open',
      path: `${PATHS.payments}?state=accepted`,
    },
    many,
  )
}

const partnerOf = ({
  partner_id,
  partner,
}: Pick<LatePushes, 'partner_id' | 'partner'>): Sentence['partner'] =>
  partner_id === null ? null : { id: partner_id, name: partner ?? '' }

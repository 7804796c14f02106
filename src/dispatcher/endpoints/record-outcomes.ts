import { type RawBuilder, sql, type Transaction } from 'kysely'
import type { Database } from '../../database/connect.ts'
import type { EndpointStateName } from '../../database/schema/endpoints.ts'
import type { Schema } from '../../database/schema/schema.ts'
import { crashPoint } from '../../runtime/crash-point.ts'
import { type Endpoint, endpointKey } from '../../values/endpoint.ts'
import type { EndpointChange, Expired } from '../report.ts'
import { type Breaker, judge, type Verdict } from './breaker.ts'
import { expireHeld } from './expire-held.ts'

/** What an attempt said of its endpoint. */
export type Outcome = Endpoint & { deliveryId: bigint; paymentId: bigint; verdict: Verdict }

/** What outcomes did to their endpoints. */
export type Noted = {
  /** The endpoints that are still troubled. */
  troubled: Endpoint[]
  changes: EndpointChange[]
  /** What was held for an endpoint that is down, for longer than anything is. */
  expired: Expired[]
}

type Known = Endpoint & { breaker: Breaker }
type Judgement = Known & {
  /** The outcome that brought it to its state. */
  last: Outcome
  openMs: number | null
  hasNews: boolean
  hasMoved: boolean
}

type NoteOptions = {
  database: Database
  outcomes: readonly Outcome[]
  longestMs: number
  random: () => number
}

/**
 * Brings the breakers of endpoints up to date with outcomes, in their order, in one transaction. An endpoint that was well gets
 * a row with its first failure, and loses it with its first success. What is held for an endpoint that opens (again), and has
 * been for `longestMs`, dies.
 */
export const noteOutcomes = async (options: NoteOptions): Promise<Noted> => {
  const unlocked = await lookAtSuccesses(options)
  if (unlocked !== null) return unlocked
  const noted = await options.database.transaction().execute(async (transaction) => {
    await addTroubled(transaction, options.outcomes)
    const known = await readBreakers(transaction, options.outcomes, sql`FOR UPDATE`)
    const judgements = judgeAll(known, options)
    await writeBreakers(
      transaction,
      judgements.filter((one) => one.hasNews),
    )
    const opened = judgements.filter(({ openMs }) => openMs !== null)
    const expired = await expireHeld(transaction, { endpoints: opened, longestMs: options.longestMs })
    crashPoint('note_outcomes.before_commit')
    return { troubled: troubledOf(judgements), changes: changesOf(judgements), expired }
  })
  crashPoint('note_outcomes.after_commit')
  return noted
}

/**
 * While an endpoint is ramping, each of its many successes comes here, and hardly one changes anything: they are looked at
 * without a lock. Null when something is to be written.
 */
const lookAtSuccesses = async (options: NoteOptions): Promise<Noted | null> => {
  if (options.outcomes.some(({ verdict }) => verdict === 'fails')) return null
  const known = await readBreakers(options.database, options.outcomes, sql``)
  const judgements = judgeAll(known, options)
  if (judgements.some(({ hasNews }) => hasNews)) return null
  return { troubled: troubledOf(judgements), changes: [], expired: [] }
}

const troubledOf = (judgements: readonly Judgement[]): Endpoint[] =>
  judgements.filter(({ breaker }) => !isWell(breaker))

const changesOf = (judgements: readonly Judgement[]): EndpointChange[] =>
  judgements
    .filter(({ hasMoved }) => hasMoved)
    .map(({ last, breaker, openMs }) => ({
      deliveryId: last.deliveryId,
      paymentId: last.paymentId,
      partnerId: last.partnerId,
      host: last.host,
      to: breaker.state,
      cause: breaker.state === 'open' ? 'failures' : 'success',
      openMs,
    }))

/** Judges each breaker by the outcomes of its endpoint, in their order. */
const judgeAll = (known: readonly Known[], options: NoteOptions): Judgement[] => {
  const byEndpoint = Map.groupBy(options.outcomes, endpointKey)
  return known.map((one) => judgeOne(one, byEndpoint.get(endpointKey(one)) ?? [], options.random))
}

const judgeOne = (known: Known, outcomes: readonly Outcome[], random: () => number): Judgement => {
  let { breaker } = known
  let openMs: number | null = null
  let [last] = outcomes
  if (last === undefined) throw new Error('a breaker was read without an outcome for it')
  for (const outcome of outcomes) {
    const judged = judge(breaker, outcome, random())
    if (judged.breaker.state !== breaker.state) last = outcome
    breaker = judged.breaker
    openMs = judged.openMs ?? openMs
  }
  // One that was closed untried is well only now.
  const hasMoved = breaker.state !== known.breaker.state || (known.breaker.opens > 0 && isWell(breaker))
  return { ...known, breaker, last, openMs, hasNews: breaker !== known.breaker, hasMoved }
}

const isWell = (breaker: Breaker): boolean => breaker.state === 'closed' && breaker.failures === 0

const addTroubled = async (transaction: Transaction<Schema>, outcomes: readonly Outcome[]): Promise<void> => {
  const failed = outcomes.filter(({ verdict }) => verdict === 'fails')
  if (failed.length === 0) return
  await sql`
    INSERT INTO endpoints (partner_id, host)
    SELECT DISTINCT partner_id, host FROM ${given(failed)} ORDER BY partner_id, host
    ON CONFLICT DO NOTHING
  `.execute(transaction)
}

type BreakerRow = {
  partner_id: bigint
  host: string
  state: EndpointStateName
  failures: number
  opens: number
  probe_delivery_id: bigint | null
  release_per_second: number | null
}

const readBreakers = async (
  database: Database,
  outcomes: readonly Outcome[],
  lock: RawBuilder<unknown>,
): Promise<Known[]> => {
  const { rows } = await sql<BreakerRow>`
    SELECT partner_id, host, state, failures, opens, probe_delivery_id, release_per_second FROM endpoints
    WHERE (partner_id, host) IN (SELECT partner_id, host FROM ${given(outcomes)})
    ORDER BY partner_id, host ${lock}
  `.execute(database)
  return rows.map((row) => ({
    partnerId: row.partner_id,
    host: row.host,
    breaker: {
      state: row.state,
      failures: row.failures,
      opens: row.opens,
      probeDeliveryId: row.probe_delivery_id,
      releasePerSecond: row.release_per_second,
    },
  }))
}

const given = (endpoints: readonly Endpoint[]) => sql`
  unnest(
    ${endpoints.map(({ partnerId }) => partnerId)}::bigint[],
    ${endpoints.map(({ host }) => host)}::text[]
  ) AS given (partner_id, host)
`

/** Writes what was judged; an endpoint that is well is forgotten, unless an operator has paused it. */
const writeBreakers = async (
  transaction: Transaction<Schema>,
  judgements: readonly Judgement[],
): Promise<void> => {
  if (judgements.length === 0) return
  const breakers = judgements.map(({ breaker }) => breaker)
  await sql`
    WITH given AS (
      SELECT * FROM unnest(
        ${judgements.map(({ partnerId }) => partnerId)}::bigint[],
        ${judgements.map(({ host }) => host)}::text[],
        ${breakers.map(({ state }) => state)}::endpoint_state[],
        ${breakers.map(({ failures }) => failures)}::integer[],
        ${breakers.map(({ opens }) => opens)}::integer[],
        ${breakers.map(({ probeDeliveryId }) => probeDeliveryId)}::bigint[],
        ${breakers.map(({ releasePerSecond }) => releasePerSecond)}::real[],
        ${judgements.map(({ openMs }) => (openMs === null ? null : openMs / 1000))}::double precision[],
        ${breakers.map(isWell)}::boolean[]
      ) AS given (partner_id, host, state, failures, opens, probe_delivery_id, release_per_second, open_seconds, is_well)
    ),
    forgotten AS (
      DELETE FROM endpoints USING given
      WHERE endpoints.partner_id = given.partner_id AND endpoints.host = given.host AND is_well AND paused_at IS NULL
    )
    UPDATE endpoints
    SET state = given.state,
        failures = given.failures,
        opens = given.opens,
        probe_delivery_id = given.probe_delivery_id,
        open_until =
          CASE WHEN open_seconds IS NULL THEN open_until ELSE now() + make_interval(secs => open_seconds) END,
        release_per_second = given.release_per_second,
        release_since = CASE
          WHEN endpoints.release_per_second IS DISTINCT FROM given.release_per_second THEN now() ELSE release_since END,
        release_at = CASE WHEN endpoints.state = given.state THEN release_at ELSE now() END,
        changed_at = CASE WHEN endpoints.state = given.state THEN changed_at ELSE now() END
    FROM given
    WHERE endpoints.partner_id = given.partner_id AND endpoints.host = given.host
      AND NOT (is_well AND paused_at IS NULL)
  `.execute(transaction)
}

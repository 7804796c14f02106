import { sql, type Transaction } from 'kysely'
import type { Database } from '../../database/connect.ts'
import { givenRows } from '../../database/given-rows.ts'
import { DatabaseUnavailable } from '../../database/outage.ts'
import type { Schema } from '../../database/schema/schema.ts'
import { createBatcher } from '../../runtime/batch.ts'
import { crashPoint } from '../../runtime/crash-point.ts'
import { type Endpoint, endpointKey } from '../../values/endpoint.ts'
import type { Claim } from '../deliver/attempts.ts'
import type { PostResult } from '../deliver/post.ts'
import type { EndpointChange, Expired, Reporter } from '../report.ts'
import type { RetryUntilStopped } from '../retry-until-stopped.ts'
import { type Breaker, isWell, judge, NO_PROBE, type Verdict, verdictOf } from './breaker.ts'
import { expireHeld, givenEndpoints } from './expire-held.ts'

/** Brings endpoints up to date with what becomes of this process's attempts. */
export type OutcomeRecorder = {
  /** Records what an attempt says of its endpoint, if it says anything; resolves when that is done. */
  record(claim: Claim, result: PostResult): Promise<void>
  /** Resolves when everything is recorded. */
  drained(): Promise<void>
}

/**
 * Endpoints that a process knows to be troubled at most. It matters to attempts alone that were claimed before the
 * failure of another was recorded, within a minute; whoever claims later reads it in Postgres.
 */
const MOST_TROUBLED = 10_000

/**
 * Outcomes go to Postgres in batches, one after the other. A success at a healthy endpoint costs nothing: it is
 * recorded only where the claim said, or this process knows, that the endpoint is troubled.
 */
export const createOutcomeRecorder = (options: {
  database: Database
  retryUntilStopped: RetryUntilStopped
  scheduleMs: readonly number[]
  random: () => number
  reporter: Reporter
  /** Instead of `MOST_TROUBLED`. */
  mostTroubled?: number
}): OutcomeRecorder => {
  const { database, retryUntilStopped, random, reporter, mostTroubled = MOST_TROUBLED } = options
  const longestMs = options.scheduleMs.reduce((total, stepMs) => total + stepMs, 0)
  const troubled = new Set<string>()
  const know = (key: string): void => {
    // The first is the one that failed longest ago.
    troubled.delete(key)
    troubled.add(key)
    for (const oldest of troubled) {
      if (troubled.size <= mostTroubled) return
      troubled.delete(oldest)
    }
  }

  const run = async (outcomes: readonly Outcome[]): Promise<undefined[]> => {
    const recorded = await retryUntilStopped(recordingOf({ database, outcomes, longestMs, random }))
    for (const outcome of outcomes) troubled.delete(endpointKey(outcome))
    for (const endpoint of recorded.troubled) know(endpointKey(endpoint))
    for (const change of recorded.changes) reporter.endpointChanged(change)
    for (const expired of recorded.expired) reporter.expired(expired)
    return outcomes.map(() => undefined)
  }
  const batches = createBatcher<Outcome, undefined>({ maxItems: 256, maxRunning: 1, maxWaiting: 20_000, run })

  const record = async (claim: Claim, result: PostResult): Promise<void> => {
    const verdict = verdictOf(result)
    const key = endpointKey(claim)
    if (verdict === 'nothing' || (verdict !== 'fails' && !claim.is_troubled && !troubled.has(key))) return
    know(key)
    const { id: delivery_id, payment_id, partner_id, host } = claim
    await batches.add({ delivery_id, payment_id, partner_id, host, verdict })
  }
  return { record, drained: () => batches.drained() }
}

/** What an attempt said of its endpoint. */
export type Outcome = Endpoint & { delivery_id: bigint; payment_id: bigint; verdict: Verdict }

/** What outcomes did to their endpoints. */
export type RecordedOutcomes = {
  /** The endpoints that are still troubled. */
  troubled: Endpoint[]
  changes: EndpointChange[]
  /** What was held for an endpoint that is down, for longer than anything is. */
  expired: Expired[]
}

type Judgement = Endpoint & {
  breaker: Breaker
  /** The outcome that brought it to its state. */
  last: Outcome
  openMs: number | null
  hasNews: boolean
  hasMoved: boolean
}

type OutcomeOptions = {
  database: Database
  outcomes: readonly Outcome[]
  longestMs: number
  random: () => number
}

/** What a transaction did that was to be committed, and by which of its own numbers Postgres knows what became of it. */
type Sent = { transactionNumber: string; recorded: RecordedOutcomes }

/**
 * Makes what brings the breakers of endpoints up to date with outcomes, in their order, in one transaction. An endpoint that
 * was healthy gets a row with its first failure, and loses it with its first success. What is held for an endpoint that
 * opens (again), and has been for `longestMs`, ends as dead. Called again, since the answer to a commit was lost, it counts
 * nothing a second time, and says what the first one did.
 */
export const recordingOf = (options: OutcomeOptions): (() => Promise<RecordedOutcomes>) => {
  let sent: Sent | null = null
  return async () => {
    if (sent !== null && (await isCommitted(options.database, sent))) return sent.recorded
    return recordOutcomes(options, (one) => {
      sent = one
    })
  }
}

/**
 * Throws while Postgres has not noticed yet that nobody waits for the transaction any more. One that it never began, as
 * after a fail-over, did nothing.
 */
const isCommitted = async (database: Database, { transactionNumber }: Sent): Promise<boolean> => {
  const { rows } = await sql<{ status: string | null }>`
    SELECT CASE WHEN ${transactionNumber}::xid8 < pg_snapshot_xmax(pg_current_snapshot())
      THEN pg_xact_status(${transactionNumber}::xid8) END AS status
  `.execute(database)
  const status = rows[0]?.status ?? null
  if (status === 'in progress') throw new DatabaseUnavailable(new Error('a commit is under way still'))
  return status === 'committed'
}

const recordOutcomes = async (
  options: OutcomeOptions,
  onSent: (sent: Sent) => void,
): Promise<RecordedOutcomes> => {
  const unlocked = await judgeSuccesses(options)
  if (unlocked !== null) return unlocked
  const recorded = await options.database.transaction().execute(async (transaction) => {
    await addTroubled(transaction, options.outcomes)
    const known = await readBreakers(transaction, options.outcomes)
      .select(sql<string>`pg_current_xact_id()::text`.as('transaction_number'))
      .forUpdate()
      .execute()
    const judgements = judgeAll(known, options)
    await writeBreakers(
      transaction,
      judgements.filter((one) => one.hasNews),
    )
    const opened = judgements.filter(({ openMs }) => openMs !== null)
    const expired = await expireHeld(transaction, { endpoints: opened, longestMs: options.longestMs })
    const done = { troubled: troubledOf(judgements), changes: changesOf(judgements), expired }
    const transactionNumber = known[0]?.transaction_number
    if (transactionNumber !== undefined) onSent({ transactionNumber, recorded: done })
    crashPoint('note_outcomes.before_commit')
    return done
  })
  crashPoint('note_outcomes.after_commit')
  return recorded
}

/**
 * While an endpoint is ramping, each of its many successes comes here, and hardly one changes anything: they are looked
 * at without a lock. Null when something is to be written.
 */
const judgeSuccesses = async (options: OutcomeOptions): Promise<RecordedOutcomes | null> => {
  if (options.outcomes.some(({ verdict }) => verdict === 'fails')) return null
  const known = await readBreakers(options.database, options.outcomes).execute()
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
      delivery_id: last.delivery_id,
      payment_id: last.payment_id,
      partner_id: last.partner_id,
      host: last.host,
      to: breaker.state,
      cause: breaker.state === 'open' ? 'failures' : 'success',
      openMs,
    }))

/** Judges each breaker by the outcomes of its endpoint, in their order. */
const judgeAll = (known: readonly (Endpoint & Breaker)[], options: OutcomeOptions): Judgement[] => {
  const byEndpoint = Map.groupBy(options.outcomes, endpointKey)
  return known.map((one) => judgeOne(one, byEndpoint.get(endpointKey(one)) ?? [], options.random))
}

const judgeOne = (
  known: Endpoint & Breaker,
  outcomes: readonly Outcome[],
  random: () => number,
): Judgement => {
  const { partner_id, host } = known
  let breaker: Breaker = known
  let openMs: number | null = null
  let [last] = outcomes
  if (last === undefined) throw new Error('a breaker was read without an outcome for it')
  for (const outcome of outcomes) {
    const judged = judge(breaker, outcome, random())
    if (judged.breaker.state !== breaker.state) last = outcome
    breaker = judged.breaker
    openMs = judged.openMs ?? openMs
  }
  // One that was closed untried is healthy only now.
  const hasMoved = breaker.state !== known.state || (known.opens > 0 && isWell(breaker))
  return { partner_id, host, breaker, last, openMs, hasNews: breaker !== known, hasMoved }
}

const addTroubled = async (transaction: Transaction<Schema>, outcomes: readonly Outcome[]): Promise<void> => {
  const failed = outcomes.filter(({ verdict }) => verdict === 'fails')
  if (failed.length === 0) return
  await transaction
    .insertInto('endpoints')
    .columns(['partner_id', 'host'])
    .expression((query) =>
      query
        .selectFrom(givenEndpoints(failed))
        .select(['given.partner_id', 'given.host'])
        .distinct()
        .orderBy('given.partner_id')
        .orderBy('given.host'),
    )
    .onConflict((conflict) => conflict.doNothing())
    .execute()
}

const readBreakers = (database: Database, outcomes: readonly Outcome[]) =>
  database
    .selectFrom('endpoints')
    .select(['partner_id', 'host', 'state', 'failures', 'opens', 'probe_delivery_id', 'release_per_second'])
    .where(sql<boolean>`(partner_id, host) IN (SELECT partner_id, host FROM ${givenEndpoints(outcomes)})`)
    .orderBy('partner_id')
    .orderBy('host')

/** Writes what was judged; the row of a healthy endpoint is deleted, unless an operator has paused it. */
const writeBreakers = async (
  transaction: Transaction<Schema>,
  judgements: readonly Judgement[],
): Promise<void> => {
  if (judgements.length === 0) return
  const given = givenRows(judgements, {
    partner_id: ['endpoints.partner_id', ({ partner_id }) => partner_id],
    host: ['endpoints.host', ({ host }) => host],
    state: ['endpoints.state', ({ breaker }) => breaker.state],
    failures: ['endpoints.failures', ({ breaker }) => breaker.failures],
    opens: ['endpoints.opens', ({ breaker }) => breaker.opens],
    probe_delivery_id: ['endpoints.probe_delivery_id', ({ breaker }) => breaker.probe_delivery_id],
    release_per_second: ['endpoints.release_per_second', ({ breaker }) => breaker.release_per_second],
    open_seconds: ['float8', ({ openMs }) => (openMs === null ? null : openMs / 1000)],
    is_well: ['bool', ({ breaker }) => isWell(breaker)],
  })
  await sql`
    WITH given AS (SELECT * FROM ${given}),
    forgotten AS (
      DELETE FROM endpoints USING given
      WHERE endpoints.partner_id = given.partner_id AND endpoints.host = given.host AND is_well AND paused_at IS NULL
    )
    UPDATE endpoints
    SET state = given.state,
        failures = given.failures,
        opens = given.opens,
        probe_delivery_id = given.probe_delivery_id,
        probing_until = CASE given.probe_delivery_id WHEN ${NO_PROBE} THEN now() ELSE probing_until END,
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

import { sql } from 'kysely'
import { Counter, Gauge, type Registry } from 'prom-client'
import type { Database } from '../database/connect.ts'
import type { NumberGuard } from '../database/mark/number-guard.ts'
import type { Outcome } from '../database/schema/payments.ts'
import { showReading } from '../runtime/metrics.ts'
import { FAILURE_REASON_NAMES, toFailureReasonName } from '../values/failure-reason.ts'
import { failureOf } from './payments/failures.ts'
import { countOverduePayments } from './payments/find.ts'
import type { Cause } from './payments/states.ts'
import { FINDING_KINDS, type FindingKind } from './settle/findings.ts'
import { addTotalsAge } from './totals/show-age.ts'

export type CoreMetrics = {
  /** Counts a request for a payment that was answered. */
  requested(result: (typeof RESULTS)[number]): void
  /** Counts a push whose outcome is known, or known to be unknown. */
  pushed(outcome: (typeof PUSH_OUTCOMES)[number]): void
  /** Counts a callback that was made durable. */
  calledBack(token: 'known' | 'unknown'): void
  /** Counts an answer to a query. */
  queried(answer: 'definite' | 'open'): void
  /** Counts a page that was pulled of M-PESA's records, or not. */
  pulled(answer: 'page' | 'failed'): void
  /** Counts a payment that was settled. */
  settled(settlement: { outcome: Outcome; cause: Cause; resultCode: string }): void
  /** Counts a report that contradicts what is known. */
  found(kind: FindingKind): void
  /** Counts a stream of events that began (1) or ended (-1). */
  watchers(difference: 1 | -1): void
  /** Counts events that were sent to somebody who watches or polls. */
  sentEvents(count: number): void
  /** Counts a time for which Daraja is left alone, since it turned the account away. */
  heldOff(): void
  /** Shows, from now on, how many accounts have payments refused, and how long one would wait for its push, ms. */
  showOverload(state: () => { accounts: number; expectedMs: number }): void
}

const RESULTS = ['accepted', 'duplicate', 'key_reused', 'limited', 'overloaded'] as const
const PUSH_OUTCOMES = ['accepted', 'refused', 'later', 'unknown'] as const

/** By what a payment is settled, by the outcome that it then has. */
const SETTLING_CAUSES = {
  successful: ['callback', 'query', 'pull', 'operator'],
  failed: [
    'callback',
    'query',
    'operator',
    'push_refused',
    'submit_deadline_passed',
    'partner_disabled',
    'cancelled',
  ],
} as const satisfies Record<Outcome, readonly Cause[]>

/** Counts nothing: for test payments, which are in no total. */
export const UNCOUNTED: CoreMetrics = {
  requested: () => undefined,
  pushed: () => undefined,
  calledBack: () => undefined,
  queried: () => undefined,
  pulled: () => undefined,
  settled: () => undefined,
  found: () => undefined,
  heldOff: () => undefined,
  watchers: () => undefined,
  sentEvents: () => undefined,
  showOverload: () => undefined,
}

/**
 * What the core counts. What is open is asked of Postgres when the metrics are read: it is the same whichever process
 * is asked, and has no sample while Postgres is away.
 */
export const createCoreMetrics = (registry: Registry, database: Database): CoreMetrics => {
  const counterOf = <Label extends string>(name: string, help: string, labelNames: readonly Label[]) =>
    new Counter({ name, help, labelNames, registers: [registry] })
  const requests = counterOf('gateway_payment_requests_total', 'Requests for payments, by their result', [
    'result',
  ])
  const pushes = counterOf('gateway_pushes_total', 'Pushes to Daraja, by their outcome', ['outcome'])
  const callbacks = counterOf('gateway_callbacks_total', 'Callbacks made durable: is their token ours?', [
    'token',
  ])
  const queries = counterOf('gateway_queries_total', 'Queries to Daraja: was the answer definite?', [
    'answer',
  ])
  const pulls = counterOf('gateway_pulls_total', 'Calls for pages of M-PESA’s records', ['answer'])
  const settled = counterOf('gateway_payments_settled_total', 'Payments settled, by outcome and cause', [
    'outcome',
    'cause',
  ])
  const failures = counterOf('gateway_payments_failed_total', 'Payments that failed, by why', ['reason'])
  const findings = counterOf('gateway_payment_findings_total', 'Truths that did not fit what was known', [
    'kind',
  ])
  const holds = counterOf('gateway_daraja_holds_total', 'Times that Daraja was left alone for a while', [])
  const watchers = new Gauge({
    name: 'gateway_watchers',
    help: 'Streams of payment events that are open',
    registers: [registry],
  })
  const events = counterOf('gateway_events_sent_total', 'Payment events sent to watchers and pollers', [])
  // From 0 on, so that the first of each is a growth as well, which is what alerts look for.
  for (const result of RESULTS) requests.inc({ result }, 0)
  for (const outcome of PUSH_OUTCOMES) pushes.inc({ outcome }, 0)
  for (const token of ['known', 'unknown']) callbacks.inc({ token }, 0)
  for (const answer of ['definite', 'open']) queries.inc({ answer }, 0)
  for (const answer of ['page', 'failed']) pulls.inc({ answer }, 0)
  for (const [outcome, causes] of Object.entries(SETTLING_CAUSES))
    for (const cause of causes) settled.inc({ outcome, cause }, 0)
  for (const reason of FAILURE_REASON_NAMES) failures.inc({ reason }, 0)
  for (const kind of FINDING_KINDS) findings.inc({ kind }, 0)
  addOpenDuties(registry, database)
  addTotalsAge(registry, database)
  let overload = (): OverloadState => ({ accounts: 0, expectedMs: 0 })
  addOverload(registry, () => overload())
  return {
    requested: (result) => requests.inc({ result }),
    pushed: (outcome) => pushes.inc({ outcome }),
    calledBack: (token) => callbacks.inc({ token }),
    pulled: (answer) => pulls.inc({ answer }),
    queried: (answer) => queries.inc({ answer }),
    settled: ({ outcome, cause, resultCode }) => {
      settled.inc({ outcome, cause })
      if (outcome === 'failed') failures.inc({ reason: toFailureReasonName(failureOf(resultCode).reason) })
    },
    found: (kind) => findings.inc({ kind }),
    watchers: (difference) => watchers.inc(difference),
    sentEvents: (count) => events.inc(count),
    heldOff: () => holds.inc(),
    showOverload: (state) => {
      overload = state
    },
  }
}

type OverloadState = { accounts: number; expectedMs: number }

const addOverload = (registry: Registry, state: () => OverloadState): void => {
  const accounts: Gauge = new Gauge({
    name: 'gateway_overloaded_accounts',
    help: 'Accounts of Daraja for which this process refuses new payments, since too many wait for their push',
    registers: [registry],
    collect: (): void => accounts.set(state().accounts),
  })
  const expected: Gauge = new Gauge({
    name: 'gateway_expected_push_wait_seconds',
    help: 'How long a payment that this process accepts now would wait for its push, of the account where it is longest',
    registers: [registry],
    collect: (): void => expected.set(state().expectedMs / 1000),
  })
}

/** Shows how many payments are still open `afterMs` after they were accepted. */
export const addOverduePayments = (registry: Registry, database: Database, afterMs: number): void =>
  showReading(registry, () => countOverduePayments(database, afterMs), [
    {
      name: 'gateway_overdue_payments',
      help: 'Payments that are still open after the time by which they should be settled',
      samples: (count) => [{ value: count }],
    },
  ])

type OpenDuties = { duty: string; open: number; oldestAgeSeconds: number }

const addOpenDuties = (registry: Registry, database: Database): void =>
  showReading(registry, () => readOpenDuties(database), [
    {
      name: 'gateway_oldest_due_duty_age_seconds',
      help: 'How long the duty that has waited longest has been due; 0 when none is due',
      labelNames: ['duty'],
      samples: (duties) =>
        duties.map(({ duty, oldestAgeSeconds }) => ({ labels: { duty }, value: oldestAgeSeconds })),
    },
    {
      name: 'gateway_open_duties',
      help: 'What is still to be done for payments: submit, query, confirm, interpret',
      labelNames: ['duty'],
      samples: (duties) => duties.map(({ duty, open }) => ({ labels: { duty }, value: open })),
    },
  ])

const readOpenDuties = async (database: Database): Promise<OpenDuties[]> => {
  const { rows } = await sql<OpenDuties>`
    SELECT duty, count(due_at)::float8 AS open,
           greatest(0, coalesce(extract(epoch FROM now() - min(due_at)), 0))::float8 AS "oldestAgeSeconds"
    FROM (VALUES ('submit'), ('query'), ('confirm'), ('interpret')) duties (duty)
    LEFT JOIN (
      SELECT 'submit' AS duty, due_at FROM to_submit WHERE account_id >= 0
      UNION ALL SELECT 'query', due_at FROM to_query WHERE account_id >= 0
      UNION ALL SELECT 'confirm', since FROM to_confirm WHERE account_id >= 0
      UNION ALL SELECT 'interpret', due_at FROM to_interpret
    ) open USING (duty)
    GROUP BY duty
  `.execute(database)
  return rows
}

/** Shows whether the database was found to be an older copy of itself. */
export const addNumberMetrics = (registry: Registry, guard: Pick<NumberGuard, 'alarm'>): void => {
  const restored: Gauge = new Gauge({
    name: 'gateway_database_restored',
    help: '1 from when the database was found older than what was given out, until gateway restored was run',
    registers: [registry],
    collect: (): void => restored.set(guard.alarm() === null ? 0 : 1),
  })
}

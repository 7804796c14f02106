import { sql } from 'kysely'
import { Counter, Gauge, type Registry } from 'prom-client'
import type { Database } from '../database/connect.ts'
import type { NumberGuard } from '../database/mark/number-guard.ts'
import type { Outcome } from '../database/schema/payments.ts'
import { countOverduePayments } from './payments/find.ts'
import type { Cause } from './payments/states.ts'
import type { FindingKind } from './settle/findings.ts'

export type CoreMetrics = {
  /** Counts a request for a payment that was answered. */
  requested(result: 'accepted' | 'duplicate' | 'key_reused' | 'limited'): void
  /** Counts a push whose outcome is known, or known to be unknown. */
  pushed(outcome: 'accepted' | 'refused' | 'later' | 'unknown'): void
  /** Counts a callback that was made durable. */
  calledBack(token: 'known' | 'unknown'): void
  /** Counts an answer to a query. */
  queried(answer: 'definite' | 'open'): void
  /** Counts a page that was pulled of M-PESA's records, or not. */
  pulled(answer: 'page' | 'failed'): void
  /** Counts a payment that was settled. */
  settled(settlement: { outcome: Outcome; cause: Cause }): void
  /** Counts a report that contradicts what is known. */
  found(kind: FindingKind): void
  /** Counts a time for which Daraja is left alone, since it turned the account away. */
  heldOff(): void
}

/**
 * What the core counts. What is open is asked of Postgres when the metrics are read: it is the same whichever process
 * is asked, and has no value while Postgres is away.
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
  const findings = counterOf('gateway_payment_findings_total', 'Truths that did not fit what was known', [
    'kind',
  ])
  const holds = counterOf('gateway_daraja_holds_total', 'Times that Daraja was left alone for a while', [])
  addOpenDuties(registry, database)
  return {
    requested: (result) => requests.inc({ result }),
    pushed: (outcome) => pushes.inc({ outcome }),
    calledBack: (token) => callbacks.inc({ token }),
    pulled: (answer) => pulls.inc({ answer }),
    queried: (answer) => queries.inc({ answer }),
    settled: (settlement) => settled.inc(settlement),
    found: (kind) => findings.inc({ kind }),
    heldOff: () => holds.inc(),
  }
}

/** Shows how many payments are still open `afterMs` after they were accepted. */
export const addOverduePayments = (registry: Registry, database: Database, afterMs: number): void => {
  const overdue = new Gauge({
    name: 'gateway_overdue_payments',
    help: 'Payments that are still open after the time by which they should be settled',
    registers: [registry],
    collect: async () => {
      const count = await countOverduePayments(database, afterMs).catch(() => null)
      if (count === null) overdue.reset()
      else overdue.set(count)
    },
  })
}

type OpenDuties = { duty: string; open: number; oldestAgeSeconds: number }

const addOpenDuties = (registry: Registry, database: Database): void => {
  const oldest = new Gauge({
    name: 'gateway_oldest_due_duty_age_seconds',
    help: 'How long the duty that has waited longest has been due; 0 when none is due',
    labelNames: ['duty'] as const,
    registers: [registry],
  })
  const open = new Gauge({
    name: 'gateway_open_duties',
    help: 'What is still to be done for payments: submit, query, confirm, interpret',
    labelNames: ['duty'] as const,
    registers: [registry],
    collect: async () => {
      open.reset()
      oldest.reset()
      for (const row of await readOpenDuties(database).catch((): OpenDuties[] => [])) {
        open.set({ duty: row.duty }, row.open)
        oldest.set({ duty: row.duty }, row.oldestAgeSeconds)
      }
    },
  })
}

const readOpenDuties = async (database: Database): Promise<OpenDuties[]> => {
  const { rows } = await sql<OpenDuties>`
    SELECT duty, count(due_at)::float8 AS open,
           greatest(0, coalesce(extract(epoch FROM now() - min(due_at)), 0))::float8 AS "oldestAgeSeconds"
    FROM (VALUES ('submit'), ('query'), ('confirm'), ('interpret')) duties (duty)
    LEFT JOIN (
      SELECT 'submit' AS duty, due_at FROM to_submit
      UNION ALL SELECT 'query', due_at FROM to_query
      UNION ALL SELECT 'confirm', since FROM to_confirm
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

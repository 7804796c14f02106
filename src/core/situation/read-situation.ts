import { sql, type Transaction } from 'kysely'
import type { Database } from '../../database/connect.ts'
import { DatabaseReadOnly, isOutage } from '../../database/outage.ts'
import { planByIndex } from '../../database/plan-by-size.ts'
import type { Schema } from '../../database/schema/schema.ts'
import type { Clock } from '../../runtime/clock.ts'
import { type ApprovalFacts, readApprovals, tellApprovals } from './approvals.ts'
import { readTraffic, type TrafficFacts, tellTraffic } from './callbacks-stopped.ts'
import { type DarajaFacts, readDaraja, tellDaraja } from './daraja.ts'
import { type DeliveryFacts, readDeliveries, tellDeliveries } from './deliveries.ts'
import { readEndpoints, type TroubledEndpoint, tellEndpoints } from './endpoints.ts'
import { type PaymentFacts, readPayments, tellPayments } from './payments.ts'
import { instantOf } from './phrases.ts'
import { type Away, type ProcessFacts, tellProcess } from './process.ts'
import { inOrder, type Sentence, sentence } from './sentence.ts'

// The situation: what is wrong, in sentences that are derived anew from what is in Postgres now, and from what the
// machine knows. Each statement reads a bounded number of rows by an index, however much is open or was ever paid
// (`test/core/situation/bounded.test.ts`); so a count ends at some hundreds and then says that there are more.

/** What is known at one instant. */
export type Facts = {
  at: Date
  /** Postgres can be read and takes no writes. */
  isReadOnly: boolean
  endpoints: TroubledEndpoint[]
  deliveries: DeliveryFacts
  payments: PaymentFacts
  daraja: DarajaFacts
  traffic: TrafficFacts
  approvals: ApprovalFacts
}

export type Situation = {
  at: Date
  /** The worst first; never empty. */
  sentences: Sentence[]
  /** When the newest payment was asked for; null: not known, or there is none. */
  lastPaymentAt: Date | null
}

export type ReadSituation = (database: Database) => Promise<Situation>

/** Makes what reads the situation. Never rejects for an outage, which is a sentence too. */
export const createReadSituation = (options: {
  /** How long a payment may be open, ms. */
  overdueAfterMs: number
  readProcess: () => Promise<ProcessFacts>
  clock: Clock
}): ReadSituation => {
  let awaySince: Date | null = null
  return async (database) => {
    const process = await options.readProcess()
    try {
      const facts = await readFacts(database, options)
      awaySince = null
      return { at: facts.at, sentences: tell(facts, process), lastPaymentAt: facts.payments.newestAt }
    } catch (error) {
      if (!isOutage(error)) throw error
      const at = options.clock()
      awaySince ??= at
      return tellOutage({ at, process, since: awaySince, error })
    }
  }
}

/** The situation while Postgres is away, as `error` says; `since`: since when it is, null: not known. Pure. */
export const tellOutage = (known: {
  at: Date
  process: ProcessFacts
  since: Date | null
  error: unknown
}): Situation => {
  const { at, process, since, error } = known
  const away: Away = { since, trouble: error instanceof Error ? error.message : String(error) }
  return { at, sentences: inOrder(tellProcess(process, away, at)), lastPaymentAt: null }
}

/** Reads the facts in one transaction, by the clock of Postgres. */
export const readFacts = (database: Database, options: { overdueAfterMs: number }): Promise<Facts> =>
  planByIndex(database, async (transaction) => ({
    ...(await readServer(transaction)),
    endpoints: await readEndpoints(transaction),
    deliveries: await readDeliveries(transaction),
    payments: await readPayments(transaction, options),
    daraja: await readDaraja(transaction),
    traffic: await readTraffic(transaction),
    approvals: await readApprovals(transaction),
  }))

const readServer = async (transaction: Transaction<Schema>): Promise<Pick<Facts, 'at' | 'isReadOnly'>> => {
  const { rows } = await sql<Pick<Facts, 'at' | 'isReadOnly'>>`
    SELECT now() AS at,
           pg_is_in_recovery() OR current_setting('default_transaction_read_only') = 'on' AS "isReadOnly"
  `.execute(transaction)
  if (!rows[0]) throw new Error('a SELECT of one row gave none')
  return rows[0]
}

/** What facts mean, the worst first. Pure. */
export const tell = (facts: Facts, process: ProcessFacts): Sentence[] => {
  const { at } = facts
  const away = facts.isReadOnly ? { since: null, trouble: new DatabaseReadOnly().message } : null
  const told = [
    ...tellProcess(process, away, at),
    ...tellDaraja(facts.daraja, at),
    ...tellDeliveries(facts.deliveries, at),
    ...tellEndpoints(facts.endpoints, at),
    ...tellPayments(facts.payments, at),
    ...tellTraffic(facts.traffic, at),
    ...tellApprovals(facts.approvals, at),
  ]
  return told.length === 0 ? [allWell(facts)] : inOrder(told)
}

const allWell = ({ at, payments }: Facts): Sentence =>
  sentence({
    name: 'all_well',
    severity: 'well',
    text: `All is well. ${lastPayment(payments, at)}.`,
  })

const lastPayment = ({ newestAt, areTests }: PaymentFacts, at: Date): string => {
  if (newestAt !== null) return `The last payment was asked for at ${instantOf(newestAt, at)}`
  return areTests
    ? 'The last payments that were asked for are all test payments'
    : 'No payment has been asked for yet'
}

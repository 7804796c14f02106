import { sql } from 'kysely'
import type { Database } from '../../database/connect.ts'
import { anyOf } from '../../database/given-rows.ts'
import type { PublishAtOnce } from '../outbox/publish.ts'
import { type Decided, decideBatch, type PaymentRow, SETTLED_COLUMNS, type Settlement } from './decide.ts'
import type { Evidence } from './evidence.ts'
import { type UnlockedChange, writeUnlocked } from './write-outcomes.ts'

/** What a callback says, whose duty to be interpreted is in Postgres. */
export type SaidByCallback = { callbackId: string; evidence: Evidence }

/**
 * Settles payments by callbacks in two round trips, with no lock held between them: reads the payments, decides, and
 * writes the changes of those that still are as they were read, together with the ends of the callbacks' duties. Only
 * what nearly every callback is: the first of its payment here, which moves it, and in which everything fits. Resolves
 * with these; nothing is written of the others, which `settle` takes, with locks. Their deliveries are published by
 * `publish`, or, where that is null, left to the outbox's loop.
 */
export const settleUnlocked = async (
  database: Database,
  said: readonly SaidByCallback[],
  publish: PublishAtOnce | null,
): Promise<{ callbackId: string; settlement: Settlement }[]> => {
  const first = firstOfEach(said)
  const read = await readPayments(database, [...first.keys()])
  const { decided } = decideBatch({
    locked: read,
    evidence: [...first.values()].map(({ evidence }) => evidence),
    holders: new Map(),
  })
  const changes = decided.flatMap((one) => toChange(one, first, read))
  if (changes.length === 0) return []
  const written = await writeUnlocked(database, changes, { isPublished: publish !== null })
  publish?.([...written.values()])
  return decided.flatMap(({ evidence, from, decision, findings, isTest }) => {
    const { callbackId } = first.get(evidence.paymentId) ?? {}
    return callbackId !== undefined && written.has(evidence.paymentId)
      ? [{ callbackId, settlement: { evidence, from, decision, findings, isTest } }]
      : []
  })
}

const firstOfEach = (said: readonly SaidByCallback[]): Map<bigint, SaidByCallback> => {
  const first = new Map<bigint, SaidByCallback>()
  for (const one of said) if (!first.has(one.evidence.paymentId)) first.set(one.evidence.paymentId, one)
  return first
}

/** A payment as it was read, and which version of its row that was. */
type ReadPayment = PaymentRow & { version: string }

const readPayments = async (
  database: Database,
  ids: readonly bigint[],
): Promise<Map<bigint, ReadPayment>> => {
  if (ids.length === 0) return new Map()
  const rows = await database
    .selectFrom('payments')
    .select(SETTLED_COLUMNS)
    .select(sql<number>`extract(epoch FROM now())::float8 * 1000`.as('now_ms'))
    .select(sql<string>`xmin`.as('version'))
    .where('id', '=', anyOf('payments.id', ids))
    .execute()
  return new Map(rows.map((row) => [row.id, row]))
}

const toChange = (
  { change, findings, evidence }: Decided,
  first: ReadonlyMap<bigint, SaidByCallback>,
  read: ReadonlyMap<bigint, ReadPayment>,
): UnlockedChange[] => {
  const { callbackId } = first.get(evidence.paymentId) ?? {}
  const { version } = read.get(evidence.paymentId) ?? {}
  // Who is paid by a receipt that the callback does not say has a duty to come, which `settle` leaves to its caller.
  if (evidence.outcome === 'successful' && evidence.receipt === null) return []
  if (!change?.settled || findings.length > 0 || callbackId === undefined || version === undefined) return []
  return [{ ...change, callbackId, version }]
}

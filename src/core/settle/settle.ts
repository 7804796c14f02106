import { sql, type Transaction } from 'kysely'
import { anyOf } from '../../database/given-rows.ts'
import type { Schema } from '../../database/schema/schema.ts'
import { askAgain } from '../payments/duties.ts'
import {
  type DecidedBatch,
  decideBatch,
  type PaymentRow,
  SETTLED_COLUMNS,
  type Settlement,
} from './decide.ts'
import type { Evidence } from './evidence.ts'
import { type Finding, recordFindings } from './findings.ts'
import { noteRedated } from './note-redated.ts'
import { claimReceipts, type ReceiptHolders } from './receipts.ts'
import { writeLocked } from './write-outcomes.ts'

/**
 * Settles payments by evidence, inside the caller's transaction: locks them in the order of their ids, decides each
 * piece of evidence in the order given (several may speak of one payment), and writes states, history, findings,
 * receipts, deliveries and ended duties. Where evidence is not believed, Daraja is asked. Resolves with what each piece
 * did, in the same order, with the findings that were not known before; the caller reports it once the transaction is
 * committed.
 */
export const settle = async (
  transaction: Transaction<Schema>,
  evidence: readonly Evidence[],
): Promise<Settlement[]> => {
  if (evidence.length === 0) return []
  const locked = await lockPayments(
    transaction,
    evidence.map((one) => one.paymentId),
  )
  const { decided } = await decideAll({ transaction, locked, evidence })
  const changes = decided.flatMap(({ change }) => change ?? [])
  await writeLocked(transaction, changes)
  await noteRedated(transaction, changes, locked)
  const fresh = await recordFindings(
    transaction,
    decided.flatMap(({ findings }) => findings),
  )
  const settlements = decided.map(({ evidence: one, from, decision, findings, isTest }) => ({
    evidence: one,
    from,
    decision,
    findings: findings.filter((finding) => takeSame(fresh, finding)),
    isTest,
  }))
  await askAbout(transaction, settlements)
  return settlements
}

/**
 * Decides, and takes the receipts for the payments that are to have them. Who holds a receipt may change what
 * the evidence after comes to, which may bring another receipt: each is taken once, so this ends.
 */
const decideAll = async (options: {
  transaction: Transaction<Schema>
  locked: ReadonlyMap<bigint, PaymentRow>
  evidence: readonly Evidence[]
}): Promise<DecidedBatch> => {
  const holders: ReceiptHolders = new Map()
  for (;;) {
    const batch = decideBatch({ locked: options.locked, evidence: options.evidence, holders })
    if (batch.claims.size === 0) return batch
    await claimReceipts(options.transaction, batch.claims, holders)
  }
}

/** Once for each finding: evidence that is repeated does not have Daraja asked again and again. */
const askAbout = async (
  transaction: Transaction<Schema>,
  settlements: readonly Settlement[],
): Promise<void> => {
  const doubted = settlements.filter(
    ({ decision, findings }) => decision.kind === 'not_believed' && findings.length > 0,
  )
  await askAgain(transaction, {
    paymentIds: doubted.map(({ evidence }) => evidence.paymentId),
    // Was it paid after all? Its duties have ended.
    failedIds: doubted
      .filter(({ from, evidence }) => from === 'failed' && evidence.outcome === 'successful')
      .map(({ evidence }) => evidence.paymentId),
  })
}

/** Removes the finding from those that are new; false when it is not among them. */
const takeSame = (fresh: Finding[], { paymentId, kind, detail }: Finding): boolean => {
  const index = fresh.findIndex(
    (one) => one.paymentId === paymentId && one.kind === kind && one.detail === detail,
  )
  if (index >= 0) fresh.splice(index, 1)
  return index >= 0
}

const lockPayments = async (
  transaction: Transaction<Schema>,
  ids: readonly bigint[],
): Promise<Map<bigint, PaymentRow>> => {
  const rows = await transaction
    .selectFrom('payments')
    .select(SETTLED_COLUMNS)
    .select(sql<number>`extract(epoch FROM now())::float8 * 1000`.as('now_ms'))
    .where('id', '=', anyOf('payments.id', ids))
    .orderBy('id')
    .forNoKeyUpdate()
    .execute()
  return new Map(rows.map((row) => [row.id, row]))
}

import { sql, type Transaction } from 'kysely'
import { anyOf, givenRows } from '../../database/given-rows.ts'
import type { PaymentStateName } from '../../database/schema/payments.ts'
import type { Schema } from '../../database/schema/schema.ts'
import { enqueueDeliveries } from '../outbox/enqueue.ts'
import { askAgain } from '../payments/duties.ts'
import { recordMoves } from '../payments/history.ts'
import {
  type Decided,
  type DecidedBatch,
  decideBatch,
  isChange,
  type PaymentRow,
  SETTLED_COLUMNS,
  type Settlement,
} from './decide.ts'
import type { Evidence } from './evidence.ts'
import { type Finding, recordFindings } from './findings.ts'
import { claimReceipts, type ReceiptHolders } from './receipts.ts'

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
  const { rows, decided } = await decideAll({ transaction, locked, evidence })
  const changed = new Set(decided.filter((one) => isChange(one.decision)).map(idOf))
  await writePayments(
    transaction,
    [...rows.values()].filter((row) => changed.has(row.id)),
    locked,
  )
  await recordMoves(
    transaction,
    decided.flatMap(({ move }) => move ?? []),
  )
  await enqueueDeliveries(
    transaction,
    decided.flatMap(({ settled }) => settled ?? []),
  )
  const fresh = await recordFindings(
    transaction,
    decided.flatMap(({ findings }) => findings),
  )
  const settlements = decided.map(({ evidence: one, from, decision, findings }) => ({
    evidence: one,
    from,
    decision,
    findings: findings.filter((finding) => takeSame(fresh, finding)),
  }))
  await askAbout(transaction, settlements)
  return settlements
}

const idOf = ({ evidence }: Decided): bigint => evidence.paymentId

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

/** The guarded UPDATE: a row that is not in the state it was decided on fails the transaction (law 4). */
const writePayments = async (
  transaction: Transaction<Schema>,
  rows: readonly PaymentRow[],
  locked: ReadonlyMap<bigint, { state: PaymentStateName }>,
): Promise<void> => {
  if (rows.length === 0) return
  const ids = rows.map((row) => row.id)
  const { rows: counted } = await sql<{ written: bigint }>`
    WITH written AS (
      UPDATE payments SET
        state = given.state,
        merchant_request_id = given.merchant_request_id,
        checkout_request_id = given.checkout_request_id,
        result_code = given.result_code,
        result_desc = given.result_desc,
        receipt = given.receipt,
        transaction_date = given.transaction_date
      FROM ${givenRows(rows, {
        id: ['payments.id', (row) => row.id],
        from_state: ['payment_state', (row) => locked.get(row.id)?.state ?? null],
        state: ['payments.state', (row) => row.state],
        merchant_request_id: ['payments.merchant_request_id', (row) => row.merchant_request_id],
        checkout_request_id: ['payments.checkout_request_id', (row) => row.checkout_request_id],
        result_code: ['payments.result_code', (row) => row.result_code],
        result_desc: ['payments.result_desc', (row) => row.result_desc],
        receipt: ['payments.receipt', (row) => row.receipt],
        transaction_date: ['payments.transaction_date', (row) => row.transaction_date],
      })}
      WHERE payments.id = given.id AND payments.state = given.from_state
      RETURNING payments.id
    ), submitted AS (
      DELETE FROM to_submit WHERE payment_id = ${anyOf('to_submit.payment_id', ids)}
    ), queried AS (
      DELETE FROM to_query WHERE payment_id = ${anyOf('to_query.payment_id', ids)}
    ), confirmed AS (
      DELETE FROM to_confirm WHERE payment_id = ${anyOf('to_confirm.payment_id', ids)}
    )
    SELECT count(*) AS written FROM written
  `.execute(transaction)
  if (counted[0]?.written !== BigInt(rows.length)) throw new Error('a payment changed while it was locked')
}

import { sql, type Transaction } from 'kysely'
import type { RowOf, Schema } from '../../database/schema/schema.ts'
import { BETWEEN_PARTS } from '../../database/schema/statements.ts'
import { CLOCKS_DIFFER_S, PAID_WITHIN_S } from '../../values/expires-in.ts'
import { DEFAULT_ACCOUNT_ID } from '../daraja/account.ts'
import { findReportedFor } from './findings.ts'

/** What an imported statement of M-PESA, or a finding, has against settling a payment with a receipt, or as failed. */
export type ReceiptDoubt =
  /** What the receipt paid was given back to the payer, all or a part, by a line of its own. */
  | { kind: 'reversed'; statementId: bigint; by: string; backCents: bigint; at: Date }
  /** The receipt is that of a line which gave back what another paid (null: it does not say which): it paid nothing. */
  | { kind: 'gave_back'; statementId: bigint; paidBy: string | null }
  /** The receipt paid another payment, by the account number of its line. */
  | { kind: 'of_another'; statementId: bigint; paymentId: bigint }
  /** The receipt was reported for another payment, which another one paid before: it was paid twice, and money is owed back. */
  | { kind: 'reported_for_another'; paymentId: bigint; paidBy: string }
  /** The receipt paid another paybill or till than that of the partner's own account which the payment went through. */
  | { kind: 'of_another_account'; statementId: bigint; shortcode: string; asked: string }
  /** The payment was paid by another receipt, and that was not all given back. */
  | { kind: 'paid_there'; statementId: bigint; receipt: string; paidCents: bigint; askedKes: number }
  /** A statement of all the time in which the payment may have been paid has no such receipt, nor has another. */
  | { kind: 'not_there'; statementId: bigint }
  /** The receipt was paid before the payment was asked for. */
  | { kind: 'paid_before'; statementId: bigint; paidAt: Date; askedAt: Date }
  /** The receipt paid another amount than was asked for. */
  | { kind: 'other_amount'; paidCents: bigint; askedKes: number }

type Asked = { paymentId: bigint; accountId: bigint; receipt: string; askedKes: number; askedAt: Date }

/** Resolves with all that speaks against it, what weighs most first. A failure has no receipt. */
export const findReceiptDoubts = async (
  transaction: Transaction<Schema>,
  { paymentId, accountId, receipt, askedKes, askedAt }: Omit<Asked, 'receipt'> & { receipt: string | null },
): Promise<ReceiptDoubt[]> => {
  const paidThere = await findPaidThere(transaction, { paymentId, receipt, askedKes })
  if (receipt === null) return paidThere
  return [
    ...(await findReversal(transaction, receipt)),
    ...(await findGivingBack(transaction, receipt)),
    ...(await judgeLines(transaction, { paymentId, accountId, receipt, askedKes, askedAt })),
    ...(await findReport(transaction, { paymentId, receipt })),
    ...paidThere,
    ...(await findNowhere(transaction, { paymentId, receipt })),
  ]
}

type ReversalColumn = 'statement_id' | 'other_receipt' | 'paid_cents' | 'completed_at'

/** An import writes each reversal with all of them, by the line that gave it back. */
type ReversalRow = {
  [Column in ReversalColumn]: NonNullable<RowOf<'statement_exceptions', ReversalColumn>[Column]>
}

/** Kept of each receipt that was given back, whatever it proves here, and also where somebody acknowledged it. */
const findReversal = async (transaction: Transaction<Schema>, receipt: string): Promise<ReceiptDoubt[]> => {
  const { rows } = await sql<ReversalRow>`
    SELECT statement_id, other_receipt, paid_cents, completed_at FROM statement_exceptions
    WHERE kind = 'reversed' AND coalesce(receipt, '') = ${receipt}
    LIMIT 1
  `.execute(transaction)
  return rows.map((row) => ({
    kind: 'reversed',
    statementId: row.statement_id,
    by: row.other_receipt,
    backCents: row.paid_cents,
    at: row.completed_at,
  }))
}

/** There are few reversals, and they are next to each other in an index. */
const findGivingBack = async (transaction: Transaction<Schema>, receipt: string): Promise<ReceiptDoubt[]> => {
  const { rows } = await sql<{ statement_id: bigint; paid_by: string | null }>`
    SELECT statement_id, receipt AS paid_by FROM statement_exceptions
    WHERE kind = 'reversed' AND ${receipt} = ANY (string_to_array(other_receipt, ${BETWEEN_PARTS}))
    UNION ALL
    SELECT statement_id, NULL FROM statement_exceptions
    WHERE kind = 'given_back' AND coalesce(receipt, '') = ${receipt}
    LIMIT 1
  `.execute(transaction)
  return rows.map((row) => ({ kind: 'gave_back', statementId: row.statement_id, paidBy: row.paid_by }))
}

/** Also where somebody acknowledged the finding: that gives the receipt to no other payment. */
const findReport = async (
  transaction: Transaction<Schema>,
  { paymentId, receipt }: { paymentId: bigint; receipt: string },
): Promise<ReceiptDoubt[]> => {
  const reported = await findReportedFor(transaction, { paymentId, receipt })
  if (reported === undefined) return []
  return [{ kind: 'reported_for_another', paymentId: reported.payment_id, paidBy: reported.paid_by }]
}

type Line = RowOf<
  'statement_lines',
  'statement_id' | 'shortcode' | 'payment_id' | 'paid_cents' | 'completed_at'
> & {
  holder_id: bigint | null
}

/** A receipt has one line, or one of the till and one of its head office. */
const judgeLines = async (
  transaction: Transaction<Schema>,
  { paymentId, accountId, receipt, askedKes, askedAt }: Asked,
): Promise<ReceiptDoubt[]> => {
  const lines = await transaction
    .selectFrom('statement_lines')
    .leftJoin('receipts', 'receipts.receipt', 'statement_lines.receipt')
    .select(['statement_id', 'shortcode', 'statement_lines.payment_id', 'receipts.payment_id as holder_id'])
    .select(['paid_cents', 'completed_at'])
    .where('statement_lines.receipt', '=', receipt)
    .execute()
  const doubts: ReceiptDoubt[] = []
  // One that proves a payment already is refused by that.
  const ofAnother = lines.find(
    ({ payment_id: paidId, holder_id: holderId }) =>
      holderId === null && paidId !== null && paidId !== paymentId,
  )
  if (ofAnother !== undefined && ofAnother.payment_id !== null)
    doubts.push({
      kind: 'of_another',
      statementId: ofAnother.statement_id,
      paymentId: ofAnother.payment_id,
    })
  const earliestMs = askedAt.getTime() - CLOCKS_DIFFER_S * 1000
  const before = lines.find(({ completed_at: at }) => at.getTime() < earliestMs)
  if (before !== undefined)
    doubts.push({
      kind: 'paid_before',
      statementId: before.statement_id,
      paidAt: before.completed_at,
      askedAt,
    })
  const other = lines.find(({ paid_cents: cents }) => cents !== BigInt(askedKes) * 100n)
  if (other !== undefined) doubts.push({ kind: 'other_amount', paidCents: other.paid_cents, askedKes })
  return [...doubts, ...(await judgeAccount(transaction, accountId, lines))]
}

/** Unless the receipt is that of one of the payment's own lines. */
const findPaidThere = async (
  transaction: Transaction<Schema>,
  { paymentId, receipt, askedKes }: Pick<Asked, 'paymentId' | 'askedKes'> & { receipt: string | null },
): Promise<ReceiptDoubt[]> => {
  const { rows } = await sql<RowOf<'statement_lines', 'statement_id' | 'receipt' | 'paid_cents'>>`
    SELECT statement_id, receipt, paid_cents FROM statement_lines
    WHERE payment_id = ${paymentId} AND NOT EXISTS (
      SELECT FROM statement_exceptions given_back
      WHERE given_back.kind = 'reversed' AND coalesce(given_back.receipt, '') = statement_lines.receipt
        AND given_back.paid_cents >= statement_lines.paid_cents
    )
    ORDER BY completed_at, receipt
  `.execute(transaction)
  const [first] = rows
  if (first === undefined || rows.some((row) => row.receipt === receipt)) return []
  const { statement_id: statementId, paid_cents: paidCents } = first
  return [{ kind: 'paid_there', statementId, receipt: first.receipt, paidCents, askedKes }]
}

/** A shortcode that is of no account of a partner's own is that of the default one. */
const findNowhere = async (
  transaction: Transaction<Schema>,
  { paymentId, receipt }: { paymentId: bigint; receipt: string },
): Promise<ReceiptDoubt[]> => {
  const { rows } = await sql<RowOf<'statements', 'id'>>`
    SELECT statements.id FROM payments JOIN statements
      ON covers_from <= created_at AND covers_to >= submit_by + make_interval(secs => ${PAID_WITHIN_S})
    WHERE payments.id = ${paymentId}
      AND NOT EXISTS (SELECT FROM statement_lines WHERE statement_lines.receipt = ${receipt})
      AND CASE payments.account_id
        WHEN ${DEFAULT_ACCOUNT_ID} THEN NOT EXISTS (
          SELECT FROM partner_accounts WHERE statements.shortcode IN (partner_accounts.shortcode, party_b)
        )
        ELSE EXISTS (
          SELECT FROM partner_accounts
          WHERE partner_accounts.id = payments.account_id AND statements.shortcode IN (partner_accounts.shortcode, party_b)
        )
      END
    ORDER BY statements.id DESC LIMIT 1
  `.execute(transaction)
  return rows.map(({ id }) => ({ kind: 'not_there', statementId: id }))
}

/** What the default account is known by, the settings of `serve` say, and not the database. */
const judgeAccount = async (
  transaction: Transaction<Schema>,
  accountId: bigint,
  lines: readonly Line[],
): Promise<ReceiptDoubt[]> => {
  const [line] = lines
  if (line === undefined) return []
  const own = await transaction
    .selectFrom('partner_accounts')
    .select(['shortcode', 'party_b'])
    .where('id', '=', accountId)
    .executeTakeFirst()
  if (own === undefined || lines.some(({ shortcode }) => isOf(own, shortcode))) return []
  const { statement_id: statementId, shortcode } = line
  return [{ kind: 'of_another_account', statementId, shortcode, asked: own.party_b }]
}

/** The paybill or till, or the till's head office. */
const isOf = (
  { shortcode, party_b }: RowOf<'partner_accounts', 'shortcode' | 'party_b'>,
  paid: string,
): boolean => shortcode === paid || party_b === paid

/** When the money moved that a receipt is of, as an imported statement says; null: none says anything. */
export const findPaidAt = async (
  transaction: Transaction<Schema>,
  receipt: string | null,
): Promise<Date | null> => {
  if (receipt === null) return null
  const { rows } = await sql<{ paid_at: Date | null }>`
    SELECT min(completed_at) AS paid_at FROM statement_lines WHERE receipt = ${receipt}
  `.execute(transaction)
  return rows[0]?.paid_at ?? null
}

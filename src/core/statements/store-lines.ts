import { sql, type Transaction } from 'kysely'
import { anyOf, givenRows } from '../../database/given-rows.ts'
import type { RowOf, Schema } from '../../database/schema/schema.ts'
import { CLOCKS_DIFFER_S } from '../../values/expires-in.ts'
import { DEFAULT_ACCOUNT_ID } from '../daraja/account.ts'
import { type NewException, recordExceptions } from './exceptions.ts'
import type { GivenReference, Referred } from './match-payments.ts'
import type { StatementLine } from './read-statement.ts'
import { findTaken } from './taken-receipts.ts'

/** Whose lines are stored. */
export type StoredStatement = {
  statementId: bigint
  shortcode: string
  /** The accounts here that it is of. */
  accountIds: readonly bigint[]
  /** What Daraja may have been given as a payment's AccountReference. */
  referencesOf: (payment: Referred) => GivenReference[]
}

type Proven = RowOf<'receipts', 'receipt' | 'payment_id'> &
  RowOf<'payments', 'amount_kes' | 'account_id' | 'created_at' | 'transaction_date'>
type KnownLine = RowOf<'statement_lines', 'receipt' | 'statement_id' | 'line' | 'paid_cents' | 'payment_id'>

/**
 * Stores lines that paid something in, each with the payment that its receipt proves, and keeps those whose amount is
 * another than was asked for, and those whose account number is another payment's. A line is of no payment that went
 * through an account of its partner's own and asked to be paid elsewhere. A receipt that another statement brought is left
 * as it is. Resolves with how many were stored, and how many of the others another statement brought.
 */
export const storeLines = async (
  transaction: Transaction<Schema>,
  statement: StoredStatement,
  lines: readonly StatementLine[],
): Promise<{ stored: number; known: number }> => {
  if (lines.length === 0) return { stored: 0, known: 0 }
  const proven = ofTime(ofAccounts(await findProven(transaction, lines), statement), lines)
  const stored = await insertLines(transaction, statement, lines, proven)
  const others = lines.filter(({ line }) => !stored.has(line))
  const known = await findKnown(transaction, statement, others)
  const fresh = lines.filter(({ line }) => stored.has(line))
  const taken = await findTaken(transaction, fresh, {
    proves: (receipt) => proven.get(receipt)?.payment_id,
    referencesOf: statement.referencesOf,
  })
  await recordExceptions(transaction, statement.statementId, [
    ...fresh.flatMap((line) => differentAmount(line, proven)),
    ...taken,
    ...others.flatMap((line) => twice(line, known, statement)),
  ])
  return {
    stored: stored.size,
    known: others.filter((line) => known.get(line.receipt)?.statement_id !== statement.statementId).length,
  }
}

/** The payments that the receipts prove, with what was asked for; test payments are none. */
export const findProven = async (
  transaction: Transaction<Schema>,
  lines: readonly Pick<StatementLine, 'receipt'>[],
): Promise<Map<string, Proven>> => {
  const rows = await transaction
    .selectFrom('receipts')
    .innerJoin('payments', 'payments.id', 'receipts.payment_id')
    .select(['receipts.receipt', 'receipts.payment_id', 'payments.amount_kes', 'payments.account_id'])
    .select(['payments.created_at', 'payments.transaction_date'])
    .where('receipts.receipt', '=', anyOf('receipts.receipt', lines.map(receiptOf)))
    .where('payments.partner_id', '>', 0n)
    .execute()
  return new Map(rows.map((row) => [row.receipt, row]))
}

/** By what the default account was known when one of its payments was asked for, nobody knows. */
const ofAccounts = (
  proven: ReadonlyMap<string, Proven>,
  { accountIds }: StoredStatement,
): ReadonlyMap<string, Proven> => {
  const ids = new Set([DEFAULT_ACCOUNT_ID, ...accountIds])
  return new Map([...proven].filter(([, { account_id: id }]) => ids.has(id)))
}

/** Nor is a line of a payment that was asked for after it, unless M-PESA has dated that as the line: `isPaidBefore`. */
const ofTime = (
  proven: ReadonlyMap<string, Proven>,
  lines: readonly StatementLine[],
): ReadonlyMap<string, Proven> => {
  const isBefore = (completedAt: Date, at: Date | null): boolean =>
    at !== null && at.getTime() > completedAt.getTime() + CLOCKS_DIFFER_S * 1000
  const before = lines.filter(({ receipt, completedAt }) => {
    const { created_at: askedAt = null, transaction_date: paidAt = null } = proven.get(receipt) ?? {}
    return isBefore(completedAt, askedAt) && isBefore(completedAt, paidAt)
  })
  const receipts = new Set(before.map(receiptOf))
  return receipts.size === 0 ? proven : new Map([...proven].filter(([receipt]) => !receipts.has(receipt)))
}

const receiptOf = ({ receipt }: Pick<StatementLine, 'receipt'>): string => receipt

/** The numbers of the lines that were new. */
const insertLines = async (
  transaction: Transaction<Schema>,
  { statementId, shortcode }: StoredStatement,
  lines: readonly StatementLine[],
  proven: ReadonlyMap<string, Proven>,
): Promise<Set<number>> => {
  const given = givenRows(lines, {
    receipt: ['statement_lines.receipt', receiptOf],
    line: ['statement_lines.line', ({ line }) => line],
    completed_at: ['statement_lines.completed_at', ({ completedAt }) => completedAt],
    paid_cents: ['statement_lines.paid_cents', ({ paidInCents }) => BigInt(paidInCents)],
    reference: ['statement_lines.reference', ({ reference }) => reference],
    payment_id: ['statement_lines.payment_id', ({ receipt }) => proven.get(receipt)?.payment_id ?? null],
  })
  const { rows } = await sql<RowOf<'statement_lines', 'line'>>`
    INSERT INTO statement_lines (receipt, shortcode, statement_id, line, completed_at, paid_cents, reference, payment_id)
    SELECT receipt, ${shortcode}, ${statementId}, line, completed_at, paid_cents, reference, payment_id FROM ${given}
    ON CONFLICT (receipt, shortcode) DO NOTHING
    RETURNING line
  `.execute(transaction)
  return new Set(rows.map(({ line }) => line))
}

const findKnown = async (
  transaction: Transaction<Schema>,
  { shortcode }: StoredStatement,
  lines: readonly StatementLine[],
): Promise<Map<string, KnownLine>> => {
  if (lines.length === 0) return new Map()
  const rows = await transaction
    .selectFrom('statement_lines')
    .select(['receipt', 'statement_id', 'line', 'paid_cents', 'payment_id'])
    .where('receipt', '=', anyOf('statement_lines.receipt', lines.map(receiptOf)))
    .where('shortcode', '=', shortcode)
    .execute()
  return new Map(rows.map((row) => [row.receipt, row]))
}

const differentAmount = (line: StatementLine, proven: ReadonlyMap<string, Proven>): NewException[] => {
  const payment = proven.get(line.receipt)
  if (payment === undefined || payment.amount_kes * 100 === line.paidInCents) return []
  return [{ ...about(line), kind: 'different_amount', paymentId: payment.payment_id }]
}

/** The same receipt twice in one file, or in two with different amounts; in two with one amount, they overlap. */
const twice = (
  line: StatementLine,
  known: ReadonlyMap<string, KnownLine>,
  { statementId }: StoredStatement,
): NewException[] => {
  const first = known.get(line.receipt)
  if (first === undefined) return []
  const otherCents = Number(first.paid_cents)
  if (first.statement_id !== statementId && otherCents === line.paidInCents) return []
  return [{ ...about(line), kind: 'twice', paymentId: first.payment_id, otherCents }]
}

const about = (line: StatementLine) => ({
  receipt: line.receipt,
  paidCents: line.paidInCents,
  completedAt: line.completedAt,
  reference: line.reference,
})

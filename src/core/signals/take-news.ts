import { sql, type Transaction } from 'kysely'
import type { Schema } from '../../database/schema/schema.ts'
import { cleanText } from '../../values/outside-text.ts'
import type { Signal } from './render-signal.ts'

// What is told once each: it is marked as told in the transaction that writes the signal, and skipped by every other.

/** How many of a kind one signal lists at most; it counts all. */
export const MOST_LISTED = 20

/** Rows that one signal marks at most; the rest is told by the next. */
const MOST_MARKED = 50_000

/** What was found of one kind, with how many there are of it in all. */
type Listed<Row> = { rows: (Row & { total: number })[] }

const isNone = <Row>({ rows }: Listed<Row>): boolean => rows.length === 0

const totalOf = <Row>({ rows }: Listed<Row>): number => rows[0]?.total ?? 0

/**
 * Takes the deliveries that died and of which nobody was told yet, counted by endpoint and class of error; null: none.
 * What an operator cancelled, and test payments', is no news.
 */
export const takeDead = async (transaction: Transaction<Schema>): Promise<Signal | null> => {
  const found = await sql<{
    total: number
    partner_id: bigint
    partner: string
    host: string
    count: number
    error_class: string | null
    newest_delivery_id: bigint
  }>`
    WITH untold AS MATERIALIZED (
      SELECT delivery_id FROM dead_letters WHERE told_at IS NULL AND partner_id > 0
      ORDER BY delivery_id LIMIT ${MOST_MARKED} FOR UPDATE SKIP LOCKED
    ), marked AS (
      UPDATE dead_letters SET told_at = now() WHERE delivery_id = ANY (ARRAY(SELECT delivery_id FROM untold))
      RETURNING delivery_id, partner_id, host, error_class
    ), dead AS (
      SELECT marked.* FROM marked
      CROSS JOIN LATERAL (SELECT state FROM deliveries WHERE id = marked.delivery_id OFFSET 0) delivery
      WHERE state = 'dead'
    )
    SELECT (sum(count(*)) OVER ())::int AS total, dead.partner_id, coalesce(partners.name, '') AS partner, dead.host,
           count(*)::int AS count, dead.error_class, max(dead.delivery_id) AS newest_delivery_id
    FROM dead LEFT JOIN partners ON partners.id = dead.partner_id
    GROUP BY dead.partner_id, partners.name, dead.host, dead.error_class
    ORDER BY count(*) DESC, dead.partner_id, dead.host LIMIT ${MOST_LISTED}
  `.execute(transaction)
  if (isNone(found)) return null
  return {
    type: 'delivery.dead',
    data: {
      count: totalOf(found),
      endpoints: found.rows.map(({ partner_id, partner, host, count, error_class, newest_delivery_id }) => ({
        partner_id: Number(partner_id),
        partner: cleanText(partner),
        host,
        count,
        error_class,
        newest_delivery_id: Number(newest_delivery_id),
      })),
    },
  }
}

/**
 * Takes the findings of which nobody was told yet; null: none. Their detail stays here: it names receipts and ids of
 * Daraja's, which hold the payer's number.
 */
export const takeFindings = async (transaction: Transaction<Schema>): Promise<Signal | null> => {
  const found = await sql<{ total: number; payment_id: bigint; partner_id: bigint; kind: string; at: Date }>`
    WITH untold AS MATERIALIZED (
      SELECT ctid AS place FROM payment_findings WHERE told_at IS NULL
      ORDER BY payment_id LIMIT ${MOST_MARKED} FOR UPDATE SKIP LOCKED
    ), marked AS (
      UPDATE payment_findings SET told_at = now() WHERE ctid = ANY (ARRAY(SELECT place FROM untold))
      RETURNING payment_id, kind, at
    )
    SELECT (count(*) OVER ())::int AS total, marked.payment_id, payment.partner_id, marked.kind, marked.at
    FROM marked
    CROSS JOIN LATERAL (SELECT partner_id FROM payments WHERE id = marked.payment_id OFFSET 0) payment
    WHERE payment.partner_id > 0
    ORDER BY marked.at DESC, marked.payment_id DESC LIMIT ${MOST_LISTED}
  `.execute(transaction)
  if (isNone(found)) return null
  return {
    type: 'payment.finding',
    data: {
      count: totalOf(found),
      findings: found.rows.map(({ payment_id, partner_id, kind, at }) => ({
        payment_id: Number(payment_id),
        partner_id: Number(partner_id),
        kind,
        at,
      })),
    },
  }
}

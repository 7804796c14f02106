import { type RawBuilder, sql, type Transaction } from 'kysely'
import type { Database } from '../../database/connect.ts'
import type { Schema } from '../../database/schema/schema.ts'
import { type Msisdn, maskMsisdn } from '../../values/msisdn.ts'
import { type Actor, recordAudit } from '../audit/record-audit.ts'
import { hasNumber, type NineDigits, toNineDigits } from './blank.ts'
import { findPayments } from './find-payments.ts'

/** One row that is held on a payer, whole but for what is no data of anybody: positions of events, parts of tokens. */
export type PayerRecord = { kind: PayerRecordKind; fields: Readonly<Record<string, unknown>> }

export type PayerRecordKind = (typeof KINDS)[number]

const KINDS = [
  'payment',
  'move',
  'finding',
  'callback',
  'delivery',
  'attempt',
  'dead_delivery',
  'statement_line',
  'statement_exception',
  'prompts',
  'stranger_callback',
] as const

export type PayerPage = { records: PayerRecord[]; nextAfter: bigint | null }

/**
 * Reads all that is held on a payer: payments with an id above `after`, at most `limit`, with everything of theirs; with the
 * first of them also what belongs to no payment. Who asked is written down, with the masked number.
 */
export const exportPayer = async (options: {
  database: Database
  msisdn: Msisdn
  /** Null: from the first. */
  after: bigint | null
  limit: number
  actor: Actor
}): Promise<PayerPage> => {
  const { database, msisdn, after, limit, actor } = options
  const rest = (await findPayments(database, msisdn)).filter((id) => id > (after ?? 0n))
  const ids = rest.slice(0, limit)
  return database.transaction().execute(async (transaction): Promise<PayerPage> => {
    const held = { ids: sql`${ids}::bigint[]`, number: toNineDigits(msisdn), isFirst: after === null }
    const records: PayerRecord[] = []
    for (const kind of KINDS) {
      for (const record of await readKind(transaction, kind, held)) records.push(record)
    }
    await recordAudit(transaction, {
      actor,
      action: 'exported',
      subject: { kind: 'payer', id: maskMsisdn(msisdn) },
      partnerId: null,
      before: null,
      after: { payments: ids.length, records: records.length },
    })
    return { records, nextAfter: rest.length > limit ? (ids.at(-1) ?? null) : null }
  })
}

type Held = { ids: RawBuilder<unknown>; number: NineDigits; isFirst: boolean }

const readKind = async (
  transaction: Transaction<Schema>,
  kind: PayerRecordKind,
  held: Held,
): Promise<PayerRecord[]> => {
  const { rows } = await sql<Pick<PayerRecord, 'fields'>>`${STATEMENTS[kind](held)}`.execute(transaction)
  return rows.map(({ fields }) => ({ kind, fields }))
}

/** What the tables have for the machine alone. */
const MACHINERY = sql`ARRAY['callback_nonce', 'nonce', 'accepted_position', 'event_position', 'event_number', 'body']`

const ofPayment = ({ ids }: Held) => sql`payment_id = ANY(${ids})`
const ofDelivery = ({ ids }: Held) =>
  sql`delivery_id IN (SELECT id FROM deliveries WHERE payment_id = ANY(${ids}))`

/** Of no payment, and with the number in it. */
const ofNone = ({ isFirst, number }: Held, text: RawBuilder<unknown>) =>
  sql`(${isFirst}::boolean AND payment_id IS NULL AND ${hasNumber(text, number)})`

/** A body is any bytes: those that are no ASCII are each written as a backslash and three digits. */
const body = sql`encode(held.body, 'escape')`
const withBody = sql`(to_jsonb(held) - ${MACHINERY}) || jsonb_build_object('body', ${body})`

const STATEMENTS: Readonly<Record<PayerRecordKind, (held: Held) => RawBuilder<unknown>>> = {
  payment: ({ ids }) =>
    sql`SELECT to_jsonb(held) - ${MACHINERY} AS fields FROM payments held WHERE id = ANY(${ids}) ORDER BY id`,
  move: (held) => sql`
    SELECT to_jsonb(held) - ${MACHINERY} AS fields FROM payment_history held WHERE ${ofPayment(held)}
    ORDER BY payment_id, at
  `,
  finding: (held) => sql`
    SELECT to_jsonb(held) AS fields FROM payment_findings held WHERE ${ofPayment(held)} ORDER BY payment_id, at
  `,
  callback: (held) => sql`
    SELECT ${withBody} AS fields FROM callbacks held
    WHERE ${ofPayment(held)} OR ${ofNone(held, sql`${body} || held.headers::text`)} ORDER BY received_at
  `,
  delivery: (held) => sql`
    SELECT to_jsonb(held) AS fields FROM deliveries held WHERE ${ofPayment(held)} ORDER BY id
  `,
  attempt: (held) => sql`
    SELECT to_jsonb(held) AS fields FROM attempts held WHERE ${ofDelivery(held)} ORDER BY delivery_id, number
  `,
  dead_delivery: (held) => sql`
    SELECT to_jsonb(held) AS fields FROM dead_letters held WHERE ${ofDelivery(held)} ORDER BY delivery_id
  `,
  statement_line: (held) => sql`
    SELECT to_jsonb(held) AS fields FROM statement_lines held
    WHERE ${ofPayment(held)} OR ${ofNone(held, sql`held.reference`)} ORDER BY completed_at
  `,
  statement_exception: (held) => sql`
    SELECT to_jsonb(held) AS fields FROM statement_exceptions held
    WHERE ${ofPayment(held)} OR ${ofNone(held, sql`concat_ws(' ', held.reference, held.note)`)} ORDER BY id
  `,
  prompts: ({ isFirst, number }) => sql`
    SELECT to_jsonb(held) AS fields FROM payer_prompts held
    WHERE ${isFirst}::boolean AND msisdn = ${`254${number.digits}`} ORDER BY partner_id
  `,
  stranger_callback: ({ isFirst, number }) => sql`
    SELECT ${withBody} AS fields FROM stranger_callbacks held
    WHERE ${isFirst}::boolean AND ${hasNumber(sql`${body} || held.headers::text`, number)} ORDER BY received_at
  `,
}

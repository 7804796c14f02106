import { type RawBuilder, sql, type Transaction } from 'kysely'
import type { Database } from '../../database/connect.ts'
import { planTheRestByIndex } from '../../database/plan-by-size.ts'
import type { Schema } from '../../database/schema/schema.ts'
import { type Msisdn, maskMsisdn } from '../../values/msisdn.ts'
import { type Actor, recordAudit } from '../audit/record-audit.ts'
import { givenLines, isAskedPayer } from './blank.ts'
import { findStrays, type Strays } from './find-held.ts'
import { findPayments } from './find-payments.ts'
import { type NineDigits, toNineDigits } from './nine-digits.ts'

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
  const number = toNineDigits(msisdn)
  const found = await findPayments(database, { msisdn, after, atMost: limit + 1 })
  const ids = found.slice(0, limit)
  const strays = after === null ? await findStrays(database, number) : NO_STRAYS
  return database.transaction().execute(async (transaction): Promise<PayerPage> => {
    await planTheRestByIndex(transaction)
    const held = { ids: sql`${ids}::bigint[]`, number, isFirst: after === null, strays }
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
    return { records, nextAfter: found.length > limit ? (ids.at(-1) ?? null) : null }
  })
}

/** With every page but the first. */
const NO_STRAYS: Strays = { lines: [], exceptionIds: [], callbackIds: [], strangerIds: [] }

type Held = { ids: RawBuilder<unknown>; number: NineDigits; isFirst: boolean; strays: Strays }

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
  sql`delivery_id = ANY(ARRAY(SELECT id FROM deliveries WHERE payment_id = ANY(${ids})))`

/** What is selected of rows of a table, as `held`: of those of the payments, and of those of `strays` of no payment. */
const withStrays = (
  held: Held,
  what: { table: string; fields: RawBuilder<unknown>; orderBy: string; strays: RawBuilder<unknown> },
) => {
  const { table, fields, strays } = what
  const columns = sql`${fields} AS fields, held.${sql.ref(what.orderBy)} AS place`
  return sql`
    SELECT fields FROM (
      SELECT ${columns} FROM ${sql.table(table)} held WHERE ${ofPayment(held)}
      UNION ALL SELECT ${columns} FROM ${strays} AND held.payment_id IS NULL
    ) every ORDER BY place
  `
}

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
  callback: (held) =>
    withStrays(held, {
      table: 'callbacks',
      fields: withBody,
      orderBy: 'received_at',
      strays: sql`callbacks held WHERE held.id = ANY(${held.strays.callbackIds}::uuid[])`,
    }),
  delivery: (held) => sql`
    SELECT to_jsonb(held) AS fields FROM deliveries held WHERE ${ofPayment(held)} ORDER BY id
  `,
  attempt: (held) => sql`
    SELECT to_jsonb(held) AS fields FROM attempts held WHERE ${ofDelivery(held)} ORDER BY delivery_id, number
  `,
  dead_delivery: (held) => sql`
    SELECT to_jsonb(held) AS fields FROM dead_letters held WHERE ${ofDelivery(held)} ORDER BY delivery_id
  `,
  statement_line: (held) =>
    withStrays(held, {
      table: 'statement_lines',
      fields: sql`to_jsonb(held)`,
      orderBy: 'completed_at',
      strays: sql`
        ${givenLines(held.strays.lines)} JOIN statement_lines held
        ON held.receipt = given.receipt AND held.shortcode = given.shortcode WHERE true
      `,
    }),
  statement_exception: (held) =>
    withStrays(held, {
      table: 'statement_exceptions',
      fields: sql`to_jsonb(held)`,
      orderBy: 'id',
      strays: sql`statement_exceptions held WHERE held.id = ANY(${held.strays.exceptionIds}::bigint[])`,
    }),
  prompts: ({ isFirst, number }) => sql`
    SELECT to_jsonb(held) AS fields FROM payer_prompts held
    WHERE ${isFirst}::boolean AND ${isAskedPayer(number)} ORDER BY partner_id
  `,
  stranger_callback: ({ strays }) => sql`
    SELECT ${withBody} AS fields FROM stranger_callbacks held
    WHERE id = ANY(${strays.strangerIds}::uuid[]) ORDER BY received_at
  `,
}

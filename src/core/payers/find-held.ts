import { sql } from 'kysely'
import type { Database } from '../../database/connect.ts'
import { anyOf } from '../../database/expressions.ts'
import { planByIndex } from '../../database/plan-by-size.ts'
import type { RowOf } from '../../database/schema/schema.ts'
import type { Msisdn } from '../../values/msisdn.ts'
import { findAlongKey } from './find-along-key.ts'
import { findPayments } from './find-payments.ts'
import { hasNumber, inCallback, type NineDigits, toNineDigits } from './nine-digits.ts'

type LineKey = RowOf<'statement_lines', 'receipt' | 'shortcode'>
type KeyOfIdempotency = RowOf<'idempotency_keys', 'partner_id' | 'key_hash'>

/** Rows that belong to no payment, or not to one of the payer, and have the number in them. */
export type Strays = {
  lines: LineKey[]
  exceptionIds: bigint[]
  callbackIds: string[]
  strangerIds: string[]
}

/** What is held on a payer and no index leads to, or none but that of another row of theirs. */
export type Held = {
  paymentIds: bigint[]
  keys: KeyOfIdempotency[]
  strays: Strays
  /** The statements whose lines were looked through: of one that is not here, nobody knows. */
  statementIds: bigint[]
}

/** Bodies are some kilobytes each. */
const PIECE_OF_STRANGERS = 1_000

/**
 * Finds all that is held on a payer, before anything is locked: it reads all payments, lines of statements and keys, in
 * pieces.
 */
export const findHeld = async (database: Database, msisdn: Msisdn): Promise<Held> => {
  const statements = await database.selectFrom('statements').select('id').execute()
  const paymentIds = await findPayments(database, { msisdn, after: null, atMost: null })
  return {
    paymentIds,
    keys: await findKeys(database, paymentIds),
    strays: await findStrays(database, toNineDigits(msisdn)),
    statementIds: statements.map(({ id }) => id),
  }
}

/** Finds what has the number in it, whatever payment it belongs to. */
export const findStrays = async (database: Database, number: NineDigits): Promise<Strays> => {
  const inReference = hasNumber(sql`reference`, number)
  const inException = hasNumber(sql`concat_ws(' ', reference, note)`, number)
  const lines = await all(
    findAlongKey<LineKey>({
      database,
      table: 'statement_lines',
      key: ['receipt', 'shortcode'],
      fits: inReference,
    }),
  )
  const exceptions = await all(
    findAlongKey<RowOf<'statement_exceptions', 'id'>>({
      database,
      table: 'statement_exceptions',
      key: ['id'],
      fits: inException,
    }),
  )
  const strangers = await all(
    findAlongKey<RowOf<'stranger_callbacks', 'id'>>({
      database,
      table: 'stranger_callbacks',
      key: ['id'],
      fits: sql`position(${Buffer.from(number.digits)} IN body) > 0 OR strpos(headers::text, ${number.digits}) > 0`,
      piece: PIECE_OF_STRANGERS,
    }),
  )
  return {
    lines,
    exceptionIds: exceptions.map(({ id }) => id),
    callbackIds: await findCallbacksOfNone(database, number),
    strangerIds: strangers.map(({ id }) => id),
  }
}

/** Callbacks that belong to no payment are few, and the index of payments' callbacks leads to them. */
const findCallbacksOfNone = async (database: Database, number: NineDigits): Promise<string[]> => {
  const statement = sql<RowOf<'callbacks', 'id'>>`
    SELECT id FROM callbacks WHERE payment_id IS NULL AND ${inCallback(number)}
  `
  const { rows } = await planByIndex(database, (transaction) => statement.execute(transaction))
  return rows.map(({ id }) => id)
}

/** The keys of requests lead to their payments, and nothing leads back: those of a partner are read. */
const findKeys = async (database: Database, paymentIds: readonly bigint[]): Promise<KeyOfIdempotency[]> => {
  const partners = await database
    .selectFrom('payments')
    .select('partner_id')
    .distinct()
    .where('id', '=', anyOf(paymentIds))
    .execute()
  const keys: KeyOfIdempotency[] = []
  for (const { partner_id } of partners) {
    const found = await all(
      findAlongKey<RowOf<'idempotency_keys', 'key_hash'>>({
        database,
        table: 'idempotency_keys',
        within: sql`partner_id = ${partner_id}`,
        key: ['key_hash'],
        fits: sql`payment_id = ${anyOf(paymentIds)}`,
      }),
    )
    for (const { key_hash } of found) keys.push({ partner_id, key_hash })
  }
  return keys
}

const all = async <Key>(pieces: AsyncIterable<Key[]>): Promise<Key[]> => {
  const keys: Key[] = []
  for await (const piece of pieces) for (const key of piece) keys.push(key)
  return keys
}

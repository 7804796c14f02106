import { sql } from 'kysely'
import type { Database } from '../../database/connect.ts'
import { givenRows } from '../../database/given-rows.ts'
import { maskMsisdn } from '../../values/msisdn.ts'
import { listRecordFiles, readRecordFile, systemDisk } from '../callback/spool-files.ts'
import { decodeRecords } from '../callback/spool-record.ts'
import { parseCallback } from '../daraja/parse-callback.ts'

/** What is known of a payment that the database does not have, by one callback that came for it. */
export type LostPayment = {
  payment_id: bigint
  /** `successful` or `failed`; null for a callback that is not understood. */
  outcome: 'successful' | 'failed' | null
  result_code: string | null
  receipt: string | null
  amount_kes: number | null
  /** The payer's, masked; null where the callback has none. */
  msisdn: string | null
  called_back_at: Date
  /** Where the callback is. */
  kept_in: 'database' | 'spool'
}

type Callback = { payment_id: bigint; received_at: Date; body: Uint8Array; kept_in: LostPayment['kept_in'] }

/** So many callbacks are looked at in the database; the rest is a matter for SQL. */
export const MOST_CALLBACKS = 10_000

/**
 * Finds callbacks whose payment is missing, in the database and in the spool of `folder`: by payment, oldest first.
 * `above`: no payment up to this one is missing.
 */
export const findLostPayments = async (options: {
  database: Database
  folder: string
  above: bigint
}): Promise<LostPayment[]> => {
  const spooled = await readSpooled(options.folder)
  const missing = await withoutPayment(
    options.database,
    spooled.map(({ payment_id }) => payment_id),
  )
  const callbacks = [
    ...(await findKept(options.database, options.above)),
    ...spooled.filter(({ payment_id }) => missing.has(payment_id)),
  ]
  return callbacks
    .map(toLost)
    .sort(
      (one, other) =>
        Number(one.payment_id - other.payment_id) ||
        one.called_back_at.getTime() - other.called_back_at.getTime(),
    )
}

/** Of those that came after the newest payment that is there: what came before is of payments that are there too. */
const findKept = async (database: Database, above: bigint): Promise<Callback[]> => {
  const { rows } = await sql<Callback>`
    SELECT payment_id, received_at, body, 'database' AS kept_in FROM callbacks
    WHERE payment_id > ${above} AND NOT EXISTS (SELECT FROM payments WHERE id = callbacks.payment_id)
      AND received_at >= coalesce((SELECT created_at FROM payments WHERE id = ${above}), '-infinity')
    ORDER BY payment_id, received_at LIMIT ${MOST_CALLBACKS}
  `.execute(database)
  return rows
}

const readSpooled = async (folder: string): Promise<Callback[]> => {
  const files = await listRecordFiles(folder).catch((error: unknown) => {
    // Without a folder there is no spool.
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return []
    throw error
  })
  const contents = await Promise.all(files.map((file) => readRecordFile(systemDisk, file)))
  return contents
    .flatMap((bytes) => (bytes === null ? [] : decodeRecords(bytes).callbacks))
    .flatMap(({ payment_id, received_at, body }): Callback[] =>
      payment_id === null ? [] : [{ payment_id, received_at, body, kept_in: 'spool' }],
    )
}

const withoutPayment = async (database: Database, ids: readonly bigint[]): Promise<Set<bigint>> => {
  const rows = await database
    .selectFrom(givenRows(ids, { id: ['payments.id', (id) => id] }))
    .select('given.id')
    .where((eb) =>
      eb.not(eb.exists(eb.selectFrom('payments').select('id').whereRef('payments.id', '=', 'given.id'))),
    )
    .execute()
  return new Set(rows.map(({ id }) => id))
}

const toLost = ({ payment_id, received_at, body, kept_in }: Callback): LostPayment => {
  const parsed = parseCallback(body)
  const known = parsed.kind === 'understood' ? parsed : null
  return {
    payment_id,
    outcome: known && known.outcome,
    result_code: known?.resultCode ?? null,
    receipt: known?.receipt ?? null,
    amount_kes: known?.amountKes ?? null,
    msisdn: known?.payerMsisdn ? maskMsisdn(known.payerMsisdn) : null,
    called_back_at: received_at,
    kept_in,
  }
}

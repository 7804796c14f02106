import { sql } from 'kysely'
import { Registry } from 'prom-client'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startInterpreting } from '../../../src/core/callback/interpret.ts'
import { storeCallbacks } from '../../../src/core/callback/receive.ts'
import { createCoreMetrics } from '../../../src/core/metrics.ts'
import type { Database } from '../../../src/database/connect.ts'
import { type OpenDatabase, openTestDatabase } from '../../support/database.ts'
import { eventually } from '../../support/eventually.ts'
import { quietLog } from '../../support/quiet-log.ts'
import { received } from './received.ts'

let own: OpenDatabase
let database: Database

beforeAll(async () => {
  own = await openTestDatabase()
  database = own.database
})
afterAll(() => own.close())

const PAYMENTS = 300

const bodyOf = (resultCode: number): Buffer =>
  Buffer.from(JSON.stringify({ Body: { stkCallback: { ResultCode: resultCode, ResultDesc: 'said' } } }))

/** Payments whose payers have the prompt. */
const openPayments = async (): Promise<bigint[]> => {
  const { rows } = await sql<{ id: bigint }>`
    INSERT INTO payments (partner_id, amount_kes, state, submit_by, msisdn, callback_url)
    SELECT 1, 150, 'submitted', now(), '254712345678', 'https://shop.example.com/paid' FROM generate_series(1, ${PAYMENTS})
    RETURNING id
  `.execute(database)
  return rows.map(({ id }) => id)
}

const countDuties = async (): Promise<number> =>
  (await database.selectFrom('to_interpret').select('callback_id').execute()).length

describe('interpreting', () => {
  it('settles each payment once, however many batches its callbacks are spread over', async () => {
    const ids = await openPayments()
    const callbacks = [0, 0, 1].flatMap((resultCode) =>
      ids.map((paymentId) => received({ payment_id: paymentId, body: bodyOf(resultCode) })),
    )
    const unread = received({ payment_id: ids[0] ?? 0n, body: Buffer.from('{') })
    await storeCallbacks(database, [...callbacks.slice(0, 450), unread, ...callbacks.slice(450)])
    const loop = startInterpreting({
      database,
      nowMs: () => performance.now(),
      log: quietLog,
      metrics: createCoreMetrics(new Registry(), database),
      onSettled: () => undefined,
      publishAtOnce: () => null,
      pullsByDefault: false,
    })
    await eventually(async () => expect(await countDuties()).toBe(0))
    await loop.stop()
    const { rows } = await sql<Record<string, unknown>>`
      SELECT state::text, count(*)::int AS payments,
             (SELECT count(*)::int FROM payment_history) AS moves,
             (SELECT count(*)::int FROM deliveries) AS deliveries,
             (SELECT count(*)::int FROM payment_findings WHERE kind = 'failure_after_success') AS contradicted
      FROM payments GROUP BY state
    `.execute(database)
    const all = PAYMENTS
    expect(rows).toEqual([
      { state: 'successful', payments: all, moves: all, deliveries: all, contradicted: all },
    ])
  })

  it('goes on at once after a full batch that was taken one by one', async () => {
    const [bad = 0n, ...others] = await openPayments()
    const ids = [bad, ...others]
    await sql`
      CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS
      ${sql.lit(`BEGIN RAISE 'too much' USING ERRCODE = '22003'; END`)}
    `.execute(database)
    await sql`
      CREATE TRIGGER refuse BEFORE UPDATE ON payments FOR EACH ROW
      WHEN (NEW.id = ${sql.lit(bad)}) EXECUTE FUNCTION refuse()
    `.execute(database)
    await storeCallbacks(
      database,
      ids.map((paymentId) => received({ payment_id: paymentId, body: bodyOf(0) })),
    )
    const loop = startInterpreting(
      {
        database,
        nowMs: () => performance.now(),
        log: quietLog,
        metrics: createCoreMetrics(new Registry(), database),
        onSettled: () => undefined,
        publishAtOnce: () => null,
        pullsByDefault: false,
      },
      { idleMs: 3_600_000 },
    )
    await eventually(async () => expect(await countDuties()).toBe(0))
    await loop.stop()
    const left = database.selectFrom('payments').select('id').where('state', '=', 'submitted')
    expect(await left.execute()).toEqual([{ id: bad }])
  })
})

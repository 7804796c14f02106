import { sql } from 'kysely'
import { afterAll, beforeAll, beforeEach, expect, it } from 'vitest'
import { pauseEndpoint, resumeEndpoint } from '../../../src/core/deliveries/endpoints.ts'
import { retryDeliveries } from '../../../src/core/deliveries/retry.ts'
import type { Database } from '../../../src/database/connect.ts'
import { expireHeld } from '../../../src/dispatcher/endpoints/expire-held.ts'
import { AMINA, clear } from '../../core/deliveries/harness.ts'
import { type OpenDatabase, openTestDatabase } from '../../support/database.ts'
import { addDelivery, readDelivery } from '../../support/deliveries.ts'
import { addPartner } from '../../support/partner.ts'

const HOUR_MS = 3_600_000
const HOST = 'shop.co.ke'

let own: OpenDatabase
let database: Database
let partnerId: bigint
beforeAll(async () => {
  own = await openTestDatabase()
  database = own.database
  const added = await addPartner(database)
  partnerId = added.partnerId
})
afterAll(() => own.close())
beforeEach(() => clear(database))

/** A delivery that has been held for two hours, at an endpoint that is down. */
const addHeld = async (): Promise<bigint> => {
  const id = await addDelivery(database, `https://${HOST}/callback`, partnerId)
  await sql`UPDATE deliveries SET created_at = created_at - interval '2 hours'`.execute(database)
  await sql`UPDATE to_deliver SET held_at = now() - interval '2 hours'`.execute(database)
  await sql`
    INSERT INTO endpoints (partner_id, host, state) VALUES (${partnerId}, ${HOST}, 'open') ON CONFLICT DO NOTHING
  `.execute(database)
  return id
}

const expire = async (): Promise<bigint[]> => {
  const options = { endpoints: [{ partner_id: partnerId, host: HOST }], longestMs: HOUR_MS }
  const expired = await database.transaction().execute((transaction) => expireHeld(transaction, options))
  return expired.map(({ id }) => id)
}

it('what is held for longer than the schedule dies, and what an operator paused does not', async () => {
  const endpoint = { database, actor: AMINA, partner_id: partnerId, host: HOST }
  const id = await addHeld()
  await pauseEndpoint(endpoint)
  expect(await expire()).toEqual([])
  await resumeEndpoint(endpoint)
  expect(await expire()).toEqual([])
  await sql`UPDATE endpoints SET resumed_at = resumed_at - interval '1 hour'`.execute(database)
  expect(await expire()).toEqual([id])
  expect(await readDelivery(database, id)).toMatchObject({ state: 'dead' })
})

it('what an operator sends again has the schedule’s whole length once more, also if it was never attempted', async () => {
  const id = await addHeld()
  expect(await expire()).toEqual([id])
  const [change] = await retryDeliveries({
    database,
    actor: AMINA,
    ids: [id],
    sendDeliveredAgain: false,
    delaySeconds: 0,
    spacingSeconds: 0,
  })
  expect(change?.outcome).toBe('retried')
  await sql`UPDATE to_deliver SET held_at = now()`.execute(database)
  expect(await expire()).toEqual([])
  await sql`UPDATE deliveries SET retried_at = retried_at - interval '1 hour'`.execute(database)
  expect(await expire()).toEqual([id])
})

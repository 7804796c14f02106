import { sql } from 'kysely'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Database } from '../../../src/database/connect.ts'
import { ENDPOINTS_A_ROUND, releaseDue } from '../../../src/dispatcher/endpoints/release.ts'
import { type OpenDatabase, openTestDatabase } from '../../support/database.ts'
import { addDeliveries } from '../../support/deliveries.ts'

describe('endpoints that time brings something to', () => {
  let own: OpenDatabase
  let database: Database
  beforeAll(async () => {
    own = await openTestDatabase()
    database = own.database
  })
  afterAll(() => own.close())

  it('have their turn by how long it is due, however many ramp that are due again and again', async () => {
    // Partners 1 to 3 rounds of them: each is due again a quarter of a second after its turn.
    const ramping = Array.from({ length: 3 * ENDPOINTS_A_ROUND }, (_one, index) => BigInt(index + 1))
    for (const partnerId of ramping) {
      await addDeliveries(
        database,
        ['https://ramps.co.ke/callback', 'https://ramps.co.ke/callback'],
        partnerId,
      )
    }
    await sql`UPDATE to_deliver SET held_at = now()`.execute(database)
    await sql`
      INSERT INTO endpoints (partner_id, host, state, release_per_second, release_since, release_at)
      SELECT partner_id, 'ramps.co.ke', 'ramping', 4, now(), now() - interval '20 milliseconds'
      FROM unnest(${ramping}::bigint[]) AS ramping (partner_id)
    `.execute(database)
    const [probed] = await addDeliveries(database, ['https://probed.co.ke/callback'], 999n)
    await sql`UPDATE to_deliver SET held_at = now() WHERE delivery_id = ${probed}`.execute(database)
    await sql`
      INSERT INTO endpoints (partner_id, host, state, open_until)
      VALUES (999, 'probed.co.ke', 'open', now() - interval '5 seconds')
    `.execute(database)

    const { freed } = await releaseDue(database)
    expect(freed.map(({ partner_id }) => partner_id)).toContain(999n)
    const later = [await releaseDue(database), await releaseDue(database)].flatMap((one) => one.freed)
    const served = [...freed, ...later].map(({ partner_id }) => partner_id)
    expect(new Set(served).size).toBe(3 * ENDPOINTS_A_ROUND)
  })
})

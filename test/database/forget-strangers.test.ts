import { sql } from 'kysely'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { storeCallbacks } from '../../src/core/callback/receive.ts'
import type { Database } from '../../src/database/connect.ts'
import { forgetStrangers, forgetStrangersAmongCallbacks } from '../../src/database/forget-strangers.ts'
import { parseAddressList } from '../../src/values/address-list.ts'
import { received } from '../core/callback/received.ts'
import { type OpenDatabase, openTestDatabase } from '../support/database.ts'

const DAY_MS = 86_400_000
const LISTED = '196.201.214.200'
const STRANGER = '203.0.113.9'

let own: OpenDatabase
let database: Database
beforeAll(async () => {
  own = await openTestDatabase()
  database = own.database
})
afterAll(() => own.close())

const idsIn = async (table: 'callbacks' | 'stranger_callbacks'): Promise<string[]> =>
  (await database.selectFrom(table).select('id').orderBy('id').execute()).map(({ id }) => id)

it('keeps a stranger’s callback for as many days as it says, in any number, and Daraja’s own much longer', async () => {
  const old = Array.from({ length: 2_500 }, () => received({ body_bytes: 11 }))
  const young = received({ body_bytes: 65_000 })
  const ours = received({ received_at: new Date(Date.now() - 30 * DAY_MS), payment_id: 7n })
  await storeCallbacks(database, [...old, young, ours])
  await sql`
    UPDATE stranger_callbacks SET kept_at = now() - interval '7 days 1 minute' WHERE id <> ${young.id}
  `.execute(database)

  expect(await forgetStrangers({ database, keepDays: 7 })).toBe(2_500)
  expect(await idsIn('stranger_callbacks')).toEqual([young.id])
  expect(await forgetStrangers({ database, keepDays: 7 })).toBe(0)
  expect(await idsIn('callbacks')).toEqual([ours.id])
  await sql`TRUNCATE stranger_callbacks, callbacks, to_interpret`.execute(database)
})

it('forgets also those that the release before stored among Daraja’s own, and nothing else', async () => {
  const parsed = parseAddressList(`${LISTED},2001:db8::/32`)
  const list = parsed.ok ? parsed.value : []
  const old = new Date(Date.now() - 8 * DAY_MS)
  const strangers = Array.from({ length: 2_100 }, () =>
    received({ received_at: old, source_address: STRANGER }),
  )
  const odd = received({ received_at: old, source_address: 'nowhere' })
  const kept = [
    ...Array.from({ length: 1_100 }, () => received({ received_at: old, source_address: LISTED })),
    received({ received_at: old, source_address: '2001:db8::7' }),
    received({ received_at: old, source_address: STRANGER, payment_id: 7n }),
    received({ received_at: old, source_address: STRANGER, payment_id: 8n, is_refused: true }),
    received({ source_address: STRANGER }),
  ]
  await storeCallbacks(database, [...strangers, odd, ...kept])

  expect(await forgetStrangersAmongCallbacks({ database, keepDays: 7, list })).toBe(2_101)
  expect(await idsIn('callbacks')).toEqual(kept.map(({ id }) => id).sort())
  expect(await forgetStrangersAmongCallbacks({ database, keepDays: 7, list })).toBe(0)
})

import { sql } from 'kysely'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { DeliveryFilter } from '../../../src/core/deliveries/filter.ts'
import { lookForDeliveries } from '../../../src/core/deliveries/look.ts'
import type { Database } from '../../../src/database/connect.ts'
import { planByIndex } from '../../../src/database/plan-by-size.ts'
import { type OpenDatabase, openTestDatabase } from '../../support/database.ts'
import { addDeliveries } from '../../support/deliveries.ts'
import { attempted, clear, EVERYTHING, end } from './harness.ts'

const MOST = 4

let own: OpenDatabase
let database: Database
beforeAll(async () => {
  own = await openTestDatabase()
  database = own.database
})
afterAll(() => own.close())
beforeEach(() => clear(database))

const lookFor = (filter: Partial<DeliveryFilter>, limit: number, before: bigint | null = null) =>
  planByIndex(database, (transaction) =>
    lookForDeliveries(transaction, { filter: { ...EVERYTHING, ...filter }, limit, before, most: MOST }),
  )

/** All that fit, look by look; and how many looks it took. */
const lookThrough = async (filter: Partial<DeliveryFilter>, limit: number) => {
  const found: bigint[] = []
  let before: bigint | null = null
  for (let looks = 1; ; looks += 1) {
    const { ids, lookedTo }: { ids: bigint[]; lookedTo: bigint | null } = await lookFor(filter, limit, before)
    found.push(...ids)
    const next: bigint | null = lookedTo ?? (ids.length === limit ? (ids.at(-1) ?? null) : null)
    if (next === null) return { found, looks }
    before = next
  }
}

const urlsOf = (count: number, rare: readonly number[]): string[] =>
  Array.from({ length: count }, (_one, at) =>
    rare.includes(at) ? 'https://rare.example/' : 'https://shop.co.ke/',
  )

describe('a look at deliveries', () => {
  it('comes past so many at most, and says how far it came', async () => {
    const ids = await addDeliveries(database, urlsOf(10, []))
    const none = await lookFor({ host: 'rare.example' }, 3)
    expect(none).toEqual({ ids: [], lookedTo: ids.at(-MOST) })
    // A page that is full ends where its last delivery is.
    expect(await lookFor({ host: 'shop.co.ke' }, 3)).toEqual({
      ids: ids.slice(-3).toReversed(),
      lookedTo: null,
    })
    expect(await lookFor({ host: 'rare.example' }, 3, ids[2])).toEqual({ ids: [], lookedTo: null })
  })

  it.each<[string, Partial<DeliveryFilter>]>([
    ['everybody’s', {}],
    ['one partner’s', { partnerId: 7n }],
    ['pending', { state: 'pending' }],
    ['pending of one partner', { state: 'pending', partnerId: 7n }],
    ['dead or open with an error', { errorClass: 'dns' }],
  ])('and those that follow it find each once: %s', async (_whose, filter) => {
    const ids = await addDeliveries(database, urlsOf(20, [0, 1, 9, 10, 11, 12, 13, 19]))
    await addDeliveries(database, urlsOf(3, [0, 1, 2]), -7n)
    if (filter.errorClass !== undefined) {
      for (const id of ids) await attempted(database, id, { errorClass: 'dns' })
      await end(database, ids[10] ?? 0n, 'dead')
      await sql`UPDATE dead_letters SET error_class = 'dns'`.execute(database)
    }
    const rare = [0, 1, 9, 10, 11, 12, 13, 19].map((at) => ids[at] ?? 0n).toReversed()
    for (const limit of [1, 2, 3, 30]) {
      const { found, looks } = await lookThrough({ ...filter, host: 'rare.example' }, limit)
      expect([limit, found]).toEqual([limit, rare])
      expect(looks).toBeGreaterThanOrEqual(20 / MOST)
    }
  })

  it('ends at the time that is asked for, and goes no further', async () => {
    const ids = await addDeliveries(database, urlsOf(12, []))
    await sql`UPDATE deliveries SET created_at = '2026-05-04T18:00:00Z'::timestamptz + id * interval '1 hour'`.execute(
      database,
    )
    const instant = (at: number) => new Date(Date.parse('2026-05-04T18:00:00Z') + Number(ids[at]) * 3_600_000)
    for (const whose of [{}, { partnerId: 7n }]) {
      const filter = { ...whose, createdSince: instant(3), createdUntil: instant(6) }
      expect(await lookFor(filter, 10)).toEqual({ ids: [ids[5], ids[4], ids[3]], lookedTo: null })
      expect(await lookFor({ ...filter, host: 'rare.example' }, 10)).toEqual({ ids: [], lookedTo: null })
    }
  })

  it('finds no error at what was delivered, and looks for none', async () => {
    const [id = 0n] = await addDeliveries(database, urlsOf(1, []))
    await attempted(database, id, { status: 200 })
    await end(database, id, 'delivered')
    expect(await lookFor({ state: 'delivered', errorClass: 'dns' }, 1)).toEqual({ ids: [], lookedTo: null })
    expect(await lookFor({ state: 'delivered' }, 2)).toEqual({ ids: [id], lookedTo: null })
  })
})

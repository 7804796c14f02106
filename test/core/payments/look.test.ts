import { sql } from 'kysely'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { listPayments, lookForPayments } from '../../../src/core/payments/list.ts'
import { NO_FILTER, type Page, type PaymentFilter } from '../../../src/core/payments/payment-filter.ts'
import { settleByHand } from '../../../src/core/settle/settle-by-hand.ts'
import type { Database } from '../../../src/database/connect.ts'
import { planByIndex } from '../../../src/database/plan-by-size.ts'
import type { Reference } from '../../../src/values/reference.ts'
import { BY_HAND } from '../../support/actor.ts'
import { type OpenDatabase, openTestDatabase } from '../../support/database.ts'
import { addPartner } from '../../support/partner.ts'

const MOST = 4

/** Payments: 1 to 40, in turn of two partners, every third of them with one reference. */
const PAYMENTS = 40

let own: OpenDatabase
let database: Database
beforeAll(async () => {
  own = await openTestDatabase()
  database = own.database
  await addPartner(database)
  await addPartner(database)
})
afterAll(() => own.close())

beforeEach(async () => {
  await sql`TRUNCATE payments, deliveries`.execute(database)
  await sql`
    INSERT INTO payments (id, partner_id, amount_kes, state, created_at, submit_by, msisdn, callback_url, reference)
    SELECT id, 1 + id % 2, 1, 'failed', '2026-05-04T18:00:00Z'::timestamptz + id * interval '1 hour', now(), '254712345678',
           'https://shop.co.ke/', CASE WHEN id % 3 = 0 THEN 'INV-1' ELSE 'ORDER-' || id END
    FROM generate_series(1, ${PAYMENTS}::integer) id
  `.execute(database)
})

/** Makes the payments what they are to be, with the deliveries that say so. */
const become = async (state: 'successful' | 'failed', ids: readonly number[]): Promise<void> => {
  await sql`
    INSERT INTO deliveries (payment_id, partner_id, webhook_id, callback_url, host, body)
    SELECT id, partner_id, concat('msg_', id, '_', ${state}::text), callback_url, 'shop.co.ke', '{}' FROM payments
    WHERE id = ANY (${ids}::bigint[])
  `.execute(database)
  await sql`UPDATE payments SET state = ${state}::payment_state WHERE id = ANY (${ids}::bigint[])`.execute(
    database,
  )
}

type Asked = Pick<Page, 'owner'> & { filter: Partial<PaymentFilter> }

const look = ({ owner, filter }: Asked, limit: number, before: bigint | null = null) =>
  planByIndex(database, (transaction) =>
    lookForPayments(transaction, { owner, filter: { ...NO_FILTER, ...filter }, limit, before, most: MOST }),
  )

/** All that fit, look by look; and how many looks it took. */
const lookThrough = async (asked: Asked, limit: number) => {
  const found: number[] = []
  let before: bigint | null = null
  for (let looks = 1; ; looks += 1) {
    const { payments, lookedTo }: Awaited<ReturnType<typeof look>> = await look(asked, limit, before)
    found.push(...payments.map(({ id }) => Number(id)))
    const next: bigint | null = lookedTo ?? (payments.length === limit ? (payments.at(-1)?.id ?? null) : null)
    if (next === null) return { found, looks }
    before = next
  }
}

const RARE = [1, 2, 3, 9, 10, 11, 12, 13, 30, 39, 40]

const ofPartner = (ids: readonly number[], partner: number) => ids.filter((id) => 1 + (id % 2) === partner)

const instant = (id: number) => new Date(Date.parse('2026-05-04T18:00:00Z') + id * 3_600_000)

describe('a look at payments', () => {
  const SUCCESSFUL = { state: 'successful' } as const
  const OF_ONE = { ...SUCCESSFUL, reference: 'INV-1' as Reference }
  const inTime = { ...SUCCESSFUL, createdFrom: instant(9), createdTo: instant(31) }
  it.each<[string, Asked, number[]]>([
    ['everybody’s', { owner: 'anybody', filter: SUCCESSFUL }, RARE],
    ['one partner’s', { owner: { partnerId: 1n }, filter: SUCCESSFUL }, ofPartner(RARE, 1)],
    ['of one reference', { owner: 'anybody', filter: OF_ONE }, RARE.filter((id) => id % 3 === 0)],
    ['of a time', { owner: 'anybody', filter: inTime }, RARE.filter((id) => id >= 9 && id < 31)],
    [
      'of a time and a partner',
      { owner: { partnerId: 2n }, filter: inTime },
      ofPartner(RARE, 2).filter((id) => id >= 9 && id < 31),
    ],
  ])('comes past so many at most, and those that follow it find each once: %s', async (_what, asked, ids) => {
    await become('successful', RARE)
    for (const limit of [1, 2, 3, 50]) {
      const { found, looks } = await lookThrough(asked, limit)
      expect([limit, found]).toEqual([limit, ids.toReversed()])
      expect(looks).toBeGreaterThan(1)
    }
    const page = { ...asked, filter: { ...NO_FILTER, ...asked.filter }, limit: 50, before: null }
    expect((await listPayments(database, page)).map(({ id }) => Number(id))).toEqual(ids.toReversed())
  })

  it('says how far it came where it found none', async () => {
    const asked: Asked = { owner: 'anybody', filter: { state: 'successful' } }
    expect(await look(asked, 3)).toEqual({ payments: [], lookedTo: BigInt(PAYMENTS - MOST + 1) })
    expect(await look(asked, 3, BigInt(MOST))).toEqual({ payments: [], lookedTo: null })
  })

  it('finds what failed at once, however few they are, and not what succeeded after all', async () => {
    await become(
      'successful',
      Array.from({ length: PAYMENTS }, (_one, at) => at + 1),
    )
    await become('failed', RARE)
    await sql`UPDATE payments SET state = 'successful' WHERE id IN (10, 39)`.execute(database)
    const failed = RARE.filter((id) => id !== 10 && id !== 39)
    const expectFound = async (asked: Asked, ids: readonly number[]) => {
      for (const limit of [1, 2, 50]) {
        const { found, looks } = await lookThrough(asked, limit)
        expect([limit, found]).toEqual([limit, ids.toReversed()])
        expect(looks).toBeLessThanOrEqual(1 + ids.length / limit)
      }
    }
    await expectFound({ owner: 'anybody', filter: { state: 'failed' } }, failed)
    await expectFound({ owner: { partnerId: 2n }, filter: { state: 'failed' } }, ofPartner(failed, 2))
    await expectFound({ owner: 'anybody_testing', filter: { state: 'failed' } }, [])
    const time = { createdFrom: instant(9), createdTo: instant(31) }
    await expectFound(
      { owner: 'anybody', filter: { state: 'failed', ...time } },
      failed.filter((id) => id >= 9 && id < 31),
    )
  })

  it('finds what failed by what settling writes, for its partner and nobody else', async () => {
    await sql`UPDATE payments SET state = 'unconfirmed' WHERE id = 7`.execute(database)
    const settled = { ...BY_HAND, paymentId: 7n, outcome: 'failed', receipt: null } as const
    expect((await settleByHand(database, settled)).kind).toBe('settled')
    const failedOf = async (owner: Page['owner']) => {
      const filter: PaymentFilter = { ...NO_FILTER, state: 'failed' }
      return (await listPayments(database, { owner, filter, limit: 9, before: null })).map(({ id }) => id)
    }
    expect(await failedOf('anybody')).toEqual([7n])
    expect(await failedOf({ partnerId: 2n })).toEqual([7n])
    expect(await failedOf({ partnerId: 1n })).toEqual([])
  })
})

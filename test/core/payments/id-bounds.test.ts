import { sql } from 'kysely'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { findIdBounds } from '../../../src/core/payments/id-bounds.ts'
import { listPayments } from '../../../src/core/payments/list.ts'
import { NO_FILTER } from '../../../src/core/payments/payment-filter.ts'
import { ensurePartitionsOf } from '../../../src/database/partitions.ts'
import { type OpenDatabase, openTestDatabase } from '../../support/database.ts'

const START = Date.parse('2026-05-04T08:00:00Z')
const MINUTE = 60_000

describe('the ids of a time', () => {
  let own: OpenDatabase
  beforeAll(async () => {
    own = await openTestDatabase({ poolSize: 2 })
    await ensurePartitionsOf(own.database, { payments_id_seq: 50_000_000n })
  })
  afterAll(() => own.close())
  beforeEach(() => sql`TRUNCATE payments`.execute(own.database))

  /** Payments by id and the minute in which each was created. */
  const insert = async (payments: readonly (readonly [id: number, minute: number])[]): Promise<void> => {
    await own.database
      .insertInto('payments')
      .values(
        payments.map(([id, minute]) => ({
          id: BigInt(id),
          partner_id: 1n,
          msisdn: '254712345678',
          amount_kes: 1,
          callback_url: 'https://shop.co.ke/',
          state: 'failed' as const,
          submit_by: new Date(START),
          created_at: new Date(START + minute * MINUTE),
        })),
      )
      .execute()
  }

  const at = (minute: number): Date => new Date(START + minute * MINUTE)

  const listed = async (from: number | null, to: number | null): Promise<number[]> => {
    const filter = {
      ...NO_FILTER,
      createdFrom: from === null ? null : at(from),
      createdTo: to === null ? null : at(to),
    }
    const rows = await listPayments(own.database, {
      owner: { partnerId: 1n },
      filter,
      limit: 1000,
      before: null,
    })
    return rows.map(({ id }) => Number(id)).toReversed()
  }

  it('have no bounds where there are no payments', async () => {
    expect(await findIdBounds(own.database, { createdFrom: at(0), createdTo: at(1) })).toEqual({
      from: null,
      below: null,
    })
    expect(await listed(0, 1)).toEqual([])
  })

  it('are those between, with two minutes on each side for what was created in another order', async () => {
    await insert(Array.from({ length: 100 }, (_one, index) => [index + 1, index]))
    expect(await findIdBounds(own.database, { createdFrom: at(40), createdTo: at(60) })).toEqual({
      from: 39n,
      below: 63n,
    })
    expect(await findIdBounds(own.database, { createdFrom: at(40), createdTo: null })).toEqual({
      from: 39n,
      below: null,
    })
    expect(await findIdBounds(own.database, { createdFrom: at(-9), createdTo: at(-5) })).toEqual({
      from: 1n,
      below: 1n,
    })
    expect(await findIdBounds(own.database, { createdFrom: at(500), createdTo: at(501) })).toEqual({
      from: 101n,
      below: 101n,
    })
    expect(await listed(40, 43)).toEqual([41, 42, 43])
  })

  it('are all where the time is that of the whole calendar', async () => {
    await insert([[7, 0]])
    const calendar = {
      createdFrom: new Date('0001-01-01T00:00:00Z'),
      createdTo: new Date('9999-12-31T23:59:59.999Z'),
    }
    expect(await findIdBounds(own.database, calendar)).toEqual({ from: 7n, below: 8n })
    const rows = await listPayments(own.database, {
      owner: { partnerId: 1n },
      filter: { ...NO_FILTER, ...calendar },
      limit: 10,
      before: null,
    })
    expect(rows.map(({ id }) => id)).toEqual([7n])
  })

  it('leave nothing out where ids have gaps, as after a restore, and span partitions', async () => {
    const payments = [1, 2, 3, 9_999_999, 10_000_000, 50_000_000, 50_000_005].map(
      (id, index) => [id, index * 10] as const,
    )
    await insert(payments)
    for (let from = -5; from <= 65; from += 5) {
      for (let to = from + 5; to <= 70; to += 5) {
        const expected = payments.filter(([, minute]) => minute >= from && minute < to).map(([id]) => id)
        expect(await listed(from, to), `${from} to ${to}`).toEqual(expected)
      }
    }
  })

  it('leave nothing out where transactions that began earlier got later ids', async () => {
    const payments = Array.from(
      { length: 200 },
      (_one, index) => [index + 1, index / 4 + ((index * 7) % 9) / 4] as const,
    )
    await insert(payments)
    for (let from = -1; from <= 55; from += 3.25) {
      const expected = payments.filter(([, minute]) => minute >= from && minute < from + 4).map(([id]) => id)
      expect(await listed(from, from + 4), String(from)).toEqual(expected)
    }
  })
})

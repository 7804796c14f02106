import { setImmediate } from 'node:timers/promises'
import { sql } from 'kysely'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { Evidence } from '../../../src/core/settle/evidence.ts'
import { settle } from '../../../src/core/settle/settle.ts'
import { sumTotals } from '../../../src/core/totals/sum-totals.ts'
import { type OpenDatabase, openTestDatabase } from '../../support/database.ts'
import { acceptPayment, acceptPayments } from '../../support/payments.ts'
import { readBothTotals, sumAll } from '../../support/sum-all.ts'
import { putPayment, statementsOf } from '../statements/importing.ts'

let own: OpenDatabase

beforeEach(async () => {
  own = await openTestDatabase()
})
afterEach(() => own.close())

const PAID: Omit<Evidence, 'paymentId'> = {
  outcome: 'successful',
  cause: 'callback',
  resultCode: '0',
  resultDesc: 'Paid',
  receipt: null,
  amountKes: null,
  transactionDate: new Date('2026-05-04T18:04:28Z'),
  merchantRequestId: '2654-4b64',
  checkoutRequestId: 'ws_CO_1',
}

const settleWith = (paymentId: bigint, said: Partial<Evidence> = {}): Promise<unknown> =>
  own.database
    .transaction()
    .execute((transaction) => settle(transaction, [Object.assign({ paymentId }, PAID, said)]))

/** The sums are what the payments say; resolves with them. */
const expectExact = async (): Promise<unknown[]> => {
  const { summed, paid } = await readBothTotals(own.database)
  expect(summed).toEqual(paid)
  return summed
}

describe('sums of what was paid', () => {
  it('are exact while payments are settled by many, summed by several, and one that sums is killed', async () => {
    const { database } = own
    const ids = await acceptPayments(database, 60)
    await sumTotals(database)
    let isSettled = false
    const settling = Promise.all(
      Array.from({ length: 4 }, async (_one, worker) => {
        for (const id of ids.filter((_id, index) => index % 4 === worker)) {
          const at = new Date(Date.UTC(2026, 4, 4 + Number(id % 3n), 20, 59, 30 + Number(id % 60n)))
          if (id % 5n === 0n) await settleWith(id, { outcome: 'failed', transactionDate: null })
          if (id % 10n !== 0n) await settleWith(id, { transactionDate: at })
        }
      }),
    ).finally(() => {
      isSettled = true
    })
    const summing = Promise.all(
      Array.from({ length: 3 }, async () => {
        while (!isSettled) {
          await sumTotals(database)
          await setImmediate()
        }
      }),
    )
    const killed = database.transaction().execute(async (transaction) => {
      await sql`SELECT FROM totals_summed FOR UPDATE`.execute(transaction)
      // Whoever comes meanwhile finds nothing to do.
      expect(await sumTotals(database)).toBeNull()
      await sql`UPDATE totals_summed SET events_to = event_horizon() + 1000`.execute(transaction)
      await sql`INSERT INTO daily_totals VALUES ('2026-01-01', 1, 0, 9, 9)`.execute(transaction)
      throw new Error('killed')
    })
    await expect(killed).rejects.toThrow('killed')
    await Promise.all([settling, summing])
    await sumAll(database)
    await sumAll(database)
    const summed = await expectExact()
    expect(summed.length).toBeGreaterThan(2)
  })

  it('leave nothing out that is committed late, below what was summed, and say until when all is there', async () => {
    const { database } = own
    const [early = 0n, late = 0n] = await acceptPayments(database, 2)
    await sumAll(database)
    const { promise: mayCommit, resolve: commit } = Promise.withResolvers<undefined>()
    const { promise: isWritten, resolve: written } = Promise.withResolvers<undefined>()
    const holding = database.transaction().execute(async (transaction) => {
      await settle(transaction, [{ paymentId: late, ...PAID }])
      written(undefined)
      await mayCommit
    })
    await isWritten
    await settleWith(early)
    const { rows } = await sql<{ now: Date }>`SELECT clock_timestamp() AS now`.execute(database)
    for (let round = 0; round < 3; round += 1) await sumTotals(database)
    const read = await database.selectFrom('totals_summed').select('summed_to').executeTakeFirstOrThrow()
    expect(read.summed_to?.getTime()).toBeLessThan(rows[0]?.now.getTime() ?? 0)
    commit(undefined)
    await holding
    await sumAll(database)
    expect(await expectExact()).toMatchObject([{ day: '2026-05-04', payments: 2n }])
  })

  it('follow a payment whose time became known later to its day, whichever is summed first', async () => {
    const { database } = own
    const ids = await acceptPayments(database, 4)
    const [before = 0n, between = 0n, after = 0n, sameDay = 0n] = ids
    // Settled by the query, which knows no time: a minute after midnight.
    const byQuery = (id: bigint) =>
      settleWith(id, { cause: 'query', transactionDate: new Date('2026-05-04T21:01:00Z') })
    const told = (id: bigint, at: string) =>
      settleWith(id, { receipt: `UE4000000${id}`, transactionDate: new Date(at) })
    await byQuery(before)
    await told(before, '2026-05-04T20:59:00Z')
    await sumAll(database)
    await expectExact()
    await byQuery(after)
    await sumAll(database)
    await told(after, '2026-05-04T20:59:00Z')
    await byQuery(between)
    await told(between, '2026-05-04T20:59:00Z')
    await byQuery(sameDay)
    await told(sameDay, '2026-05-04T21:00:01Z')
    expect(await database.selectFrom('redated_payments').select('payment_id').execute()).toHaveLength(2)
    await sumAll(database)
    expect(await expectExact()).toMatchObject([
      { day: '2026-05-04', payments: 3n },
      { day: '2026-05-05', payments: 1n },
    ])
    expect(await database.selectFrom('redated_payments').select('payment_id').execute()).toEqual([])
  })
})

describe('what was there before there were sums', () => {
  const BEFORE = { state: 'successful', at: '2026-05-04T20:59:00Z' } as const

  it('is summed in pieces, while payments go on, and it is said how far that is', async () => {
    const { database } = own
    // Some of a release without events, and some with.
    for (let number = 0; number < 7; number += 1) await putPayment(database, BEFORE)
    const [settled = 0n, later = 0n, redated = 0n] = await acceptPayments(database, 3)
    await settleWith(settled)
    await settleWith(redated, { cause: 'query' })
    await putPayment(database, { ...BEFORE, partnerId: -1n, accountId: -1n })
    const { getTotals } = statementsOf(database)
    const days = { from: '2026-05-01', to: '2026-05-31' }
    await expect(getTotals(days)).rejects.toThrow('is still being summed by serve, 0 % of it so far')
    const first = await sumTotals(database, { mostPayments: 4 })
    expect(first).toMatchObject({ is_filled: false })
    await expect(getTotals(days)).rejects.toThrow(/summed by serve, \d\d % of it so far/)
    await settleWith(later)
    await settleWith(redated, { receipt: 'UE40000009', transactionDate: new Date('2026-05-06T12:00:00Z') })
    expect(await sumTotals(database, { mostPayments: 4 })).toMatchObject({ is_filled: false })
    expect(await sumTotals(database, { mostPayments: 4 })).toMatchObject({
      is_filled: true,
      was_filling: true,
    })
    await sumAll(database)
    await expectExact()
    expect(await getTotals(days)).toMatchObject({ payments: 10n, summedTo: expect.anything() })
  })

  it('is none in a new database, which has its first payment summed as the first', async () => {
    const { database } = own
    await sumAll(database)
    await settleWith(await acceptPayment(database))
    await sumAll(database)
    expect(await expectExact()).toMatchObject([{ payments: 1n, amount_kes: 150n }])
  })
})

import { sql } from 'kysely'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { holdAccount, readHold } from '../../../src/core/daraja/back-off.ts'
import { type Budget, readAllowance, spend, toBucket } from '../../../src/core/daraja/budget.ts'
import type { Database } from '../../../src/database/connect.ts'
import { type OpenDatabase, openTestDatabase } from '../../support/database.ts'
import { eventually } from '../../support/eventually.ts'

describe('what may be asked of Daraja', () => {
  let own: OpenDatabase
  let database: Database

  beforeAll(async () => {
    own = await openTestDatabase({ poolSize: 8 })
    database = own.database
  })
  afterAll(() => own.close())

  /** Takes what is allowed, at most `wanted`, as a loop does. */
  const take = (budget: Budget, wanted: number): Promise<{ taken: number; nextInMs: number }> =>
    database.transaction().execute(async (transaction) => {
      const allowance = await readAllowance(transaction, budget)
      const taken = Math.min(wanted, allowance.calls)
      await spend(transaction, budget, taken)
      return { taken, nextInMs: allowance.nextInMs }
    })

  it.each([1, 2, 3, 10, 20, 50, 100, 1000, 10_000])(
    'at %i a second lets out no more in any second, even when a burst is late',
    (perSecond) => {
      const { burst, intervalMs } = toBucket(perSecond)
      const late = burst
      const refilled = Math.ceil(1000 / intervalMs - 1e-9)
      expect(burst - 1 + refilled + late).toBeLessThanOrEqual(perSecond === 1 ? 2 : perSecond)
      expect(1000 / intervalMs).toBeGreaterThanOrEqual(perSecond / 2)
    },
  )

  it('is shared: many replicas at once take a burst between them, and learn when there is more', async () => {
    const budget: Budget = { shortcode: '600001', call: 'query', perSecond: 100 }
    const takes = await Promise.all(Array.from({ length: 8 }, () => take(budget, 100)))
    const { burst, intervalMs } = toBucket(100)
    const taken = takes.reduce((sum, one) => sum + one.taken, 0)
    expect(taken).toBeGreaterThanOrEqual(burst)
    // What refills meanwhile; the eight transactions take far less than half a second.
    expect(taken).toBeLessThan(burst + 500 / intervalMs)
    expect(takes.filter((one) => one.taken === 0).every((one) => one.nextInMs > 0)).toBe(true)
  })

  it('goes on after the clock of Postgres was set back', async () => {
    const budget: Budget = { shortcode: '600009', call: 'push', perSecond: 1 }
    await take(budget, 1)
    const later = sql<Date>`now() + interval '10 minutes'`
    await database
      .updateTable('daraja_budgets')
      .set({ next_at: later })
      .where('shortcode', '=', '600009')
      .execute()
    expect((await take(budget, 5)).taken).toBe(1)
    expect((await take(budget, 5)).taken).toBe(0)
    await holdAccount(database, { shortcode: '600009', afterMs: 1_000, code: '500.003.02' })
    await database
      .updateTable('daraja_accounts')
      .set({ held_until: later })
      .where('shortcode', '=', '600009')
      .execute()
    expect(await readHold(database, '600009')).toEqual({ forMs: 0, recentHolds: 0 })
    expect(await holdAccount(database, { shortcode: '600009', afterMs: 1_000, code: '500.003.02' })).toBe(
      1_000,
    )
  })

  it('keeps accounts and kinds of calls apart', async () => {
    const budget: Budget = { shortcode: '600002', call: 'push', perSecond: 1 }
    expect((await take(budget, 5)).taken).toBe(1)
    expect((await take(budget, 5)).taken).toBe(0)
    expect((await take({ ...budget, call: 'query' }, 5)).taken).toBe(1)
    expect((await take({ ...budget, shortcode: '600003' }, 5)).taken).toBe(1)
  })

  it('that was emptied by a transaction which began later allows none, not less', async () => {
    const budget: Budget = { shortcode: '600006', call: 'query', perSecond: 1 }
    const calls = await database.transaction().execute(async (transaction) => {
      const { rows } = await sql<{ now: Date }>`SELECT now()`.execute(transaction)
      await eventually(() => expect(Date.now()).toBeGreaterThan((rows[0]?.now.getTime() ?? 0) + 50))
      await take(budget, 1)
      return (await readAllowance(transaction, budget)).calls
    })
    expect(calls).toBe(0)
  })

  it('without a rate allows everything', async () => {
    expect((await take({ shortcode: '600004', call: 'push', perSecond: null }, 5000)).taken).toBe(5000)
  })

  it('holds an account once for all that is turned away together, and longer the next time', async () => {
    const hold = () => holdAccount(database, { shortcode: '600005', afterMs: 4_000, code: '500.003.02' })
    const holds = await Promise.all([hold(), hold(), hold()])
    expect(holds.filter((forMs) => forMs !== null)).toEqual([4_000])
    expect(await readHold(database, '600005')).toMatchObject({ recentHolds: 1 })
    const lengths: (number | null)[] = []
    for (let time = 0; time < 4; time += 1) {
      await endHold('600005')
      lengths.push(await hold())
    }
    expect(lengths).toEqual([8_000, 16_000, 30_000, 30_000])
    expect((await readHold(database, '600005')).forMs).toBeGreaterThan(25_000)
  })

  const endHold = (shortcode: string) =>
    database
      .updateTable('daraja_accounts')
      .set({ held_until: new Date(Date.now() - 1_000) })
      .where('shortcode', '=', shortcode)
      .execute()

  it('knows nothing of an account without trouble', async () => {
    expect(await readHold(database, '600006')).toEqual({ forMs: 0, recentHolds: 0 })
  })
})

import { sql } from 'kysely'
import { Registry } from 'prom-client'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { addTotalsAge } from '../../../src/core/totals/show-age.ts'
import { sumTotals } from '../../../src/core/totals/sum-totals.ts'
import { type OpenDatabase, openTestDatabase } from '../../support/database.ts'
import { sumAll } from '../../support/sum-all.ts'

let own: OpenDatabase

beforeEach(async () => {
  own = await openTestDatabase()
})
afterEach(() => own.close())

/** What a process shows whose metrics are read; undefined: no sample. */
const shownAge = async (): Promise<number | undefined> => {
  const registry = new Registry()
  addTotalsAge(registry, own.database)
  const value = /^gateway_totals_age_seconds (\S+)$/m.exec(await registry.metrics())?.[1]
  return value === undefined ? undefined : Number(value)
}

/** As if all of it had been done so long ago. */
const age = (seconds: number): Promise<unknown> =>
  sql`
    UPDATE totals_summed
    SET summed_to = summed_to - make_interval(secs => ${seconds}), mark_at = mark_at - make_interval(secs => ${seconds})
  `.execute(own.database)

describe('the age of the totals', () => {
  it('is none before anything was summed, and counts from the first round until it is known', async () => {
    expect(await shownAge()).toBeUndefined()
    await sumTotals(own.database)
    await age(300)
    expect(await shownAge()).toBeCloseTo(300, -2)
  })

  it('grows while a transaction that writes stays open, and falls once it has ended', async () => {
    const { database } = own
    await sumAll(database)
    const writing = await database.startTransaction().execute()
    await sql`SELECT pg_current_xact_id()`.execute(writing)
    await sumTotals(database)
    await age(900)
    await sumTotals(database)
    expect(await shownAge()).toBeGreaterThan(890)
    await writing.rollback().execute()
    await sumAll(database)
    expect(await shownAge()).toBeLessThan(60)
  })
})

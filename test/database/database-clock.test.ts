import { Writable } from 'node:stream'
import { sql } from 'kysely'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import type { Database } from '../../src/database/connect.ts'
import { createDatabaseClock } from '../../src/database/database-clock.ts'
import { createLog } from '../../src/runtime/log.ts'
import { type OpenDatabase, openTestDatabase } from '../support/database.ts'
import { quietLog } from '../support/quiet-log.ts'

const HOUR_MS = 3_600_000

describe('a clock that goes by that of Postgres', () => {
  let own: OpenDatabase
  let database: Database

  beforeAll(async () => {
    own = await openTestDatabase({ poolSize: 2 })
    database = own.database
  })
  afterAll(() => own.close())

  const databaseTime = async (): Promise<number> => {
    const { rows } = await sql<{ at: Date }>`SELECT clock_timestamp() AS at`.execute(database)
    return rows[0]?.at.getTime() ?? Number.NaN
  }

  it('shows the machine’s time until Postgres was asked, and that of Postgres from then on, wherever the machine’s jumps', async () => {
    let errorMs = HOUR_MS
    const wrong = () => new Date(Date.now() + errorMs)
    const time = createDatabaseClock({ own: wrong, nowMs: () => performance.now(), log: quietLog })
    expect(time.clock().getTime()).toBeGreaterThan(Date.now() + HOUR_MS / 2)
    await time.ask(database)
    for (errorMs of [HOUR_MS, -HOUR_MS, 0]) {
      const before = await databaseTime()
      const shown = time.clock().getTime()
      // Half of the way to Postgres and back is what the clock cannot know.
      expect(shown).toBeGreaterThanOrEqual(before - 1_000)
      expect(shown).toBeLessThanOrEqual((await databaseTime()) + 1_000)
    }
  })

  it('goes on by monotonic time, and not by an answer that took long', async () => {
    let nowMs = 0
    let tookMs = 0
    const monotonic = (): number => (nowMs += tookMs)
    const time = createDatabaseClock({ own: () => new Date(), nowMs: monotonic, log: quietLog })
    await time.ask(database)
    const shown = time.clock().getTime()
    nowMs += 10_000
    expect(time.clock().getTime()).toBe(shown + 10_000)
    tookMs = 5_000
    await time.ask(database)
    tookMs = 0
    expect(time.clock().getTime()).toBe(shown + 20_000)
  })

  it('says once when the machine’s own clock is off', async () => {
    let errorMs = -HOUR_MS
    const lines: string[] = []
    const to = new Writable({ write: (chunk, _encoding, done) => done(void lines.push(String(chunk))) })
    const log = createLog({ name: 'test', level: 'info', to })
    const time = createDatabaseClock({
      own: () => new Date(Date.now() + errorMs),
      nowMs: () => performance.now(),
      log,
    })
    for (const error of [-HOUR_MS, -HOUR_MS, 0, HOUR_MS]) {
      errorMs = error
      await time.ask(database)
    }
    expect(lines.map((line) => JSON.parse(line))).toMatchObject([
      { level: 'warn', event: 'clock_is_off', by_ms: expect.closeTo(-HOUR_MS, -4) },
      { level: 'warn', event: 'clock_is_off', by_ms: expect.closeTo(HOUR_MS, -4) },
    ])
  })
})

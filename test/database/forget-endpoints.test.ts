import { sql } from 'kysely'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { signalOnce } from '../../src/core/signals/signal.ts'
import type { Database } from '../../src/database/connect.ts'
import { forgetEndpoints } from '../../src/database/forget-endpoints.ts'
import { type OpenDatabase, openTestDatabase } from '../support/database.ts'

let own: OpenDatabase
let database: Database
beforeAll(async () => {
  own = await openTestDatabase()
  database = own.database
  await sql`INSERT INTO partners (id, name) OVERRIDING SYSTEM VALUE VALUES (7, 'Duka la Wanjiku')`.execute(
    database,
  )
})
afterAll(() => own.close())
beforeEach(async () => {
  await sql`TRUNCATE endpoints, signal_conditions`.execute(database)
})

const addEndpoint = (
  host: string,
  { state = 'closed', opens = 0, days = 31, isPaused = false } = {},
): Promise<unknown> =>
  sql`
    INSERT INTO endpoints (partner_id, host, state, failures, opens, changed_at, paused_at)
    VALUES (7, ${host}, ${state}, 1, ${opens}, now() - make_interval(days => ${days}),
            CASE WHEN ${isPaused} THEN now() END)
  `.execute(database)

const hosts = async (): Promise<string[]> =>
  (await database.selectFrom('endpoints').select('host').orderBy('host').execute()).map(({ host }) => host)

describe('an endpoint that failed and that nothing was sent to since', () => {
  it('is forgotten after a month, unless it is down, coming back or paused', async () => {
    await addEndpoint('once.example')
    await addEndpoint('untried.example', { opens: 3 })
    await addEndpoint('young.example', { days: 29 })
    await addEndpoint('open.example', { state: 'open', opens: 1 })
    await addEndpoint('probed.example', { state: 'half_open', opens: 1 })
    await addEndpoint('ramping.example', { state: 'ramping', opens: 1 })
    await addEndpoint('paused.example', { isPaused: true })

    expect(await forgetEndpoints(database)).toBe(2)
    expect(await hosts()).toEqual([
      'open.example',
      'paused.example',
      'probed.example',
      'ramping.example',
      'young.example',
    ])
    expect(await forgetEndpoints(database)).toBe(0)
  })

  it('is not said to be back, which nobody knows', async () => {
    const told = async (): Promise<string[]> =>
      (
        await signalOnce({
          database,
          url: 'http://10.0.0.9:9000/signals',
          overdueAfterMs: 900_000,
          pace: { lookMs: 0, gapMs: 0, raiseAfterMs: 0, clearAfterMs: 0 },
        })
      ).map(({ signal }) => signal.type)
    await addEndpoint('gone.example', { opens: 1 })
    await addEndpoint('down.example', { state: 'open', opens: 1 })
    expect(await told()).toEqual(['endpoint.down'])

    expect(await forgetEndpoints(database)).toBe(1)
    expect(await told()).toEqual([])
    await sql`DELETE FROM endpoints`.execute(database)
    expect(await told()).toEqual(['endpoint.back'])
  })
})

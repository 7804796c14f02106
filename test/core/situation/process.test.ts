import { tmpdir } from 'node:os'
import { sql } from 'kysely'
import { Registry } from 'prom-client'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { startInterpreting } from '../../../src/core/callback/interpret.ts'
import { lookAtSpool } from '../../../src/core/callback/spool.ts'
import { createCoreMetrics } from '../../../src/core/metrics.ts'
import type { ProcessFacts } from '../../../src/core/situation/process.ts'
import { createReadSituation } from '../../../src/core/situation/read-situation.ts'
import { connectDatabase } from '../../../src/database/connect.ts'
import { systemClock } from '../../../src/runtime/clock.ts'
import { openTestSpool } from '../../support/core.ts'
import { type OpenDatabase, openTestDatabase } from '../../support/database.ts'
import { eventually } from '../../support/eventually.ts'
import { openTestFolder } from '../../support/folder.ts'
import { quietLog } from '../../support/quiet-log.ts'
import { openTcpLink } from '../../support/tcp-link.ts'
import { received } from '../callback/received.ts'
import { toldOf } from './told.ts'

let own: OpenDatabase
beforeAll(async () => {
  own = await openTestDatabase()
})
afterAll(() => own.close())

const read = async (readProcess: () => Promise<ProcessFacts>, database = own.database) =>
  (await createReadSituation({ overdueAfterMs: 900_000, readProcess, clock: systemClock })(database))
    .sentences

it('spool_holds_callbacks and spool_files_aside: what the spool of this machine holds; gone when it is replayed', async () => {
  const folder = await openTestFolder()
  const spool = await openTestSpool(folder.path)
  const readProcess = async () => ({ spool: await lookAtSpool(folder.path), alarm: null })
  try {
    await spool.add(received())
    await spool.add(received())
    expect(await read(readProcess)).toMatchObject([
      {
        name: 'spool_holds_callbacks',
        severity: 'act',
        count: 2,
        text: expect.stringMatching(/holds 2 callbacks/),
      },
    ])
    const file = await spool.nextFile()
    if (file === null) throw new Error('the spool has no file')
    await spool.quarantine(file, received())
    await spool.remove(file)
    expect(await read(readProcess)).toMatchObject([
      {
        name: 'spool_files_aside',
        severity: 'act',
        count: 1,
        text: expect.stringMatching(/^1 file .* ends in \.aside/),
      },
    ])
  } finally {
    await spool.close()
    await folder.close()
  }
  expect(await lookAtSpool('/nowhere/at all')).toBeNull()
  expect(await read(readProcess)).toMatchObject([{ name: 'all_well' }])
})

it('spool_disk_fills: how little room is left on its disk; gone when there is more', async () => {
  const withRoom = (freeBytes: number) =>
    read(() => Promise.resolve({ spool: { callbacks: 0, quarantined: 0, freeBytes }, alarm: null }))
  expect(await withRoom(12_900_000)).toMatchObject([
    { name: 'spool_disk_fills', severity: 'urgent', text: expect.stringMatching(/ has 12 MB left: /) },
  ])
  expect(await withRoom(100e6)).toMatchObject([{ name: 'all_well' }])
  expect((await lookAtSpool(tmpdir()))?.freeBytes).toBeGreaterThan(0)
})

it('database_away: Postgres does not answer, since when, and what that means; gone when it does', async () => {
  const url = new URL(own.url)
  const link = await openTcpLink(Number(url.port || 5432))
  url.hostname = '127.0.0.1'
  url.port = String(link.port)
  const database = connectDatabase({ databaseUrl: url.href, poolSize: 1, log: quietLog })
  const situation = createReadSituation({
    overdueAfterMs: 900_000,
    readProcess: () =>
      Promise.resolve({ spool: { callbacks: 212, quarantined: 0, freeBytes: 5e9 }, alarm: null }),
    clock: systemClock,
  })
  try {
    link.block()
    const first = await situation(database)
    expect(first.lastPaymentAt).toBeNull()
    expect(first.sentences).toMatchObject([
      { name: 'database_away', severity: 'urgent', since: first.at },
      { name: 'spool_holds_callbacks', count: 212 },
    ])
    const again = await situation(database)
    expect(again.sentences[0]?.since).toEqual(first.at)
    link.open()
    await eventually(async () =>
      expect((await situation(database)).sentences.map(({ name }) => name)).toEqual([
        'spool_holds_callbacks',
      ]),
    )
  } finally {
    await database.destroy()
    await link.close()
  }
})

it('database_away: Postgres can be read and takes no writes; gone when it does', async () => {
  const name = sql.id(new URL(own.url).pathname.slice(1))
  const set = (to: 'on' | 'off') =>
    sql`ALTER DATABASE ${name} SET default_transaction_read_only = ${sql.lit(to)}`.execute(own.database)
  const look = async () => {
    const anew = connectDatabase({ databaseUrl: own.url, poolSize: 1, log: quietLog })
    try {
      return await read(() => Promise.resolve({ spool: null, alarm: null }), anew)
    } finally {
      await anew.destroy()
    }
  }
  await set('on')
  try {
    expect(await look()).toMatchObject([
      {
        name: 'database_away',
        severity: 'urgent',
        text: expect.stringMatching(/\(the database is read-only: /),
      },
    ])
  } finally {
    await set('off')
  }
  expect(await look()).toMatchObject([{ name: 'all_well' }])
})

it('database_restored: the database is older than what was given out; gone when that is known', async () => {
  const alarm = { kind: 'older', at: '2026-05-04T02:14:00.000Z' } as const
  expect(await read(() => Promise.resolve({ spool: null, alarm }))).toMatchObject([
    {
      name: 'database_restored',
      severity: 'urgent',
      since: new Date(alarm.at),
      command: 'gateway restored',
      text: 'The database is older than what was given out: was it restored from a copy? Run gateway restored (noticed 2026-05-04 02:14 UTC).',
    },
  ])
  expect(await read(() => Promise.resolve({ spool: null, alarm: null }))).toMatchObject([
    { name: 'all_well' },
  ])
})

it('callbacks_late: what came and nobody interprets; gone when somebody does', async () => {
  const { database } = own
  const { id, received_at: at } = received()
  await sql`
    INSERT INTO callbacks (id, received_at, payment_id, is_refused, source_address, headers, body)
    VALUES (${id}, ${at}, 1, false, '127.0.0.1', '[]', '{}')
  `.execute(database)
  await sql`
    INSERT INTO to_interpret (callback_id, received_at, due_at) VALUES (${id}, ${at}, now() - interval '2 minutes')
  `.execute(database)
  const [told] = await toldOf(database, 'callbacks_late')
  expect(told).toMatchObject({ severity: 'urgent', count: 1 })
  expect(told?.text).toMatch(/^1 callback of Daraja waits to be interpreted, the oldest for 2 minutes: /)
  const interpreting = startInterpreting({
    database,
    nowMs: () => performance.now(),
    log: quietLog,
    metrics: createCoreMetrics(new Registry(), database),
    onSettled: () => undefined,
    publishAtOnce: () => null,
    pullsByDefault: false,
  })
  await eventually(async () => expect(await toldOf(database, 'callbacks_late')).toEqual([]))
  await interpreting.stop()
})

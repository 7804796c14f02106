import { readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { sql } from 'kysely'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { connectDatabase, type Database } from '../../../src/database/connect.ts'
import { startFollowing } from '../../../src/database/mark/follow.ts'
import { readMarks } from '../../../src/database/mark/mark-files.ts'
import { raiseNumbers } from '../../../src/database/mark/number-guard.ts'
import { keepCopy, putBack } from '../../support/database-copies.ts'
import { eventually } from '../../support/eventually.ts'
import { quietLog } from '../../support/quiet-log.ts'
import { type GuardedProcess, type GuardStage, max, openGuardStage } from './guard-stage.ts'

let test: GuardStage
beforeEach(async () => {
  test = await openGuardStage()
})
afterEach(() => test.close())

describe('marks', () => {
  it('a first start has none, alarms nobody, and leaves one whose ceilings are far above', async () => {
    const one = await test.start('one')
    const [id = 0n] = await one.accept(1)
    expect(one.guard.alarm()).toBeNull()
    expect(id).toBe(1n)
    await test.follow(one)
    const { mark } = await readMarks(one.folder)
    expect(mark?.seen['payments_id_seq']).toBe(1n)
    expect(mark?.ceilings['payments_id_seq']).toBeGreaterThan(50_000n)
  })

  it('no payment is answered before a ceiling above it is on the disk', async () => {
    const one = await test.start('one')
    await one.accept(1)
    await sql`SELECT setval('payments_id_seq', 300000)`.execute(one.database)
    const [id = 0n] = await one.accept(1)
    expect((await readMarks(one.folder)).mark?.ceilings['payments_id_seq']).toBeGreaterThan(id)
  })

  it('one that is torn is reported and kept aside; those of others count', async () => {
    const one = await test.start('one')
    const copy = await keepCopy(test.databaseUrl)
    const lost = await one.accept(3)
    await test.follow(one)
    await one.database.destroy()
    const [name = ''] = await readdir(one.folder)
    const whole = await readFile(join(one.folder, name), 'utf8')
    await writeFile(join(one.folder, 'torn.mark'), whole.slice(0, whole.length / 2))
    await writeFile(join(one.folder, 'damaged.mark'), whole.replace('"seen":{', '"seen":{"x":"1",'))
    await putBack(test.databaseUrl, copy)
    const again = await test.startIn(one.folder)
    expect(max(await again.accept(1))).toBeGreaterThan(max(lost))
    expect(test.events()).toEqual(['mark_damaged', 'mark_damaged', 'numbers_raised', 'database_older'])
    const names = await readdir(one.folder)
    expect(names.filter((one) => one.endsWith('.damaged')).sort()).toEqual([
      'damaged.mark.damaged',
      'torn.mark.damaged',
    ])
  })

  it('when nothing but a torn one is there, it is as a first start that says so', async () => {
    const one = await test.start('one')
    await writeFile(join(one.folder, 'torn.mark'), '{"version":1,')
    const again = await test.startIn(one.folder)
    expect(await again.accept(1)).toEqual([1n])
    expect(test.events()).toEqual(['mark_damaged'])
  })

  it('processes that share a folder, and start all at once, lose nothing of what any knew', async () => {
    const shared = join(test.folder, 'shared')
    const first = await test.startIn(shared)
    await first.accept(1)
    await sql`SELECT setval('payments_id_seq', 5000000)`.execute(first.database)
    await test.follow(first)
    const others = await Promise.all([1, 2, 3, 4, 5, 6].map(() => test.startIn(shared)))
    for (const other of others) expect(other.guard.alarm()).toBeNull()
    const { mark } = await readMarks(shared)
    expect(mark?.seen['payments_id_seq']).toBe(5_000_000n)
    // Each knows it by itself too: of a folder with nothing else in it.
    await Promise.all(others.map(({ guard, database }) => guard.check(database)))
    expect((await readMarks(shared)).mark?.ceilings['payments_id_seq']).toBeGreaterThan(5_000_000n)
  })

  /** Lets the mark of one follow while the database is away from every look, as it is while a copy takes its place. */
  const followInOutage = ({ guard }: GuardedProcess): ReturnType<typeof startFollowing> => {
    const database = connectDatabase({ databaseUrl: `${test.databaseUrl}_none`, poolSize: 1, log: quietLog })
    const following = startFollowing({ database, guard, log: quietLog })
    test.open.defer(() => database.destroy())
    test.open.defer(() => following.stop())
    return following
  }
  const newestMarked = async ({ folder }: GuardedProcess): Promise<bigint | null | undefined> =>
    (await readMarks(folder)).mark?.newestPayment

  it('what was committed just before an outage is on the disk soon, outage or not', async () => {
    const one = await test.start('one')
    followInOutage(one)
    const ids = await one.accept(3)
    await eventually(async () => expect(await newestMarked(one)).toBe(max(ids)))
  })

  it('who stops in order leaves all that was committed', async () => {
    const one = await test.start('one')
    const following = followInOutage(one)
    const ids = await one.accept(3)
    await following.stop()
    expect(await newestMarked(one)).toBe(max(ids))
  })

  it('a disk that takes no mark stops no payment, and is reported once', async () => {
    const one = await test.start('one')
    await one.accept(1)
    await rm(one.folder, { recursive: true })
    await one.accept(2)
    await test.follow(one)
    await one.accept(2)
    await test.follow(one)
    expect(test.events()).toEqual(['mark_not_written'])
  })
})

describe('sequences', () => {
  it('are raised beside those who draw from them, and nobody gets a number twice', async () => {
    const databases = [1, 2, 3, 4].map(() =>
      connectDatabase({ databaseUrl: test.databaseUrl, poolSize: 3, log: quietLog }),
    )
    for (const database of databases) test.open.defer(() => database.destroy())
    const drawn: bigint[] = []
    const draw = async (database: Database, times: number): Promise<void> => {
      for (let count = 0; count < times; count += 1) {
        const { rows } = await sql<{ id: bigint }>`SELECT nextval('payments_id_seq') AS id`.execute(database)
        drawn.push(...rows.map(({ id }) => id))
      }
    }
    const raise = async (database: Database): Promise<void> => {
      for (let count = 1n; count <= 30n; count += 1n)
        await raiseNumbers(database, { payments_id_seq: count * 20n })
    }
    await Promise.all(databases.flatMap((database) => [draw(database, 300), raise(database)]))
    // Whoever was first above: one raise that is above all that was drawn, and one that is below and comes too late.
    const { database: last } = await test.start('one')
    await raiseNumbers(last, { payments_id_seq: 5_000n })
    await raiseNumbers(last, { payments_id_seq: 1n })
    const before = drawn.length
    await Promise.all(databases.map((database) => draw(database, 10)))
    expect(drawn.slice(before).filter((id) => id <= 5_000n)).toEqual([])
    expect(new Set(drawn).size).toBe(1_240)
  })
})

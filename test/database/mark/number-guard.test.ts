import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { sql } from 'kysely'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { connectDatabase, type Database } from '../../../src/database/connect.ts'
import { startFollowing } from '../../../src/database/mark/follow.ts'
import { readMarks } from '../../../src/database/mark/mark-files.ts'
import { type NumberGuard, openNumberGuard, raiseNumbers } from '../../../src/database/mark/number-guard.ts'
import { createLog, type Log } from '../../../src/runtime/log.ts'
import { createTestDatabase, type TestDatabase } from '../../support/database.ts'
import { keepCopy, putBack } from '../../support/database-copies.ts'
import { eventually } from '../../support/eventually.ts'
import { acceptPayments } from '../../support/payments.ts'
import { quietLog } from '../../support/quiet-log.ts'

/** A process that gives out ids of payments, guarded by its own marks. */
type Process = {
  database: Database
  guard: NumberGuard
  folder: string
  accept(count: number): Promise<bigint[]>
}

let own: TestDatabase
let folder: string
let lines: Record<string, unknown>[]
let nowMs: number
let open: AsyncDisposableStack

beforeEach(async () => {
  own = await createTestDatabase()
  folder = await mkdtemp(join(tmpdir(), 'mark-'))
  lines = []
  nowMs = 0
  open = new AsyncDisposableStack()
})
afterEach(async () => {
  await open.disposeAsync()
  await own.drop()
  await rm(folder, { recursive: true, force: true })
})

const log = (): Log =>
  createLog({
    name: 'test',
    level: 'info',
    to: { write: (line: string) => void lines.push(JSON.parse(line) as Record<string, unknown>) },
  })
const events = (): unknown[] => lines.map(({ event }) => event)

/** Starts one; with the name of another that was stopped it is the same machine again. */
const start = async (machine: string, url = own.url): Promise<Process> => {
  const place = join(folder, machine)
  await rm(place, { recursive: true, force: true })
  return startIn(place, url)
}

let started = 0
const startIn = async (place: string, url = own.url): Promise<Process> => {
  await mkdir(place, { recursive: true })
  started += 1
  const guard = await openNumberGuard({
    folder: place,
    name: `process-${started}`,
    log: log(),
    clock: () => new Date(1_000 + nowMs),
    nowMs: () => nowMs,
  })
  const database = connectDatabase({
    databaseUrl: url,
    poolSize: 3,
    log: quietLog,
    onConnect: guard.onConnect,
  })
  open.defer(() => database.destroy())
  const accept = (count: number): Promise<bigint[]> =>
    eventually(() =>
      acceptPayments(database, count, { submitTtlMs: 60_000, numbers: guard.numbersOf(database) }),
    )
  return { database, guard, folder: place, accept }
}

/** Lets a process follow what is drawn, until that is certain. */
const follow = async ({ guard, database }: Process): Promise<void> => {
  for (const _round of [1, 2]) {
    nowMs += 1_000
    await guard.check(database)
  }
}

const max = (ids: readonly bigint[]): bigint => ids.reduce((one, other) => (one > other ? one : other), 0n)

describe('ids of payments, after the database was put back to an older copy', () => {
  it('a process that goes on gives none again, and tells what may be missing', async () => {
    const one = await start('one')
    await one.accept(2)
    const copy = await keepCopy(own.url)
    const lost = await one.accept(3)
    await putBack(own.url, copy)
    const [next = 0n] = await one.accept(1)
    expect(next).toBeGreaterThan(max(lost))
    expect(one.guard.alarm()).toMatchObject({ kind: 'older', missing: { above: 2n, upTo: next - 1n } })
    expect(events()).toEqual(['numbers_raised', 'database_older'])
  })

  it('a process that was ended gives none again', async () => {
    const one = await start('one')
    const copy = await keepCopy(own.url)
    const lost = await one.accept(3)
    await follow(one)
    await one.database.destroy()
    await putBack(own.url, copy)
    const again = await startIn(one.folder)
    expect(max(await again.accept(1))).toBeGreaterThan(max(lost))
    expect(again.guard.alarm()?.kind).toBe('older')
  })

  it('a replica that gives out nothing, and had seen nothing of what was lost, gives none again', async () => {
    const [one, idle] = [await start('one'), await start('idle')]
    await one.accept(1)
    await follow(idle)
    const copy = await keepCopy(own.url)
    const lost = await one.accept(40)
    await putBack(own.url, copy)
    const [next = 0n] = await idle.accept(1)
    expect(next).toBeGreaterThan(max(lost))
    expect(idle.guard.alarm()).toBeNull()
    expect(events()).toEqual(['database_moved'])
  })

  it('nor when sequences are set back under connections that stay', async () => {
    const one = await start('one')
    const given = await one.accept(5)
    /** What pg_restore --clean does, with an older copy, to connections that nobody cuts. */
    const setBack = async (): Promise<void> => {
      await sql`DELETE FROM to_submit WHERE payment_id > 1`.execute(one.database)
      await sql`DELETE FROM payments WHERE id > 1`.execute(one.database)
      await sql`SELECT setval('payments_id_seq', 1)`.execute(one.database)
    }
    await setBack()
    const [next = 0n] = await one.accept(1)
    expect(next).toBeGreaterThan(max(given))
    await setBack()
    const numbers = one.guard.numbersOf(one.database)
    const limits = { openPrompts: 100, promptsPerHour: null, maxDailyKes: null }
    const [limited = 0n] = await acceptPayments(one.database, 1, { submitTtlMs: 60_000, numbers, limits })
    expect(limited).toBeGreaterThan(next)
    expect(one.guard.alarm()?.fell).toMatchObject([{ sequence: 'payments_id_seq' }])
  })

  it('the numbers of everything else go on above too, and what payments need is there', async () => {
    const one = await start('one')
    const copy = await keepCopy(own.url)
    await sql`SELECT setval('payments_id_seq', 95000000), setval('partners_id_seq', 17), setval('audit_id_seq', 9)`.execute(
      one.database,
    )
    await follow(one)
    await putBack(own.url, copy)
    expect(max(await one.accept(1))).toBeGreaterThan(95_000_000n)
    const { rows } = await sql<{ name: string; last: bigint }>`
      SELECT sequencename AS name, last_value AS last FROM pg_sequences WHERE schemaname = 'public' ORDER BY 1
    `.execute(one.database)
    // Also those of which nobody saw a number: somebody may have drawn one just before.
    expect(rows.filter(({ last }) => last > 17n).map(({ name }) => name)).toEqual([
      'api_keys_id_seq',
      'audit_id_seq',
      'deliveries_id_seq',
      'partner_accounts_id_seq',
      'partners_id_seq',
      'payments_id_seq',
      'service_tokens_id_seq',
      'signing_secrets_id_seq',
    ])
    expect(rows).toHaveLength(8)
  })

  it('an alarm stays over a restart, until another epoch has begun', async () => {
    const one = await start('one')
    const copy = await keepCopy(own.url)
    await one.accept(3)
    await putBack(own.url, copy)
    await one.accept(1)
    await one.database.destroy()
    const again = await startIn(one.folder)
    await follow(again)
    expect(again.guard.alarm()?.kind).toBe('older')
    await again.database
      .insertInto('epochs')
      .values({ number: 2, token: 'second', begun_by: 'test' })
      .execute()
    await follow(again)
    expect(again.guard.alarm()).toBeNull()
    expect(events().at(-1)).toBe('database_restored_known')
    // A machine that was off meanwhile raises what it must, and has nothing to tell.
    expect((await readMarks(again.folder)).mark?.alarm).toBeNull()
  })
})

describe('another database', () => {
  it('a copy with everything in it, as after a fail-over that lost nothing: no alarm', async () => {
    const one = await start('one')
    const given = await one.accept(3)
    const copy = await keepCopy(own.url)
    await putBack(own.url, copy)
    expect(max(await one.accept(1))).toBeGreaterThan(max(given))
    expect(one.guard.alarm()).toBeNull()
    expect(events()).toEqual(['database_moved'])
  })

  it('one that lost a payment whose number its sequence skipped is noticed all the same', async () => {
    const one = await start('one')
    const copy = await keepCopy(own.url)
    await one.accept(3)
    await putBack(own.url, copy)
    // As after a crash, when a sequence goes on up to 32 numbers later.
    const admin = connectDatabase({ databaseUrl: own.url, poolSize: 1, log: quietLog })
    await sql`SELECT setval('payments_id_seq', 33)`.execute(admin)
    await admin.destroy()
    await one.accept(1)
    expect(one.guard.alarm()).toMatchObject({ kind: 'older', fell: [], missing: { above: 0n } })
  })

  it('an empty one of another gateway is said to be that, and starts above all the same', async () => {
    const one = await start('one')
    const given = await one.accept(3)
    await one.database.destroy()
    const other = await createTestDatabase()
    open.defer(() => other.drop())
    const admin = connectDatabase({ databaseUrl: other.url, poolSize: 1, log: quietLog })
    await sql`UPDATE epochs SET token = 'of another gateway'`.execute(admin)
    await admin.destroy()
    const again = await startIn(one.folder, other.url)
    expect(max(await again.accept(1))).toBeGreaterThan(max(given))
    expect(lines.find(({ event }) => event === 'database_another')).toMatchObject({
      level: 'error',
      help: 'the database is not the one of before: is DATABASE_URL or SPOOL_DIR wrong? If not, run gateway restored',
    })
  })

  it('one that is not whole is an outage, and is used once it is', async () => {
    const one = await start('one')
    await one.accept(1)
    await sql`ALTER TABLE epochs RENAME TO epochs_later`.execute(one.database)
    await expect(one.guard.check(one.database)).rejects.toThrow('is it being restored?')
    await sql`ALTER TABLE epochs_later RENAME TO epochs`.execute(one.database)
    await one.guard.check(one.database)
  })
})

describe('marks', () => {
  it('a first start has none, alarms nobody, and leaves one whose ceilings are far above', async () => {
    const one = await start('one')
    const [id = 0n] = await one.accept(1)
    expect(one.guard.alarm()).toBeNull()
    expect(id).toBe(1n)
    await follow(one)
    const { mark } = await readMarks(one.folder)
    expect(mark?.seen['payments_id_seq']).toBe(1n)
    expect(mark?.ceilings['payments_id_seq']).toBeGreaterThan(50_000n)
  })

  it('no payment is told before a ceiling above it is on the disk', async () => {
    const one = await start('one')
    await one.accept(1)
    await sql`SELECT setval('payments_id_seq', 300000)`.execute(one.database)
    const [id = 0n] = await one.accept(1)
    expect((await readMarks(one.folder)).mark?.ceilings['payments_id_seq']).toBeGreaterThan(id)
  })

  it('one that is torn is told of and kept aside; those of others count', async () => {
    const one = await start('one')
    const copy = await keepCopy(own.url)
    const lost = await one.accept(3)
    await follow(one)
    await one.database.destroy()
    const [name = ''] = await readdir(one.folder)
    const whole = await readFile(join(one.folder, name), 'utf8')
    await writeFile(join(one.folder, 'torn.mark'), whole.slice(0, whole.length / 2))
    await writeFile(join(one.folder, 'damaged.mark'), whole.replace('"seen":{', '"seen":{"x":"1",'))
    await putBack(own.url, copy)
    const again = await startIn(one.folder)
    expect(max(await again.accept(1))).toBeGreaterThan(max(lost))
    expect(events()).toEqual(['mark_damaged', 'mark_damaged', 'numbers_raised', 'database_older'])
    const names = await readdir(one.folder)
    expect(names.filter((one) => one.endsWith('.damaged')).sort()).toEqual([
      'damaged.mark.damaged',
      'torn.mark.damaged',
    ])
  })

  it('when nothing but a torn one is there, it is as a first start that says so', async () => {
    const one = await start('one')
    await writeFile(join(one.folder, 'torn.mark'), '{"version":1,')
    const again = await startIn(one.folder)
    expect(await again.accept(1)).toEqual([1n])
    expect(events()).toEqual(['mark_damaged'])
  })

  it('processes that share a folder, and start all at once, lose nothing of what any knew', async () => {
    const shared = join(folder, 'shared')
    const first = await startIn(shared)
    await first.accept(1)
    await sql`SELECT setval('payments_id_seq', 5000000)`.execute(first.database)
    await follow(first)
    const others = await Promise.all([1, 2, 3, 4, 5, 6].map(() => startIn(shared)))
    for (const other of others) expect(other.guard.alarm()).toBeNull()
    const { mark } = await readMarks(shared)
    expect(mark?.seen['payments_id_seq']).toBe(5_000_000n)
    // Each knows it by itself too: of a folder with nothing else in it.
    await Promise.all(others.map(({ guard, database }) => guard.check(database)))
    expect((await readMarks(shared)).mark?.ceilings['payments_id_seq']).toBeGreaterThan(5_000_000n)
  })

  /** Lets the mark of one follow while the database is away from every look, as it is while a copy takes its place. */
  const followInOutage = ({ guard }: Process): ReturnType<typeof startFollowing> => {
    const database = connectDatabase({ databaseUrl: `${own.url}_none`, poolSize: 1, log: quietLog })
    const following = startFollowing({ database, guard, log: quietLog })
    open.defer(() => database.destroy())
    open.defer(() => following.stop())
    return following
  }
  const newestMarked = async ({ folder }: Process): Promise<bigint | null | undefined> =>
    (await readMarks(folder)).mark?.newestPayment

  it('what was committed just before an outage is on the disk soon, outage or not', async () => {
    const one = await start('one')
    followInOutage(one)
    const ids = await one.accept(3)
    await eventually(async () => expect(await newestMarked(one)).toBe(max(ids)))
  })

  it('who stops in order leaves all that was committed', async () => {
    const one = await start('one')
    const following = followInOutage(one)
    const ids = await one.accept(3)
    await following.stop()
    expect(await newestMarked(one)).toBe(max(ids))
  })

  it('a disk that takes no mark stops no payment, and is told of once', async () => {
    const one = await start('one')
    await one.accept(1)
    await rm(one.folder, { recursive: true })
    await one.accept(2)
    await follow(one)
    await one.accept(2)
    await follow(one)
    expect(events()).toEqual(['mark_not_written'])
  })
})

describe('sequences', () => {
  it('are raised beside those who draw from them, and nobody gets a number twice', async () => {
    const databases = [1, 2, 3, 4].map(() =>
      connectDatabase({ databaseUrl: own.url, poolSize: 3, log: quietLog }),
    )
    for (const database of databases) open.defer(() => database.destroy())
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
    const { database: last } = await start('one')
    await raiseNumbers(last, { payments_id_seq: 5_000n })
    await raiseNumbers(last, { payments_id_seq: 1n })
    const before = drawn.length
    await Promise.all(databases.map((database) => draw(database, 10)))
    expect(drawn.slice(before).filter((id) => id <= 5_000n)).toEqual([])
    expect(new Set(drawn).size).toBe(1_240)
  })
})

import { sql } from 'kysely'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { connectDatabase } from '../../../src/database/connect.ts'
import { readMarks } from '../../../src/database/mark/mark-files.ts'
import { createTestDatabase } from '../../support/database.ts'
import { keepCopy, putBack } from '../../support/database-copies.ts'
import { acceptPayments } from '../../support/payments.ts'
import { quietLog } from '../../support/quiet-log.ts'
import { type GuardStage, max, openGuardStage } from './guard-stage.ts'

let test: GuardStage
beforeEach(async () => {
  test = await openGuardStage()
})
afterEach(() => test.close())

describe('ids of payments, after the database was put back to an older copy', () => {
  it('a process that goes on gives none again, and reports what may be missing', async () => {
    const one = await test.start('one')
    await one.accept(2)
    const copy = await keepCopy(test.databaseUrl)
    const lost = await one.accept(3)
    await putBack(test.databaseUrl, copy)
    const [next = 0n] = await one.accept(1)
    expect(next).toBeGreaterThan(max(lost))
    expect(one.guard.alarm()).toMatchObject({ kind: 'older', missing: { above: 2n, upTo: next - 1n } })
    expect(test.events()).toEqual(['numbers_raised', 'database_older'])
  })

  it('a process that was ended gives none again', async () => {
    const one = await test.start('one')
    const copy = await keepCopy(test.databaseUrl)
    const lost = await one.accept(3)
    await test.follow(one)
    await one.database.destroy()
    await putBack(test.databaseUrl, copy)
    const again = await test.startIn(one.folder)
    expect(max(await again.accept(1))).toBeGreaterThan(max(lost))
    expect(again.guard.alarm()?.kind).toBe('older')
  })

  it('a replica that gives out nothing, and had seen nothing of what was lost, gives none again', async () => {
    const [one, idle] = [await test.start('one'), await test.start('idle')]
    await one.accept(1)
    await test.follow(idle)
    const copy = await keepCopy(test.databaseUrl)
    const lost = await one.accept(40)
    await putBack(test.databaseUrl, copy)
    const [next = 0n] = await idle.accept(1)
    expect(next).toBeGreaterThan(max(lost))
    expect(idle.guard.alarm()).toBeNull()
    expect(test.events()).toEqual(['database_moved'])
  })

  it('nor when sequences are set back under connections that stay', async () => {
    const one = await test.start('one')
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
    const one = await test.start('one')
    const copy = await keepCopy(test.databaseUrl)
    await sql`SELECT setval('payments_id_seq', 95000000), setval('partners_id_seq', 17), setval('audit_id_seq', 9)`.execute(
      one.database,
    )
    await test.follow(one)
    await putBack(test.databaseUrl, copy)
    expect(max(await one.accept(1))).toBeGreaterThan(95_000_000n)
    const { rows } = await sql<{ name: string; last: bigint }>`
      SELECT sequencename AS name, last_value AS last FROM pg_sequences WHERE schemaname = 'public' ORDER BY 1
    `.execute(one.database)
    // Also those of which nobody saw a number: somebody may have drawn one just before.
    expect(rows.filter(({ last }) => last > 17n).map(({ name }) => name)).toEqual([
      'api_keys_id_seq',
      'approvals_id_seq',
      'audit_id_seq',
      'deliveries_id_seq',
      'operator_sessions_id_seq',
      'operators_id_seq',
      'partner_accounts_id_seq',
      'partners_id_seq',
      'payment_findings_id_seq',
      'payments_id_seq',
      'service_tokens_id_seq',
      'signing_secrets_id_seq',
      'statement_exceptions_id_seq',
      'statements_id_seq',
    ])
  })

  it('an alarm stays over a restart, until another epoch has begun', async () => {
    const one = await test.start('one')
    const copy = await keepCopy(test.databaseUrl)
    await one.accept(3)
    await putBack(test.databaseUrl, copy)
    await one.accept(1)
    await one.database.destroy()
    const again = await test.startIn(one.folder)
    await test.follow(again)
    expect(again.guard.alarm()?.kind).toBe('older')
    await again.database
      .insertInto('epochs')
      .values({ number: 2, token: 'second', begun_by: 'test' })
      .execute()
    await test.follow(again)
    expect(again.guard.alarm()).toBeNull()
    expect(test.events().at(-1)).toBe('database_restored_known')
    // A machine that was off meanwhile raises what it must, and has nothing to tell.
    expect((await readMarks(again.folder)).mark?.alarm).toBeNull()
  })
})

describe('another database', () => {
  it('a copy with everything in it, as after a fail-over that lost nothing: no alarm', async () => {
    const one = await test.start('one')
    const given = await one.accept(3)
    const copy = await keepCopy(test.databaseUrl)
    await putBack(test.databaseUrl, copy)
    expect(max(await one.accept(1))).toBeGreaterThan(max(given))
    expect(one.guard.alarm()).toBeNull()
    expect(test.events()).toEqual(['database_moved'])
  })

  it('one that lost a payment whose number its sequence skipped is noticed all the same', async () => {
    const one = await test.start('one')
    const copy = await keepCopy(test.databaseUrl)
    await one.accept(3)
    await putBack(test.databaseUrl, copy)
    // As after a crash, when a sequence goes on up to 32 numbers later.
    const admin = connectDatabase({ databaseUrl: test.databaseUrl, poolSize: 1, log: quietLog })
    await sql`SELECT setval('payments_id_seq', 33)`.execute(admin)
    await admin.destroy()
    await one.accept(1)
    expect(one.guard.alarm()).toMatchObject({ kind: 'older', fell: [], missing: { above: 0n } })
  })

  it('an empty one of another gateway is said to be that, and starts above all the same', async () => {
    const one = await test.start('one')
    const given = await one.accept(3)
    await one.database.destroy()
    const other = await createTestDatabase()
    test.open.defer(() => other.drop())
    const admin = connectDatabase({ databaseUrl: other.url, poolSize: 1, log: quietLog })
    await sql`UPDATE epochs SET token = 'of another gateway'`.execute(admin)
    await admin.destroy()
    const again = await test.startIn(one.folder, other.url)
    expect(max(await again.accept(1))).toBeGreaterThan(max(given))
    expect(test.lines.find(({ event }) => event === 'database_another')).toMatchObject({
      level: 'error',
      help: 'the database is not the one of before: is DATABASE_URL or SPOOL_DIR wrong? If not, run gateway restored',
    })
  })

  it('one that is not whole is an outage, and is used once it is', async () => {
    const one = await test.start('one')
    await one.accept(1)
    await sql`ALTER TABLE epochs RENAME TO epochs_later`.execute(one.database)
    await expect(one.guard.check(one.database)).rejects.toThrow('is it being restored?')
    await sql`ALTER TABLE epochs_later RENAME TO epochs`.execute(one.database)
    await one.guard.check(one.database)
  })
})

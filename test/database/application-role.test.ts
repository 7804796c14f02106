import { randomBytes } from 'node:crypto'
import { sql } from 'kysely'
import { DatabaseError } from 'pg'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { listAudit } from '../../src/core/audit/list-audit.ts'
import { setDisabled } from '../../src/core/partners/change-partner.ts'
import { createPartner } from '../../src/core/partners/partner.ts'
import { handOverTables } from '../../src/database/application-role.ts'
import { connectDatabase, type Database } from '../../src/database/connect.ts'
import { isMigrated } from '../../src/database/is-migrated.ts'
import { raiseNumbers } from '../../src/database/mark/number-guard.ts'
import { readFound } from '../../src/database/mark/read-found.ts'
import { migrateToLatest } from '../../src/database/migrate.ts'
import { ensurePartitions } from '../../src/database/partitions.ts'
import { createTestDatabase, type OpenDatabase, openTestDatabase } from '../support/database.ts'
import { acceptPayments } from '../support/payments.ts'
import { quietLog } from '../support/quiet-log.ts'
import { testVault } from '../support/vault.ts'

const suffix = randomBytes(4).toString('hex')
const group = `gateway_test_group_${suffix}`
const login = `gateway_test_login_${suffix}`
const migrator = `gateway_test_migrator_${suffix}`

const actor = { kind: 'operator', name: 'amina', from: 'test' } as const

let own: OpenDatabase
/** The administrator's connection, and one as the gateway's login. */
let admin: Database
let gateway: Database

const openAs = (user: string, password: string): Database => {
  const url = new URL(own.url)
  url.username = user
  url.password = password
  return connectDatabase({ databaseUrl: url.href, poolSize: 2, log: quietLog })
}

beforeAll(async () => {
  own = await openTestDatabase({ poolSize: 2 })
  admin = own.database
  expect(await handOverTables(admin, group)).toEqual({ kind: 'done' })
  // As docs/operations.md says.
  await sql`CREATE ROLE ${sql.id(login)} LOGIN PASSWORD 'test' IN ROLE ${sql.id(group)}`.execute(admin)
  await sql`ALTER ROLE ${sql.id(login)} SET role TO ${sql.lit(group)}`.execute(admin)
  await sql`CREATE ROLE ${sql.id(migrator)} LOGIN PASSWORD 'test'`.execute(admin)
  gateway = openAs(login, 'test')
})
afterAll(async () => {
  await gateway.destroy()
  await sql`REASSIGN OWNED BY ${sql.id(group)} TO CURRENT_USER`.execute(admin)
  await sql`DROP OWNED BY ${sql.id(group)}, ${sql.id(login)}, ${sql.id(migrator)}`.execute(admin)
  await sql`DROP ROLE ${sql.id(login)}, ${sql.id(migrator)}, ${sql.id(group)}`.execute(admin)
  await own.close()
})

const codeOf = async (work: Promise<unknown>): Promise<string | undefined> => {
  try {
    await work
    return 'done'
  } catch (error) {
    return error instanceof DatabaseError ? error.code : String(error)
  }
}

const NOT_ALLOWED = '42501'

it('the gateway works under its login: partners, payments, coming partitions', async () => {
  expect(await isMigrated(gateway)).toBe(true)
  const { partnerId } = await createPartner({
    database: gateway,
    name: 'Duka',
    vault: testVault,
    actor,
    randomBytes,
  })
  await setDisabled({ database: gateway, partnerId, isDisabled: true, actor })
  expect(await acceptPayments(gateway, 3)).toHaveLength(3)
  await sql`SELECT setval('payments_id_seq', 49999999)`.execute(gateway)
  await ensurePartitions(gateway)
  await sql`DROP TABLE payments_5`.execute(gateway)
  const lines = await listAudit(gateway, { partnerId, subject: null, before: null, limit: 10 })
  expect(lines.map(({ action, actor: name }) => [action, name])).toEqual([
    ['disabled', 'amina'],
    ['created', 'amina'],
  ])
})

it('the gateway’s login raises the sequence of the audit log too, and cannot set it back', async () => {
  await raiseNumbers(gateway, { audit_id_seq: 5_000n, partners_id_seq: 5_000n })
  await raiseNumbers(gateway, { audit_id_seq: 10n, partners_id_seq: 10n })
  const found = await readFound(gateway, null)
  expect(found?.numbers).toMatchObject({ audit_id_seq: 5_000n, partners_id_seq: 5_000n })
  expect(await codeOf(sql`SELECT setval('audit_id_seq', 1)`.execute(gateway))).toBe(NOT_ALLOWED)
})

it.each([
  'UPDATE audit SET actor_name = $$nobody$$',
  'DELETE FROM audit',
  'TRUNCATE audit',
  'DROP TABLE audit',
  'ALTER TABLE audit DISABLE TRIGGER ALL',
  'ALTER TABLE audit OWNER TO CURRENT_USER',
  'CREATE RULE nothing AS ON INSERT TO audit DO INSTEAD NOTHING',
])('the gateway’s login may not %s, nor as the login itself', async (statement) => {
  const before = await sql<{ lines: bigint }>`SELECT count(*) AS lines FROM audit`.execute(admin)
  expect(await codeOf(sql.raw(statement).execute(gateway))).toBe(NOT_ALLOWED)
  await gateway.connection().execute(async (connection) => {
    await sql`RESET ROLE; SET ROLE NONE`.execute(connection)
    expect(await codeOf(sql.raw(statement).execute(connection))).toBe(NOT_ALLOWED)
    await sql`SET ROLE ${sql.id(group)}`.execute(connection)
  })
  expect(await sql<{ lines: bigint }>`SELECT count(*) AS lines FROM audit`.execute(admin)).toEqual(before)
})

it('handing over is safe to repeat, and from many places at once', async () => {
  const again = await Promise.all([1, 2, 3].map(() => handOverTables(admin, group)))
  expect(again).toEqual([{ kind: 'done' }, { kind: 'done' }, { kind: 'done' }])
  // Postgres only warns whoever grants what is not theirs.
  await sql`GRANT DELETE ON audit TO CURRENT_USER`.execute(gateway)
  expect(await codeOf(sql`DELETE FROM audit`.execute(gateway))).toBe(NOT_ALLOWED)
})

it('a user who may not make roles is shown what an administrator is to do', async () => {
  const database = openAs(migrator, 'test')
  const help = 'until then the audit log is protected from nobody: have an administrator run '
  try {
    expect(await handOverTables(database, `${group}_none`)).toEqual({
      kind: 'not_done',
      help: `${help}CREATE ROLE ${group}_none NOLOGIN; GRANT ${group}_none TO ${migrator}; and run gateway migrate again`,
    })
    expect(await handOverTables(database, group)).toEqual({
      kind: 'not_done',
      help: `${help}GRANT ${group} TO ${migrator}; and run gateway migrate again`,
    })
  } finally {
    await database.destroy()
  }
})

it('a user who may not make roles can migrate all the same, and use what it made', async () => {
  const empty = await createTestDatabase()
  const url = new URL(empty.url)
  const name = url.pathname.slice(1)
  const owner = connectDatabase({ databaseUrl: empty.url, poolSize: 1, log: quietLog })
  await sql`DROP SCHEMA public CASCADE`.execute(owner)
  await sql`CREATE SCHEMA public AUTHORIZATION ${sql.id(migrator)}`.execute(owner)
  await sql`GRANT ALL ON DATABASE ${sql.id(name)} TO ${sql.id(migrator)}`.execute(owner)
  await owner.destroy()
  url.username = migrator
  url.password = 'test'
  const ran = await migrateToLatest({ databaseUrl: url.href, log: quietLog })
  expect(ran.length).toBeGreaterThan(5)
  const database = connectDatabase({ databaseUrl: url.href, poolSize: 1, log: quietLog })
  expect(await acceptPayments(database, 1)).toHaveLength(1)
  await database.destroy()
  await empty.drop()
})

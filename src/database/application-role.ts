import { sql, type Transaction } from 'kysely'
import { DatabaseError } from 'pg'
import type { Log } from '../runtime/log.ts'
import type { Database } from './connect.ts'
import { ourSchema } from './our-schema.ts'
import { lockPartitions } from './partitions.ts'
import type { Schema } from './schema/schema.ts'

/**
 * The group that the gateway's own logins belong to. It owns every table but the audit log, which stays with whoever
 * migrates: the gateway adds rows to it and reads them, and cannot change or delete one. docs/operations.md says how to
 * use it.
 */
export const APPLICATION_ROLE = 'mpesa_gateway_app'

/** What came of handing the tables over; `help` says what an administrator is to do. */
export type HandOver = { kind: 'done' } | { kind: 'not_done'; help: string }

/**
 * Hands the tables over to the group `role`, which is made where it is missing, and leaves it of the audit log what it
 * needs. Safe to repeat and to run from several processes at once. Not done when this user may neither make the group
 * nor join it.
 */
export const handOverTables = async (
  database: Database,
  role: string = APPLICATION_ROLE,
): Promise<HandOver> => {
  const { user, exists, may_make } = await readRights(database, role)
  if (!exists && !may_make) return notDone(user, role, `CREATE ROLE ${role} NOLOGIN; `)
  if (!exists) await makeRole(database, role)
  if (!(await join(database, role))) return notDone(user, role, '')
  await database.transaction().execute((transaction) => handOver(transaction, role))
  return { kind: 'done' }
}

/** Hands the tables over, and logs when that could not be done. */
export const handOverOrWarn = async (database: Database, log: Log): Promise<void> => {
  const handedOver = await handOverTables(database)
  if (handedOver.kind === 'not_done') log.warn({ event: 'application_role_missing', help: handedOver.help })
}

const notDone = (user: string, role: string, first: string): HandOver => ({
  kind: 'not_done',
  help: `until then the audit log is protected from nobody: have an administrator run ${first}GRANT ${role} TO ${user}; and run gateway migrate again`,
})

type Rights = { user: string; exists: boolean; may_make: boolean }

const readRights = async (database: Database, role: string): Promise<Rights> => {
  const { rows } = await sql<Rights>`
    SELECT quote_ident(rolname) AS "user", rolsuper OR rolcreaterole AS may_make,
           EXISTS (SELECT FROM pg_roles WHERE rolname = ${role}) AS exists
    FROM pg_roles WHERE rolname = current_user
  `.execute(database)
  const [rights] = rows
  if (!rights) throw new Error('the present user has no role')
  return rights
}

/** SQLSTATE: another has made it meanwhile. */
const MADE_MEANWHILE = new Set(['42710', '23505'])

const makeRole = async (database: Database, role: string): Promise<void> => {
  try {
    await sql`CREATE ROLE ${sql.id(role)} NOLOGIN`.execute(database)
  } catch (error) {
    if (!(error instanceof DatabaseError) || !MADE_MEANWHILE.has(error.code ?? '')) throw error
  }
}

/** SQLSTATE insufficient_privilege. */
const NOT_ALLOWED = '42501'

/**
 * Only a member may give a table to the group; and needs to be one, to go on using what it gave. False: not allowed.
 */
const join = async (database: Database, role: string): Promise<boolean> => {
  const { rows } = await sql<{ is_member: boolean }>`
    SELECT pg_has_role(current_user, ${role}, 'USAGE') AS is_member
  `.execute(database)
  if (rows[0]?.is_member === true) return true
  try {
    await sql`GRANT ${sql.id(role)} TO CURRENT_USER`.execute(database)
    return true
  } catch (error) {
    if (error instanceof DatabaseError && error.code === NOT_ALLOWED) return false
    throw error
  }
}

const handOver = async (transaction: Transaction<Schema>, role: string): Promise<void> => {
  // Whoever makes or drops partitions locks tables in another order.
  await lockPartitions(transaction)
  const group = sql.id(role)
  const { rows } = await sql<{ name: string }>`
    SELECT nspname AS name FROM pg_namespace WHERE oid = ${ourSchema}
  `.execute(transaction)
  for (const { name } of rows)
    await sql`GRANT USAGE, CREATE ON SCHEMA ${sql.id(name)} TO ${group}`.execute(transaction)
  for (const table of await tablesOfOthers(transaction, role)) {
    await sql`ALTER TABLE ${sql.table(table)} OWNER TO ${group}`.execute(transaction)
  }
  await sql`REVOKE ALL ON audit FROM PUBLIC, ${group}`.execute(transaction)
  await sql`GRANT SELECT, INSERT ON audit TO ${group}`.execute(transaction)
  await sql`GRANT SELECT ON SEQUENCE audit_id_seq TO ${group}`.execute(transaction)
  await sql`GRANT EXECUTE ON FUNCTION raise_sequence(regclass, bigint) TO ${group}`.execute(transaction)
  await sql`GRANT SELECT ON kysely_migration, kysely_migration_lock TO ${group}`.execute(transaction)
}

/** Our tables, and their partitions, that are not the group's yet. */
const tablesOfOthers = async (transaction: Transaction<Schema>, role: string): Promise<string[]> => {
  const { rows } = await sql<{ name: string }>`
    SELECT relname AS name FROM pg_class
    WHERE relnamespace = ${ourSchema} AND relkind IN ('r', 'p') AND relowner <> ${role}::regrole
      AND relname <> 'audit' AND relname NOT LIKE 'kysely%'
    ORDER BY relname
  `.execute(transaction)
  return rows.map(({ name }) => name)
}

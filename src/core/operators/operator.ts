import { createHash } from 'node:crypto'
import { sql, type Transaction } from 'kysely'
import type { Database } from '../../database/connect.ts'
import { now } from '../../database/expressions.ts'
import type { Schema } from '../../database/schema/schema.ts'
import type { OperatorRole } from '../../values/operator-role.ts'
import { type Actor, type AuditEntry, recordAudit } from '../audit/record-audit.ts'
import { hashPassword } from './password.ts'

/** How long a link that signs in once is good, s. */
export const LINK_SECONDS = 3_600

const CODE_BYTES = 32

/** An operator, without anything secret. */
export type Operator = {
  id: bigint
  name: string
  role: OperatorRole
  has_password: boolean
  created_at: Date
  disabled_at: Date | null
  /** When a session of theirs was last used; null: they have none. */
  used_at: Date | null
}

export type Changing = { database: Database; operatorId: bigint; actor: Actor }

/** SHA-256: what is hashed has 256 random bits. */
export const hashOf = (secret: string): Buffer => createHash('sha256').update(secret).digest()

/** At most `limit` operators with an id above `after`, oldest first. */
export const listOperators = async (
  database: Database,
  { after, limit }: { after: bigint; limit: number },
): Promise<Operator[]> =>
  database
    .selectFrom('operators')
    .select(['id', 'name', 'role', 'created_at', 'disabled_at'])
    .select(sql<boolean>`password_hash IS NOT NULL`.as('has_password'))
    .select(
      sql<Date | null>`(SELECT max(used_at) FROM operator_sessions WHERE operator_id = operators.id)`.as(
        'used_at',
      ),
    )
    .where('id', '>', after)
    .orderBy('id')
    .limit(limit)
    .execute()

/**
 * Creates an operator, with a password or with a link that signs in once: its code is returned this once. Null: there
 * is one of this name.
 */
export const createOperator = async (options: {
  database: Database
  name: string
  role: OperatorRole
  password: string | null
  actor: Actor
  randomBytes: (count: number) => Buffer
}): Promise<{ operatorId: bigint; code: string | null } | null> => {
  const { database, name, role, password, actor } = options
  const password_hash = password === null ? null : await hashPassword(password)
  return database.transaction().execute(async (transaction) => {
    const made = await transaction
      .insertInto('operators')
      .values({ name, role, password_hash })
      .onConflict((conflict) => conflict.column('name').doNothing())
      .returning('id')
      .executeTakeFirst()
    if (made === undefined) return null
    await recordAudit(transaction, entryOf(actor, 'created', made.id, null, { name, role }))
    const code =
      password === null
        ? await addLink(transaction, { operatorId: made.id, randomBytes: options.randomBytes })
        : null
    return { operatorId: made.id, code }
  })
}

const addLink = async (
  transaction: Transaction<Schema>,
  { operatorId, randomBytes }: { operatorId: bigint; randomBytes: (count: number) => Buffer },
): Promise<string> => {
  const code = randomBytes(CODE_BYTES).toString('base64url')
  const expires_at = sql<Date>`now() + make_interval(secs => ${LINK_SECONDS})`
  // The one before is not good any more, and those of others that nobody used are not kept.
  await sql`DELETE FROM operator_links WHERE operator_id = ${operatorId} OR expires_at < now()`.execute(
    transaction,
  )
  await transaction
    .insertInto('operator_links')
    .values({ code_hash: hashOf(code), operator_id: operatorId, expires_at })
    .execute()
  return code
}

/** Makes a new link that signs in once; null: there is no such operator, or one that is disabled. */
export const createLink = (
  options: Changing & { randomBytes: (count: number) => Buffer },
): Promise<string | null> =>
  changing(options, async (transaction, before) => {
    if (before.disabled_at !== null) return null
    const code = await addLink(transaction, options)
    await recordAudit(transaction, entryOf(options.actor, 'linked', before.id, null, { name: before.name }))
    return code
  })

/** Gives another role, and ends the operator's sessions. False: there is no such operator. */
export const setRole = async (options: Changing & { role: OperatorRole }): Promise<boolean> => {
  const { operatorId, role, actor } = options
  const done = await changing(options, async (transaction, before) => {
    await transaction.updateTable('operators').set({ role }).where('id', '=', operatorId).execute()
    await endSessions(transaction, operatorId)
    const [was, is] = [{ role: before.role }, { role }]
    await recordAudit(transaction, entryOf(actor, 'set', operatorId, was, is))
    return true
  })
  return done === true
}

/** Disables an operator, whose sessions and links end with it, or enables one again. False: there is none such to. */
export const setDisabled = async (options: Changing & { disabled: boolean }): Promise<boolean> => {
  const { operatorId, disabled, actor } = options
  const done = await changing(options, async (transaction, before) => {
    if ((before.disabled_at !== null) === disabled) return null
    const changed = await transaction
      .updateTable('operators')
      .set({ disabled_at: disabled ? now : null })
      .where('id', '=', operatorId)
      .returning('disabled_at')
      .executeTakeFirstOrThrow()
    await endSessions(transaction, operatorId)
    await transaction.deleteFrom('operator_links').where('operator_id', '=', operatorId).execute()
    const was = { disabled_at: before.disabled_at }
    const action = disabled ? 'disabled' : 'enabled'
    await recordAudit(transaction, entryOf(actor, action, operatorId, was, changed))
    return true
  })
  return done === true
}

type Locked = { id: bigint; name: string; role: OperatorRole; disabled_at: Date | null }

/** Runs a change with the operator locked; null: there is none. */
const changing = <Result>(
  { database, operatorId }: Changing,
  change: (transaction: Transaction<Schema>, before: Locked) => Promise<Result | null>,
): Promise<Result | null> =>
  database.transaction().execute(async (transaction) => {
    const before = await transaction
      .selectFrom('operators')
      .select(['id', 'name', 'role', 'disabled_at'])
      .where('id', '=', operatorId)
      .forUpdate()
      .executeTakeFirst()
    return before === undefined ? null : change(transaction, before)
  })

export const endSessions = async (transaction: Transaction<Schema>, operatorId: bigint): Promise<void> => {
  await transaction.deleteFrom('operator_sessions').where('operator_id', '=', operatorId).execute()
}

export const entryOf = (
  actor: Actor,
  action: string,
  id: bigint,
  before: AuditEntry['before'],
  after: AuditEntry['after'],
): AuditEntry => ({ actor, action, subject: { kind: 'operator', id }, partnerId: null, before, after })

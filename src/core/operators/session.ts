import { sql, type Transaction } from 'kysely'
import type { Database } from '../../database/connect.ts'
import type { Schema } from '../../database/schema/schema.ts'
import type { OperatorRole } from '../../values/operator-role.ts'
import { type Actor, recordAudit } from '../audit/record-audit.ts'
import { entryOf, hashOf } from './operator.ts'
import { hashPassword, parsePassword } from './password.ts'

/** Who is signed in; `toDecide`: how many changes of others wait for this operator, 0 for one who may decide none. */
export type SignedIn = {
  operatorId: bigint
  name: string
  role: OperatorRole
  sessionId: bigint
  toDecide: number
}

/** Where from: the browser's address, and what it says of itself. */
export type Visitor = { address: string; browser: string }

/** A session that was not used for half an hour has ended, and every one after twelve hours. */
const IS_GOOD = sql<boolean>`
  operator_sessions.used_at > now() - interval '30 minutes'
  AND operator_sessions.created_at > now() - interval '12 hours'
`

/** So many changes are counted at most. */
const MOST_COUNTED = 99

/** What waits for whoever the row is: read along an index of what is not decided, with the session, for every page. */
const TO_DECIDE = sql<number>`
  CASE WHEN role = 'money' THEN (
    SELECT count(*) FROM (
      SELECT FROM approvals WHERE decision IS NULL AND expires_at > now() AND asked_by <> operators.name
      LIMIT ${sql.lit(MOST_COUNTED)}
    ) few
  ) ELSE 0 END::integer
`

const TOKEN_BYTES = 32

export const actorOf = ({ name }: { name: string }, { address }: Visitor): Actor => ({
  kind: 'operator',
  name,
  from: address,
})

/** Begins a session of the operator; its token is returned this once. */
export const beginSession = async (
  transaction: Transaction<Schema>,
  options: {
    operator: { id: bigint; name: string }
    by: 'password' | 'link'
    visitor: Visitor
    randomBytes: (count: number) => Buffer
  },
): Promise<string> => {
  const { operator, by, visitor } = options
  const token = options.randomBytes(TOKEN_BYTES).toString('base64url')
  await sql`DELETE FROM operator_sessions WHERE NOT (${IS_GOOD})`.execute(transaction)
  await transaction
    .insertInto('operator_sessions')
    .values({
      operator_id: operator.id,
      token_hash: hashOf(token),
      address: visitor.address,
      browser: visitor.browser,
    })
    .execute()
  const entry = entryOf(actorOf(operator, visitor), 'signed_in', operator.id, null, { by })
  await recordAudit(transaction, entry)
  return token
}

/**
 * The session of a token, if it is good and its operator is not disabled. That it was used is noted once a minute,
 * where Postgres takes it, unless `isByItself`: a page that refreshes itself keeps nobody signed in.
 */
export const findSession = async (
  database: Database,
  token: string,
  { isByItself }: { isByItself: boolean },
): Promise<SignedIn | null> => {
  const row = await database
    .selectFrom('operator_sessions')
    .innerJoin('operators', 'operators.id', 'operator_sessions.operator_id')
    .select(['operator_sessions.id', 'operator_id', 'name', 'role'])
    .select(sql<boolean>`used_at < now() - interval '1 minute'`.as('is_to_note'))
    .select(TO_DECIDE.as('to_decide'))
    .where('token_hash', '=', hashOf(token))
    .where('disabled_at', 'is', null)
    .where(IS_GOOD)
    .executeTakeFirst()
  if (row === undefined) return null
  if (row.is_to_note && !isByItself)
    await sql`UPDATE operator_sessions SET used_at = now() WHERE id = ${row.id}`
      .execute(database)
      // A Postgres that takes no writes is when pages are needed most.
      .catch(() => undefined)
  const { operator_id: operatorId, name, role, id: sessionId, to_decide: toDecide } = row
  return { operatorId, name, role, sessionId, toDecide }
}

/** The operator's sessions, newest first. */
export const listSessions = async (database: Database, { operatorId }: SignedIn) => {
  const rows = await database
    .selectFrom('operator_sessions')
    .select(['id', 'browser', 'address', 'created_at', 'used_at'])
    .where('operator_id', '=', operatorId)
    .where(IS_GOOD)
    .orderBy('id', 'desc')
    .execute()
  return rows.map((row) => ({
    sessionId: row.id,
    browser: row.browser,
    address: row.address,
    createdAt: row.created_at,
    usedAt: row.used_at,
  }))
}

/** Ends a session of the operator's own. */
export const endSession = (
  database: Database,
  signedIn: SignedIn,
  sessionId: bigint,
  visitor: Visitor,
): Promise<void> =>
  database.transaction().execute(async (transaction) => {
    const ended = await transaction
      .deleteFrom('operator_sessions')
      .where('id', '=', sessionId)
      .where('operator_id', '=', signedIn.operatorId)
      .returning('id')
      .executeTakeFirst()
    if (ended === undefined) return
    const entry = entryOf(actorOf(signedIn, visitor), 'signed_out', signedIn.operatorId, null, null)
    await recordAudit(transaction, entry)
  })

/** Sets the operator's own password, and ends the other sessions. Returns what is wrong with it, or null. */
export const setPassword = async (
  database: Database,
  signedIn: SignedIn,
  text: string,
  visitor: Visitor,
): Promise<{ problem: string } | null> => {
  const parsed = parsePassword(text)
  if (!parsed.ok) return { problem: `the password ${parsed.problem}` }
  const password_hash = await hashPassword(parsed.value)
  const { operatorId, sessionId } = signedIn
  await database.transaction().execute(async (transaction) => {
    await transaction.updateTable('operators').set({ password_hash }).where('id', '=', operatorId).execute()
    await transaction
      .deleteFrom('operator_sessions')
      .where('operator_id', '=', operatorId)
      .where('id', '<>', sessionId)
      .execute()
    const entry = entryOf(actorOf(signedIn, visitor), 'set', operatorId, null, { password: 'set' })
    await recordAudit(transaction, entry)
  })
  return null
}

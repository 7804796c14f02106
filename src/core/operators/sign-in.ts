import { sql } from 'kysely'
import type { Database } from '../../database/connect.ts'
import type { Log } from '../../runtime/log.ts'
import { parseName } from '../../values/name.ts'
import { recordAudit } from '../audit/record-audit.ts'
import {
  countGuess,
  forgetGuesses,
  type Guesser,
  guesserByAddress,
  guesserByName,
  isHeldOff,
} from './guesses.ts'
import { entryOf, hashOf } from './operator.ts'
import { isPassword } from './password.ts'
import {
  beginSession,
  endSession,
  findSession,
  listSessions,
  type SignedIn,
  setPassword,
  type Visitor,
} from './session.ts'

/** What became of an attempt to sign in: `wait` in s. */
type Outcome =
  | { kind: 'signed_in'; token: string; name: string }
  | { kind: 'wrong' }
  | { kind: 'wait'; seconds: number }

type Parts = { database: Database; log: Log; randomBytes: (count: number) => Buffer }

/** Who may come into the console, and how they stay and go. Each sign-in and sign-out is an entry of the audit log. */
export const createSignIns = (parts: Parts) => {
  const { database } = parts
  return {
    isOpen: async (): Promise<boolean> => {
      const query = database.selectFrom('operators').select('id').where('disabled_at', 'is', null).limit(1)
      return (await query.executeTakeFirst()) !== undefined
    },
    byPassword: (given: { name: string; password: string; visitor: Visitor }) => byPassword(parts, given),
    byCode: (given: { code: string; visitor: Visitor }) => byCode(parts, given),
    find: (token: string, how: { isByItself: boolean }) => findSession(database, token, how),
    signOut: (signedIn: SignedIn, visitor: Visitor) =>
      endSession(database, signedIn, signedIn.sessionId, visitor),
    listSessions: (signedIn: SignedIn) => listSessions(database, signedIn),
    endSession: (signedIn: SignedIn, sessionId: bigint, visitor: Visitor) =>
      endSession(database, signedIn, sessionId, visitor),
    setPassword: (signedIn: SignedIn, password: string, visitor: Visitor) =>
      setPassword(database, signedIn, password, visitor),
  }
}

/** By name and password. Both count before they are looked at: the name, and the client that shows it. */
const byPassword = async (
  parts: Parts,
  given: { name: string; password: string; visitor: Visitor },
): Promise<Outcome> => {
  const { database } = parts
  const { password, visitor } = given
  // What no operator can be called is nobody's name, and wrong as any other.
  const parsed = parseName(given.name)
  const name = parsed.ok ? parsed.value : ''
  const guessers = [guesserByAddress(visitor.address), guesserByName(name)]
  for (const guesser of guessers) {
    const seconds = await countGuess(database, guesser)
    if (seconds > 0) return { kind: 'wait', seconds }
  }
  const operator = await database
    .selectFrom('operators')
    .select(['id', 'name', 'password_hash', 'disabled_at'])
    .where('name', '=', name)
    .executeTakeFirst()
  const isRight = await isPassword(password, operator?.password_hash ?? null)
  if (!isRight || operator === undefined || operator.disabled_at !== null) {
    await reportWrong(parts, { visitor, guessers, operatorId: operator?.id ?? null })
    return { kind: 'wrong' }
  }
  await forgetGuesses(database, guessers)
  const { randomBytes } = parts
  const token = await database
    .transaction()
    .execute((transaction) => beginSession(transaction, { operator, by: 'password', visitor, randomBytes }))
  return { kind: 'signed_in', token, name: operator.name }
}

/** By the code of a link, which is used up by this. A code has no name, so only the client counts. */
const byCode = async (parts: Parts, given: { code: string; visitor: Visitor }): Promise<Outcome> => {
  const { database, randomBytes } = parts
  const { code, visitor } = given
  const guesser = guesserByAddress(visitor.address)
  const seconds = await countGuess(database, guesser)
  if (seconds > 0) return { kind: 'wait', seconds }
  const signedIn = await database.transaction().execute(async (transaction) => {
    const { rows } = await sql<{ id: bigint; name: string }>`
      DELETE FROM operator_links USING operators
      WHERE code_hash = ${hashOf(code)} AND operators.id = operator_id
        AND expires_at > now() AND disabled_at IS NULL
      RETURNING operators.id, name
    `.execute(transaction)
    const [operator] = rows
    if (operator === undefined) return null
    const token = await beginSession(transaction, { operator, by: 'link', visitor, randomBytes })
    return { token, name: operator.name }
  })
  if (signedIn === null) {
    await reportWrong(parts, { visitor, guessers: [guesser], operatorId: null })
    return { kind: 'wrong' }
  }
  await forgetGuesses(database, [guesser])
  return { kind: 'signed_in', token: signedIn.token, name: signedIn.name }
}

/** A line for each wrong attempt; a lock-out of an operator there is has its entry in the audit log too. */
const reportWrong = async (
  { database, log }: Parts,
  wrong: { visitor: Visitor; guessers: readonly Guesser[]; operatorId: bigint | null },
): Promise<void> => {
  const { visitor, guessers, operatorId } = wrong
  const held = await Promise.all(guessers.map((guesser) => isHeldOff(database, guesser)))
  const isHeld = held.includes(true)
  log.warn({
    event: 'sign_in_wrong',
    from: visitor.address,
    operator_id: operatorId === null ? null : Number(operatorId),
    held_off: isHeld,
  })
  if (!isHeld || operatorId === null) return
  const actor = { kind: 'operator' as const, name: 'nobody signed in', from: visitor.address }
  await database
    .transaction()
    .execute((transaction) =>
      recordAudit(transaction, entryOf(actor, 'held_off', operatorId, null, { why: 'wrong passwords' })),
    )
}

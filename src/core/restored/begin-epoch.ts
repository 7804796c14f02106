import { sql } from 'kysely'
import type { Database } from '../../database/connect.ts'
import { crashPoint } from '../../runtime/crash-point.ts'
import { type Actor, nameOf, recordAudit } from '../audit/record-audit.ts'

/** How many random bytes identify an epoch. */
const TOKEN_BYTES = 16

/**
 * Says that the database was restored and that this is known: begins an epoch, and ends the alarms of all that came
 * before. Resolves with its number. `about` is for the audit log.
 */
export const beginEpoch = async (options: {
  database: Database
  actor: Actor
  randomBytes: (count: number) => Buffer
  about: Readonly<Record<string, unknown>>
}): Promise<number> => {
  const { actor } = options
  const number = await options.database.transaction().execute(async (transaction) => {
    await sql`LOCK TABLE epochs IN EXCLUSIVE MODE`.execute(transaction)
    const last = await transaction
      .selectFrom('epochs')
      .select(({ fn }) => fn.max('number').as('number'))
      .executeTakeFirst()
    const next = (last?.number ?? 0) + 1
    const token = options.randomBytes(TOKEN_BYTES).toString('hex')
    await transaction
      .insertInto('epochs')
      .values({ number: next, token, begun_by: nameOf(actor) })
      .execute()
    await recordAudit(transaction, {
      actor,
      action: 'restored',
      subject: { kind: 'database', id: String(next) },
      partnerId: null,
      before: null,
      after: options.about,
    })
    crashPoint('begin_epoch.before_commit')
    return next
  })
  crashPoint('begin_epoch.after_commit')
  return number
}

import type { Database } from '../../database/connect.ts'
import { type AuditSubject, nameOfPartner } from './record-audit.ts'

/** One line of the audit log. */
export type AuditLine = {
  id: bigint
  at: Date
  /** The operator, the service and whom it names, or the partner and its key. */
  actor: string
  from: string
  action: string
  subject: string
  partner_id: bigint | null
  before: Record<string, unknown> | null
  after: Record<string, unknown> | null
}

/** Which entries; null: all. */
export type AuditFilter = {
  partnerId: bigint | null
  subject: AuditSubject | null
  /** Only entries with smaller ids: the last one's of the page before. */
  before: bigint | null
  limit: number
}

const linesOf = (database: Database) =>
  database
    .selectFrom('audit')
    .select(['id', 'at', 'actor_kind', 'actor_id', 'actor_name', 'operator', 'source', 'action'])
    .select(['subject_kind', 'subject_id', 'partner_id', 'before', 'after'])
    .orderBy('id', 'desc')

/** Lines about a thing that are shown at most: hardly any has more than a few. */
const MAX_OF_SUBJECT = 100

/** What was done to each of these things, the things in the order given, the newest lines of each, oldest first. */
export const listAuditOf = async (
  database: Database,
  subjects: readonly { kind: AuditSubject; id: bigint }[],
): Promise<AuditLine[]> => {
  const lines: AuditLine[] = []
  for (const { kind, id } of subjects) {
    const rows = await linesOf(database)
      .where('subject_kind', '=', kind)
      .where('subject_id', '=', String(id))
      .limit(MAX_OF_SUBJECT)
      .execute()
    lines.push(...rows.toReversed().map(toLine))
  }
  return lines
}

/** Lines of the audit log, newest first. */
export const listAudit = async (database: Database, filter: AuditFilter): Promise<AuditLine[]> => {
  let query = linesOf(database).limit(filter.limit)
  if (filter.partnerId !== null) query = query.where('partner_id', '=', filter.partnerId)
  if (filter.subject !== null) query = query.where('subject_kind', '=', filter.subject)
  if (filter.before !== null) query = query.where('id', '<', filter.before)
  return (await query.execute()).map(toLine)
}

type Row = Awaited<ReturnType<ReturnType<typeof linesOf>['execute']>>[number]

const toLine = (row: Row): AuditLine => ({
  id: row.id,
  at: row.at,
  actor: actorOf(row),
  from: row.source,
  action: row.action,
  subject: `${row.subject_kind} ${row.subject_id}`,
  partner_id: row.partner_id,
  before: row.before,
  after: row.after,
})

/** `amina`, `service 3 (till)`, `service 3 (till) for amina`, or `partner 7 (mpg_a1b2c3d4)`. */
const actorOf = (row: {
  actor_kind: 'operator' | 'service' | 'partner'
  actor_id: bigint | null
  actor_name: string
  operator: string | null
  partner_id: bigint | null
}): string => {
  if (row.actor_kind === 'operator') return row.actor_name
  if (row.actor_kind === 'partner') return nameOfPartner(row.partner_id, row.actor_name)
  const service = `service ${row.actor_id} (${row.actor_name})`
  return row.operator === null ? service : `${service} for ${row.operator}`
}

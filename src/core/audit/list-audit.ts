import type { Database } from '../../database/connect.ts'
import type { AuditSubject } from './record-audit.ts'

/** One line of the audit log. */
export type AuditLine = {
  id: bigint
  at: Date
  /** The operator, or the service and whom it names. */
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

/** Lines of the audit log, newest first. */
export const listAudit = async (database: Database, filter: AuditFilter): Promise<AuditLine[]> => {
  let query = database
    .selectFrom('audit')
    .select(['id', 'at', 'actor_kind', 'actor_id', 'actor_name', 'operator', 'source', 'action'])
    .select(['subject_kind', 'subject_id', 'partner_id', 'before', 'after'])
    .orderBy('id', 'desc')
    .limit(filter.limit)
  if (filter.partnerId !== null) query = query.where('partner_id', '=', filter.partnerId)
  if (filter.subject !== null) query = query.where('subject_kind', '=', filter.subject)
  if (filter.before !== null) query = query.where('id', '<', filter.before)
  const rows = await query.execute()
  return rows.map((row) => ({
    id: row.id,
    at: row.at,
    actor: actorOf(row),
    from: row.source,
    action: row.action,
    subject: `${row.subject_kind} ${row.subject_id}`,
    partner_id: row.partner_id,
    before: row.before,
    after: row.after,
  }))
}

/** `amina`, or `service 3 (till)`, or `service 3 (till) for amina`. */
const actorOf = (row: {
  actor_kind: 'operator' | 'service'
  actor_id: bigint | null
  actor_name: string
  operator: string | null
}): string => {
  if (row.actor_kind === 'operator') return row.actor_name
  const service = `service ${row.actor_id} (${row.actor_name})`
  return row.operator === null ? service : `${service} for ${row.operator}`
}

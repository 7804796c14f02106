import type { JsonObject } from '@bufbuild/protobuf'
import { timestampFromDate } from '@bufbuild/protobuf/wkt'
import type { Database } from '../../database/connect.ts'
import type { AuditService } from '../../gen/mpesa/gateway/v1/audit_pb.js'
import type { Log } from '../../runtime/log.ts'
import { type AuditLine, listAudit } from '../audit/list-audit.ts'
import { AUDIT_SUBJECTS, type AuditSubject } from '../audit/record-audit.ts'
import { masked } from './masked.ts'
import { readAfterOrBefore, readPageSize } from './message-fields.ts'
import type { OperatorMethods } from './operator-client.ts'
import { wrongField } from './refused.ts'

/** What the methods about the audit log use. */
export type AuditParts = { database: Database; log: Log }

type Methods = OperatorMethods<typeof AuditService, AuditParts>

const answerList: Methods['listAuditEntries'] = async ({ database }, request) => {
  const limit = readPageSize(request.pageSize, { usual: 50, max: 1000 })
  // One more than the page shows whether there is a next one.
  const lines = await listAudit(database, {
    partnerId: request.partnerId ?? null,
    subject: readSubject(request.subjectKind),
    before: readAfterOrBefore('before', request.before),
    limit: limit + 1,
  })
  const page = lines.slice(0, limit)
  return {
    entries: page.map(toMessage),
    nextBefore: lines.length > limit ? page.at(-1)?.id : undefined,
  }
}

const readSubject = (kind: string | undefined): AuditSubject | null => {
  if (kind === undefined) return null
  const subject = AUDIT_SUBJECTS.find((one) => one === kind)
  if (subject === undefined) {
    throw wrongField('subject_kind', `must be one of ${AUDIT_SUBJECTS.join(', ')}`)
  }
  return subject
}

const toMessage = ({ id, at, actor, from, action, subject, partner_id, before, after }: AuditLine) => ({
  id,
  at: timestampFromDate(at),
  actor,
  from,
  action,
  subject,
  partnerId: partner_id ?? undefined,
  before: toStruct(before),
  after: toStruct(after),
})

/** Without whole numbers: an operator may have typed one as a reason. */
const toStruct = (fields: AuditLine['before']): JsonObject | undefined =>
  fields === null
    ? undefined
    : // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- Postgres has them as JSON, which the mask leaves it
      (JSON.parse(masked(JSON.stringify(fields))) as JsonObject)

/** AuditService. */
export const auditMethods: Methods = { listAuditEntries: answerList }

import type { MessageInitShape } from '@bufbuild/protobuf'
import { timestampFromDate } from '@bufbuild/protobuf/wkt'
import type { Database } from '../../database/connect.ts'
import { now } from '../../database/expressions.ts'
import type { RowOf } from '../../database/schema/schema.ts'
import type { ApprovalSchema, ApprovalService } from '../../gen/mpesa/gateway/v1/approvals_pb.js'
import { type ApprovalParts, approve, describe, refuse } from './decide-approval.ts'
import { readAfterOrBefore, readPageSize } from './message-fields.ts'
import type { OperatorMethods } from './operator-client.ts'

type Methods = OperatorMethods<typeof ApprovalService, ApprovalParts>

const answerList: Methods['listApprovals'] = async ({ database }, request) => {
  const limit = readPageSize(request.pageSize, { usual: 100, max: 1000 })
  const after = readAfterOrBefore('after', request.after) ?? 0n
  // One more than the page shows whether there is a next one.
  const found = await listWaiting(database, { after, limit: limit + 1 })
  const page = found.slice(0, limit)
  return {
    approvals: page.map(toMessage),
    nextAfter: found.length > limit ? page.at(-1)?.id : undefined,
  }
}

const COLUMNS = ['id', 'kind', 'payment_id', 'parameters', 'asked_by', 'asked_at', 'expires_at'] as const

const listWaiting = (
  database: Database,
  page: { after: bigint; limit: number },
): Promise<RowOf<'approvals', (typeof COLUMNS)[number]>[]> =>
  database
    .selectFrom('approvals')
    .select(COLUMNS)
    .where('decision', 'is', null)
    .where('expires_at', '>', now)
    .where('id', '>', page.after)
    .orderBy('id')
    .limit(page.limit)
    .execute()

const toMessage = (
  row: RowOf<'approvals', (typeof COLUMNS)[number]>,
): MessageInitShape<typeof ApprovalSchema> => {
  const { what, reason } = describe(row)
  return {
    approvalId: row.id,
    kind: row.kind,
    paymentId: row.payment_id,
    what,
    reason: reason ?? undefined,
    askedBy: row.asked_by,
    askedAt: timestampFromDate(row.asked_at),
    expiresAt: timestampFromDate(row.expires_at),
  }
}

const answerApprove: Methods['approveChange'] = async (parts, { approvalId: id }, actor) => ({
  done: await approve({ parts, id, actor }),
})

const answerRefuse: Methods['refuseChange'] = async (parts, { approvalId: id }, actor) => {
  await refuse({ parts, id, actor })
  return {}
}

/** ApprovalService. */
export const approvalMethods: Methods = {
  listApprovals: answerList,
  approveChange: answerApprove,
  refuseChange: answerRefuse,
}

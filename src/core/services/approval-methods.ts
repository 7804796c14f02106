import type { MessageInitShape } from '@bufbuild/protobuf'
import { timestampFromDate } from '@bufbuild/protobuf/wkt'
import type { ApprovalSchema, ApprovalService } from '../../gen/mpesa/gateway/v1/approvals_pb.js'
import { type ApprovalParts, approve, refuse } from './decide-approval.ts'
import { maskedOrUnset } from './masked.ts'
import { readAfterOrBefore, readPageSize } from './message-fields.ts'
import type { OperatorMethods } from './operator-client.ts'
import { describe, selectWaiting, type WaitingApproval } from './waiting-approvals.ts'

type Methods = OperatorMethods<typeof ApprovalService, ApprovalParts>

const answerList: Methods['listApprovals'] = async ({ database }, request) => {
  const limit = readPageSize(request.pageSize, { usual: 100, max: 1000 })
  const after = readAfterOrBefore('after', request.after) ?? 0n
  // One more than the page shows whether there is a next one.
  const found = await selectWaiting(database)
    .where('approvals.id', '>', after)
    .orderBy('approvals.id')
    .limit(limit + 1)
    .execute()
  const page = found.slice(0, limit)
  return {
    approvals: page.map(toMessage),
    nextAfter: found.length > limit ? page.at(-1)?.id : undefined,
  }
}

const toMessage = (row: WaitingApproval): MessageInitShape<typeof ApprovalSchema> => {
  const { what, reason } = describe(row)
  return {
    approvalId: row.id,
    kind: row.kind,
    paymentId: row.payment_id,
    what,
    reason: maskedOrUnset(reason),
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

import { timestampFromDate } from '@bufbuild/protobuf/wkt'
import type { Outcome } from '../../database/schema/payments.ts'
import type { SettlePaymentRequest } from '../../gen/mpesa/gateway/v1/payment_operations_pb.js'
import { PaymentState } from '../../gen/mpesa/gateway/v1/payments_pb.js'
import { PAYMENT_STATES } from '../../values/payment-state.ts'
import { parseTypedReceipt } from '../../values/receipt.ts'
import { parseReason } from '../deliveries/reason.ts'
import {
  findFindings,
  findHistory,
  findPayment,
  listFindings,
  listOpenPayments,
  ownerOf,
} from '../payments/find.ts'
import { FINDING_KINDS, isFindingKind } from '../settle/findings.ts'
import { type HandSettled, isFilledIn, settleByHand } from '../settle/settle-by-hand.ts'
import { askApproval } from './ask-approval.ts'
import { answerCancelByHand } from './cancel-by-hand.ts'
import { answerAcknowledge, answerListExceptions } from './exception-methods.ts'
import { toFindingMessage } from './finding-message.ts'
import { readAfterOrBefore, readPageSize } from './message-fields.ts'
import { toPaymentMessage } from './payment-message.ts'
import { noPayment, type PaymentOperationsMethods } from './payment-operations-parts.ts'
import { Refused, wrongField } from './refused.ts'
import { describeDoubt } from './settle-doubts.ts'
import { answerFind, answerReveal, answerTimeline } from './timeline-methods.ts'

type Methods = PaymentOperationsMethods

/** Above every id. */
const NO_ID_YET = 2n ** 63n - 1n

const answerListOpen: Methods['listOpenPayments'] = async (parts, request) => {
  const limit = readPageSize(request.pageSize, { usual: 100, max: 1000 })
  const { database, reader, overdueAfterMs } = parts
  // One more than the page shows whether there is a next one.
  const rows = await listOpenPayments({
    database,
    owner: reader === 'anybody' ? ownerOf(null, request.test) : ownerOf(reader.partnerId, request.test),
    ageMs: request.overdueOnly ? overdueAfterMs : 0,
    after: readAfterOrBefore('after', request.after) ?? 0n,
    limit: limit + 1,
  })
  const page = rows.slice(0, limit)
  return {
    payments: page.map(toPaymentMessage),
    nextAfter: rows.length > limit ? page.at(-1)?.id : undefined,
  }
}

const answerListFindings: Methods['listFindings'] = async ({ database, reader }, request) => {
  const limit = readPageSize(request.pageSize, { usual: 100, max: 1000 })
  const { kind = null } = request
  if (kind !== null && !isFindingKind(kind)) {
    throw wrongField('kind', `must be one of ${FINDING_KINDS.join(', ')}`)
  }
  const rows = await listFindings({
    database,
    owner: reader,
    kind,
    before: readAfterOrBefore('before', request.before) ?? NO_ID_YET,
    limit: limit + 1,
  })
  const ids = [...new Set(rows.map((row) => row.payment_id))]
  const page = new Set(ids.slice(0, limit))
  return {
    findings: rows.filter((row) => page.has(row.payment_id)).map(toFindingMessage),
    nextBefore: ids.length > limit ? ids[limit - 1] : undefined,
  }
}

const answerHistory: Methods['getPaymentHistory'] = async ({ database, reader }, { paymentId }) => {
  if ((await findPayment(database, reader, paymentId)) === undefined) throw noPayment(paymentId)
  const moves = await findHistory(database, paymentId)
  const findings = await findFindings(database, paymentId)
  return {
    moves: moves.map((row) => ({
      at: timestampFromDate(row.at),
      fromState: PAYMENT_STATES[row.from_state],
      toState: PAYMENT_STATES[row.to_state],
      cause: row.cause,
      detail: row.detail ?? undefined,
      operator: row.operator ?? undefined,
    })),
    findings: findings.map(toFindingMessage),
  }
}

const answerSettle: Methods['settlePayment'] = async (parts, request, actor) => {
  const { database, reader, fourEyes } = parts
  const { paymentId, settleAnyway, settleDespite, validateOnly } = request
  const outcome = readOutcome(request.outcome)
  const receipt = readReceipt(outcome, request)
  const reason = parseReason(request.reason)
  if (!reason.ok) throw wrongField('reason', reason.problem)
  const settled = await settleByHand(database, {
    paymentId,
    owner: reader,
    outcome,
    receipt,
    reason: reason.value,
    actor,
    anyway: settleAnyway || settleDespite,
    isRehearsal: validateOnly || fourEyes,
  })
  if (settled.kind !== 'settled') throw toRefusal(settled, { paymentId, outcome, receipt })
  const { settlement, payment } = settled
  const doubts = settled.doubts.map((doubt) => ({
    kind: doubt.kind,
    what: describeDoubt(doubt, { paymentId, receipt }).what,
  }))
  if (fourEyes && !validateOnly) {
    const anyway = doubts.length > 0
    const parameters = { outcome, receipt, reason: reason.value, anyway, doubts }
    throw await askApproval(database, { kind: 'settle_payment', paymentId, parameters, actor })
  }
  if (!validateOnly) parts.onSettled(settlement)
  return {
    payment: toPaymentMessage(payment),
    fromState: settlement.from === null ? PaymentState.UNSPECIFIED : PAYMENT_STATES[settlement.from],
    receiptFilledIn: isFilledIn(settlement),
    doubts,
  }
}

const readOutcome = (state: PaymentState): Outcome => {
  if (state === PaymentState.SUCCESSFUL) return 'successful'
  if (state === PaymentState.FAILED) return 'failed'
  throw wrongField('outcome', 'must be SUCCESSFUL or FAILED')
}

const readReceipt = (outcome: Outcome, { receipt }: SettlePaymentRequest): string | null => {
  if (outcome === 'failed') {
    if (receipt !== undefined) throw wrongField('receipt', 'is for a success: a failure has none')
    return null
  }
  const parsed = parseTypedReceipt(receipt ?? '')
  if (!parsed.ok) throw wrongField('receipt', parsed.problem)
  return parsed.value
}

type Asked = { paymentId: bigint; outcome: Outcome; receipt: string | null }

/** Why a settlement was not made. */
export const toRefusal = (
  settled: Exclude<HandSettled, { kind: 'settled' }>,
  { paymentId, outcome, receipt }: Asked,
): Refused => {
  switch (settled.kind) {
    case 'unchanged':
      if (settled.state === null) return noPayment(paymentId)
      return notPossible(`payment ${paymentId} is ${settled.state} and cannot become ${outcome}`)
    case 'receipt_taken':
      return notPossible(
        `${receipt} is the receipt of payment ${settled.paymentId} already, and one receipt proves one payment`,
      )
    case 'receipt_of_other_kind':
      return notPossible(
        settled.isTest
          ? `payment ${paymentId} is a test payment, and no receipt of M-PESA proves one: give it one that begins with XTES, as those of test payments do`
          : `${receipt} is the receipt of a test payment, and M-PESA gives none like it`,
      )
    case 'reversed':
    case 'gave_back':
    case 'of_another':
    case 'reported_for_another':
    case 'of_another_account':
    case 'paid_before':
    case 'other_amount':
    case 'paid_there':
    case 'not_there':
    case 'may_settle_itself': {
      const { what, advice } = describeDoubt(settled, { paymentId, receipt })
      return notPossible(`${what}: ${advice}`)
    }
    default:
      return settled satisfies never
  }
}

const notPossible = (why: string): Refused => new Refused('not_possible', `${why}; nothing was changed`)

/** PaymentOperationsService. */
export const paymentOperationsMethods: Methods = {
  listOpenPayments: answerListOpen,
  listFindings: answerListFindings,
  getPaymentHistory: answerHistory,
  settlePayment: answerSettle,
  findPayments: answerFind,
  getPaymentTimeline: answerTimeline,
  revealMsisdn: answerReveal,
  cancelPaymentByHand: answerCancelByHand,
  listExceptions: answerListExceptions,
  acknowledgeFinding: answerAcknowledge,
}

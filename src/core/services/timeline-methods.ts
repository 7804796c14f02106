import type { MessageInitShape } from '@bufbuild/protobuf'
import { create } from '@bufbuild/protobuf'
import { timestampFromDate } from '@bufbuild/protobuf/wkt'
import { planByIndex } from '../../database/plan-by-size.ts'
import type { TimelineEntrySchema } from '../../gen/mpesa/gateway/v1/payment_timeline_pb.js'
import { ListPaymentsRequestSchema } from '../../gen/mpesa/gateway/v1/payments_pb.js'
import { parseMsisdn } from '../../values/msisdn.ts'
import { PAYMENTS_PAGE } from '../../values/page-size.ts'
import { parseReference } from '../../values/reference.ts'
import { revealMsisdn } from '../payers/reveal.ts'
import { findPayment, ownerOf } from '../payments/find.ts'
import { lookForPayments } from '../payments/list.ts'
import type { PaymentFilter } from '../payments/payment-filter.ts'
import type { Entry } from '../timeline/entry.ts'
import { readPaymentRecord } from '../timeline/read-payment-record.ts'
import { toTimeline } from '../timeline/timeline.ts'
import { readFilter, readPositive } from './find-payments.ts'
import { masked, maskedOrUnset, toMaskedPayment } from './masked.ts'
import { readAfterOrBefore, readPageSize } from './message-fields.ts'
import {
  type PaymentOperationsMethods as Methods,
  noPayment,
  type PaymentOperationsParts,
} from './payment-operations-parts.ts'
import { wrongField } from './refused.ts'

/** PaymentOperationsService.FindPayments. */
export const answerFind: Methods['findPayments'] = async (parts, request) => {
  const query = request.query ?? create(ListPaymentsRequestSchema)
  const limit = readPageSize(query.pageSize, PAYMENTS_PAGE)
  const before = readAfterOrBefore('before', query.before)
  const filter = await narrow(parts, readFilter(query), request)
  if (filter === null) return { payments: [] }
  const { database, reader } = parts
  const partnerId = readPositive(query.partnerId, 'partner_id', 'partner')
  if (reader !== 'anybody' && partnerId !== null && partnerId !== reader.partnerId)
    throw wrongField('partner_id', 'must be that of the partner whose payments are read, or left out')
  const owner = ownerOf(reader === 'anybody' ? partnerId : reader.partnerId, query.test === true)
  // One more than the page shows whether there is a next one.
  const { payments, lookedTo } = await planByIndex(database, (transaction) =>
    lookForPayments(transaction, { owner, filter, limit: limit + 1, before }),
  )
  const page = payments.slice(0, limit)
  return {
    payments: page.map(toMaskedPayment),
    nextBefore: payments.length > limit ? page.at(-1)?.id : (lookedTo ?? undefined),
  }
}

/** The filter with what other payments have; null: nothing fits. */
const narrow = async (
  { database, reader }: PaymentOperationsParts,
  filter: PaymentFilter,
  given: { samePayerAs?: bigint | undefined; sameReferenceAs?: bigint | undefined },
): Promise<PaymentFilter | null> => {
  const payerOf = readPositive(given.samePayerAs, 'same_payer_as', 'payment')
  const referenceOf = readPositive(given.sameReferenceAs, 'same_reference_as', 'payment')
  let { msisdn, reference } = filter
  if (payerOf !== null) {
    const payer = await findPayment(database, reader, payerOf)
    // The zeros that stand for an erased number are no number.
    const parsed = parseMsisdn(payer?.msisdn ?? null)
    if (!parsed.ok || (msisdn !== null && msisdn !== parsed.value)) return null
    msisdn = parsed.value
  }
  if (referenceOf !== null) {
    const other = await findPayment(database, reader, referenceOf)
    const parsed = parseReference(other?.reference ?? '')
    if (!other?.reference || !parsed.ok || (reference !== null && reference !== parsed.value)) return null
    reference = parsed.value
  }
  return { ...filter, msisdn, reference }
}

/** PaymentOperationsService.GetPaymentTimeline. */
export const answerTimeline: Methods['getPaymentTimeline'] = async ({ database, reader }, { paymentId }) => {
  const record = await readPaymentRecord(database, reader, paymentId)
  if (record === undefined) throw noPayment(paymentId)
  return { payment: toMaskedPayment(record.payment), entries: toTimeline(record).map(toEntryMessage) }
}

const toEntryMessage = (entry: Entry): MessageInitShape<typeof TimelineEntrySchema> => ({
  at: timestampFromDate(entry.at),
  party: entry.party,
  kind: entry.kind,
  sentence: masked(entry.sentence),
  tone: entry.tone ?? '',
  details: (entry.details ?? []).flatMap(([name, value]) =>
    value === null || value === '' ? [] : [{ name, value: masked(value) }],
  ),
  evidence: maskedOrUnset(entry.evidence),
  ahead: entry.ahead ?? false,
  deliveryId: entry.deliveryId,
  findingId: entry.findingId,
})

/** PaymentOperationsService.RevealMsisdn. */
export const answerReveal: Methods['revealMsisdn'] = async (
  { database, reader, log },
  { paymentId },
  actor,
) => {
  const partnerId = reader === 'anybody' ? null : reader.partnerId
  const revealed = await revealMsisdn({ database, partnerId, paymentId, actor })
  if (revealed === undefined) throw noPayment(paymentId)
  log.info({ event: 'msisdn_revealed', payment_id: Number(paymentId) })
  return { msisdn: revealed.msisdn, checkoutRequestId: revealed.checkout_request_id ?? undefined }
}

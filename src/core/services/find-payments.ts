import type { HandlerContext } from '@connectrpc/connect'
import type { Database } from '../../database/connect.ts'
import {
  type BatchGetPaymentsRequest,
  type ListPaymentsRequest,
  PaymentState,
} from '../../gen/mpesa/gateway/v1/payments_pb.js'
import { unreadableFieldsOf } from '../../runtime/call-context.ts'
import { parseSoughtKey } from '../../values/idempotency-key.ts'
import { parseMsisdn } from '../../values/msisdn.ts'
import { PAYMENTS_PAGE } from '../../values/page-size.ts'
import type { Parsed } from '../../values/parsed.ts'
import { type PaymentStateName, toPaymentStateName } from '../../values/payment-state.ts'
import { parseReceipt } from '../../values/receipt.ts'
import { parseReference } from '../../values/reference.ts'
import { isTestId, partnerIdOf } from '../../values/test-partner.ts'
import { findPaymentsOf, type Owner, ownerOf } from '../payments/find.ts'
import { listPayments } from '../payments/list.ts'
import type { PaymentFilter } from '../payments/payment-filter.ts'
import { hashIdempotencyKey } from '../request/payment-request.ts'
import { type Reader, requireReader } from './caller.ts'
import type { CallerChecks } from './caller-checks.ts'
import { readInstant, readPageSize } from './message-fields.ts'
import { toPaymentMessage } from './payment-message.ts'
import { wrongField } from './refused.ts'

/** Answers ListPayments: one page of what the caller may see and asks for. */
export const findPayments = async (
  parts: { database: Database; checks: CallerChecks },
  request: ListPaymentsRequest,
  context: HandlerContext,
) => {
  const reader = await requireReader(context, parts.checks)
  const pageSize = unreadableFieldsOf(context).includes('page_size') ? null : request.pageSize
  const limit = readPageSize(pageSize, PAYMENTS_PAGE)
  const before = readPositive(request.before, 'before', 'payment')
  const owner = readOwner(reader, {
    partnerId: readPositive(request.partnerId, 'partner_id', 'partner'),
    test: request.test,
  })
  const filter = readFilter(request)
  // One more than the page shows whether there is a next one.
  const rows = await listPayments(parts.database, { owner, filter, limit: limit + 1, before })
  const page = rows.slice(0, limit)
  return {
    payments: page.map(toPaymentMessage),
    nextBefore: rows.length > limit ? page.at(-1)?.id : undefined,
  }
}

/** Payments that are read at once at most. */
const MAX_BATCH = 1000

/** Answers BatchGetPayments: what the caller may see of the payments that it names, and which are not there for it. */
export const getPayments = async (
  parts: { database: Database; checks: CallerChecks },
  { paymentIds }: BatchGetPaymentsRequest,
  context: HandlerContext,
) => {
  const reader = await requireReader(context, parts.checks)
  if (paymentIds.length === 0 || paymentIds.length > MAX_BATCH) {
    throw wrongField('payment_ids', `must be 1 to ${MAX_BATCH} ids`)
  }
  if (paymentIds.some((id) => id < 1n)) throw wrongField('payment_ids', 'must be positive whole numbers')
  const ids = [...new Set(paymentIds)]
  const rows = await findPaymentsOf(parts.database, reader, ids)
  const found = new Map(rows.map((row) => [row.id, row]))
  return {
    payments: ids.flatMap((id) => found.get(id) ?? []).map(toPaymentMessage),
    missingIds: ids.filter((id) => !found.has(id)),
  }
}

/** Reads an id that need not be there. Throws `Refused` for the field. */
export const readPositive = (id: bigint | undefined, field: string, what: string): bigint | null => {
  if (id !== undefined && id < 1n) throw wrongField(field, `must be a positive ${what} id`)
  return id ?? null
}

/**
 * A partner sees its own payments only, whether it names itself or nobody, and those of its key's kind only; a service
 * sees real ones, unless it asks for test ones.
 */
const readOwner = (
  reader: Reader,
  { partnerId, test }: { partnerId: bigint | null; test: boolean | undefined },
): Owner => {
  if (reader === 'anybody') return ownerOf(partnerId, test === true)
  if (partnerId !== null && partnerIdOf(reader.partnerId) !== partnerId)
    throw wrongField('partner_id', 'must be that of the partner in whose name you ask, or left out')
  const isTest = isTestId(reader.partnerId)
  if (test !== undefined && test !== isTest)
    throw wrongField(
      'test',
      `must be ${isTest} or left out: this key reads ${isTest ? 'test' : 'real'} payments`,
    )
  return reader
}

/** Reads what payments are to fit. Throws `Refused` for a field that is wrong. */
export const readFilter = (request: ListPaymentsRequest): PaymentFilter => {
  const key = read('idempotency_key', request.idempotencyKey, parseSoughtKey)
  const createdFrom = readInstant('created_from', request.createdFrom)
  const createdTo = readInstant('created_to', request.createdTo)
  if (createdFrom !== null && createdTo !== null && createdTo <= createdFrom)
    throw wrongField('created_to', 'must be after the beginning of the time that is asked for')
  return {
    state: readState(request.state),
    reference: read('reference', request.reference, parseReference),
    receipt: read('receipt', request.receipt, parseReceipt),
    msisdn: read('msisdn', request.msisdn, parseMsisdn),
    keyHash: key === null ? null : hashIdempotencyKey(key),
    createdFrom,
    createdTo,
    undeliveredOnly: request.undeliveredOnly,
  }
}

/** The state that is asked for; null for any. */
const readState = (state: PaymentState | undefined): PaymentStateName | null => {
  if (state === undefined || state === PaymentState.UNSPECIFIED) return null
  const name = toPaymentStateName(state)
  if (name === null) throw wrongField('state', 'must be a state of payments')
  return name
}

/** What was parsed of a field; null where it is not set. Throws `Refused` for the field. */
const read = <Given, Value>(
  field: string,
  given: Given | undefined,
  parse: (given: Given) => Parsed<Value>,
): Value | null => {
  if (given === undefined) return null
  const parsed = parse(given)
  if (!parsed.ok) throw wrongField(field, parsed.problem)
  return parsed.value
}

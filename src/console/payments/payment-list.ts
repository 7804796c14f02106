import { html, type SafeHtml } from '@remix-run/html-template'
import type { Payment } from '../../gen/mpesa/gateway/v1/payments_pb.js'
import { toPaymentStateName } from '../../values/payment-state.ts'
import { type CsvList, everyPage } from '../csv.ts'
import { notice } from '../page/elements.ts'
import { field, filterForm, postForm } from '../page/form.ts'
import type { Page } from '../page/page.ts'
import { partnerLink, payerOf, paymentLink, stateBadge } from '../page/payment-words.ts'
import { type Column, pager, table } from '../page/table.ts'
import { ago, toDate } from '../page/time.ts'
import type { Call } from '../route.ts'
import { filterFields, readPaymentFilter } from './payment-filter.ts'

const PAGE_SIZE = 50

/** The list of payments, and the box that understands what is pasted into it. */
export const paymentListPage = async (call: Call, said: SafeHtml | null = null): Promise<Page> => {
  const request = readPaymentFilter(call.query, { pageSize: PAGE_SIZE })
  const { payments, nextBefore } = await call.clients.payments.findPayments(request)
  const next = nextBefore === undefined ? null : String(nextBefore)
  const cut =
    next === null || payments.length === PAGE_SIZE
      ? null
      : `It was looked as far back as payment ${next}: there may be more before it.`
  const none = cut === null ? 'There are no such payments.' : 'None of these is such a payment.'
  return {
    title: 'Payments',
    liveSeconds: 15,
    body: html`${said}${pasteBox()}${filterForm('/payments', filterFields(call.query))}
<div data-live="payments">${table({ caption: captionOf(call.query), columns: columnsAt(call.now), rows: payments, none })}
${pager(call, { cursor: 'before', next, csv: true, cut })}</div>`,
  }
}

/** The page of a text that nothing is known by. */
export const nothingFoundPage = async (call: Call): Promise<Page> => {
  const sentence =
    'Nothing is known by what you pasted: no id, receipt, number of a payer, reference or idempotency key.'
  const here: Call = { ...call, path: '/payments', query: new URLSearchParams() }
  return { ...(await paymentListPage(here, notice('warn', sentence))), status: 404 }
}

const pasteBox = (): SafeHtml =>
  postForm({
    action: '/payments/find',
    button: 'Find',
    fields: [
      field({
        name: 'text',
        label: 'Find by anything',
        kind: 'search',
        required: true,
        autocomplete: 'off',
        hint: 'An id, a receipt, a payer’s number, a reference or an idempotency key.',
      }),
    ],
  })

const captionOf = (query: URLSearchParams): string => {
  const kind = query.get('test') === 'on' ? 'Test payments' : 'Payments'
  const payer = query.get('payer_of')
  const reference = query.get('reference_of')
  const whose = [
    ...(payer ? [`of the payer of payment ${payer}`] : []),
    ...(reference ? [`with the reference of payment ${reference}`] : []),
  ]
  return `${kind} ${whose.join(' and ')}, newest first`.replace(' ,', ',')
}

const columnsAt = (now: Date): Column<Payment>[] => [
  { head: 'Payment', cell: ({ paymentId }) => paymentLink(paymentId) },
  { head: 'State', cell: ({ state }) => stateBadge(state) },
  { head: 'KES', kind: 'number', cell: ({ amountKes }) => amountKes },
  { head: 'Payer', cell: payerOf },
  { head: 'Reference', cell: ({ reference }) => reference ?? null },
  { head: 'Receipt', cell: ({ receipt }) => receipt ?? null },
  { head: 'Result', cell: ({ resultCode }) => resultCode ?? null },
  { head: 'Partner', cell: ({ partnerId }) => partnerLink(partnerId) },
  { head: 'Accepted', cell: ({ createdAt }) => ago(createdAt, now) },
]

/** The whole list as CSV; payers' numbers are masked there too. */
export const paymentCsv = (call: Call): CsvList => ({
  name: 'payments',
  columns: [
    'payment_id',
    'partner_id',
    'state',
    'amount_kes',
    'msisdn_masked',
    'reference',
    'receipt',
    'result_code',
    'result_desc',
    'created_at',
    'transaction_date',
  ],
  rows: csvRows(call),
})

const csvRows = async function* (call: Call) {
  const read = async (before: bigint | null) => {
    const request = readPaymentFilter(call.query, { pageSize: 100, before: before ?? undefined })
    const { payments, nextBefore } = await call.clients.payments.findPayments(request)
    return { rows: payments, next: nextBefore ?? null }
  }
  for await (const payment of everyPage(read)) yield toCsvRow(payment)
}

const toCsvRow = (payment: Payment) => [
  payment.paymentId,
  payment.partnerId,
  toPaymentStateName(payment.state),
  payment.amountKes,
  payment.msisdn,
  payment.reference,
  payment.receipt,
  payment.resultCode,
  payment.resultDesc,
  payment.createdAt && toDate(payment.createdAt),
  payment.transactionDate && toDate(payment.transactionDate),
]

import type { MessageInitShape } from '@bufbuild/protobuf'
import { timestampFromDate } from '@bufbuild/protobuf/wkt'
import type { FindPaymentsRequestSchema } from '../../gen/mpesa/gateway/v1/payment_operations_pb.js'
import { parseId } from '../../values/ids.ts'
import { PAYMENT_STATE_NAMES, parsePaymentState } from '../../values/payment-state.ts'
import type { Field } from '../page/form.ts'
import { Refusal } from '../refusal.ts'

// The filters of the list of payments, as they stand in its address: none of them is a payer's number or a reference.

/** The fields of the form, with what the address says. */
export const filterFields = (query: URLSearchParams): Field[] => [
  {
    name: 'state',
    label: 'State',
    kind: 'select',
    value: query.get('state'),
    options: [['', 'any'], ...PAYMENT_STATE_NAMES.map((name) => [name, name] as const)],
  },
  { name: 'partner', label: 'Partner’s id', value: query.get('partner') },
  { name: 'since', label: 'From (UTC)', kind: 'datetime-local', value: query.get('since') },
  { name: 'until', label: 'Before (UTC)', kind: 'datetime-local', value: query.get('until') },
  {
    name: 'told',
    label: 'Outcome',
    kind: 'select',
    value: query.get('told'),
    options: [
      ['', 'any'],
      ['no', 'its partner has not got it'],
    ],
  },
  {
    name: 'test',
    label: 'Payments',
    kind: 'select',
    value: query.get('test'),
    options: [
      ['', 'real ones'],
      ['on', 'test payments'],
    ],
  },
  { name: 'payer_of', label: 'Payer of payment', value: query.get('payer_of') },
  { name: 'reference_of', label: 'Reference of payment', value: query.get('reference_of') },
]

/** What the address asks for, as much as `page` says of it. Throws `Refusal` that names the field. */
export const readPaymentFilter = (
  query: URLSearchParams,
  page: { pageSize: number; before?: bigint | undefined },
): MessageInitShape<typeof FindPaymentsRequestSchema> => {
  const state = query.get('state') ?? ''
  const known = state === '' ? undefined : parsePaymentState(state)
  if (known === null) throw wrong('state', `State must be one of ${PAYMENT_STATE_NAMES.join(', ')}.`)
  const [createdFrom, createdTo] = [readInstant(query, 'since'), readInstant(query, 'until')]
  return {
    query: {
      state: known,
      partnerId: readOptionalId(query, 'partner', 'Partner’s id'),
      ...(createdFrom !== undefined && { createdFrom }),
      ...(createdTo !== undefined && { createdTo }),
      undeliveredOnly: query.get('told') === 'no',
      test: query.get('test') === 'on',
      pageSize: page.pageSize,
      before: page.before ?? readOptionalId(query, 'before', 'The page'),
    },
    samePayerAs: readOptionalId(query, 'payer_of', 'Payer of payment'),
    sameReferenceAs: readOptionalId(query, 'reference_of', 'Reference of payment'),
  }
}

const readOptionalId = (query: URLSearchParams, name: string, label: string): bigint | undefined => {
  const text = (query.get(name) ?? '').trim()
  if (text === '') return undefined
  const id = parseId(text)
  if (id === null) throw wrong(name, `${label} must be an id, a positive whole number.`)
  return id
}

const INSTANT = /^\d{4}-\d\d-\d\d(?:T\d\d:\d\d(?::\d\d)?)?$/

const readInstant = (query: URLSearchParams, name: 'since' | 'until') => {
  const text = (query.get(name) ?? '').trim()
  if (text === '') return undefined
  const instant = new Date(text.includes('T') ? `${text}Z` : text)
  if (!INSTANT.test(text) || Number.isNaN(instant.getTime()))
    throw wrong(name, 'A time must be like 2026-05-04T18:00, in UTC.')
  return timestampFromDate(instant)
}

const wrong = (field: string, sentence: string): Refusal => new Refusal('wrong_field', sentence, { field })

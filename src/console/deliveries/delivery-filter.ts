import type { MessageInitShape } from '@bufbuild/protobuf'
import { timestampFromDate } from '@bufbuild/protobuf/wkt'
import type { DeliveryFilterSchema } from '../../gen/mpesa/gateway/v1/deliveries_pb.js'
import { ERROR_CLASSES } from '../../values/error-class.ts'
import type { Field } from '../page/form.ts'
import { Refusal } from '../refusal.ts'
import { STATE_NAMES, STATES, type StateName } from './delivery-words.ts'

/** Which deliveries an address is about. */
export type Filter = MessageInitShape<typeof DeliveryFilterSchema>

/** The names of a filter in an address, and in a form that carries one. */
export const FILTER_NAMES = ['state', 'partner', 'host', 'error', 'from', 'until', 'test'] as const

/** Reads the filter of an address. Throws `Refusal` for what cannot be meant; the rest the method judges. */
export const readFilter = (query: URLSearchParams): Filter => {
  const state = readState(query)
  const partnerId = readPartner(query)
  const [from, until] = [readInstant(query, 'from'), readInstant(query, 'until')]
  return {
    ...(state !== null && { state: STATES[state] }),
    ...(partnerId !== null && { partnerId }),
    ...(textOf(query, 'host') !== '' && { host: textOf(query, 'host') }),
    ...(textOf(query, 'error') !== '' && { errorClass: textOf(query, 'error') }),
    ...(from !== null && { createdSince: timestampFromDate(from) }),
    ...(until !== null && { createdUntil: timestampFromDate(until) }),
    test: query.get('test') === 'yes',
  }
}

export const textOf = (query: URLSearchParams, name: string): string => (query.get(name) ?? '').trim()

export const readState = (query: URLSearchParams): StateName | null => {
  const text = textOf(query, 'state')
  if (text === '') return null
  const name = STATE_NAMES.find((one) => one === text)
  if (name === undefined) throw wrong('state', `must be ${STATE_NAMES.join(', ')}`)
  return name
}

export const readPartner = (query: URLSearchParams): bigint | null => {
  const text = textOf(query, 'partner')
  if (text === '') return null
  if (!/^[1-9]\d{0,17}$/.test(text)) throw wrong('partner', 'must be the number of a partner, like 7')
  return BigInt(text)
}

/** `2026-05-04T18:00`, in UTC. */
const readInstant = (query: URLSearchParams, name: 'from' | 'until'): Date | null => {
  const text = textOf(query, name)
  if (text === '') return null
  const isInstant = /^\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d(\.\d{1,3})?)?)?Z?$/.test(text)
  const instant = new Date(text.endsWith('Z') || !text.includes('T') ? text : `${text}Z`)
  if (!isInstant || Number.isNaN(instant.getTime()))
    throw wrong(name, 'must be a time in UTC, like 2026-05-04T18:00')
  return instant
}

const wrong = (field: string, problem: string): Refusal =>
  new Refusal('wrong_field', `${field} ${problem}`, { field })

/** The filter alone, as it stands in an address: without cursors and what else is there. */
export const filterOf = (query: URLSearchParams): URLSearchParams => {
  const filter = new URLSearchParams()
  for (const name of FILTER_NAMES) {
    const text = textOf(query, name)
    if (text !== '') filter.set(name, text)
  }
  return filter
}

/** The fields of the filter, with what it is now. */
export const filterFields = (query: URLSearchParams): Field[] => [
  {
    kind: 'select',
    name: 'state',
    label: 'State',
    value: query.get('state'),
    options: [['', 'any'], ...STATE_NAMES.map((name) => [name, name] as const)],
  },
  { kind: 'search', name: 'partner', label: 'Partner', value: query.get('partner') },
  { kind: 'search', name: 'host', label: 'Host', value: query.get('host') },
  {
    kind: 'select',
    name: 'error',
    label: 'Failed by',
    value: query.get('error'),
    options: [['', 'anything'], ...ERROR_CLASSES.map((name) => [name, name] as const)],
  },
  { kind: 'datetime-local', name: 'from', label: 'Outcome from (UTC)', value: localOf(query.get('from')) },
  { kind: 'datetime-local', name: 'until', label: 'Until (UTC)', value: localOf(query.get('until')) },
  {
    kind: 'select',
    name: 'test',
    label: 'Payments',
    value: query.get('test'),
    options: [
      ['', 'real'],
      ['yes', 'test'],
    ],
  },
]

/** As the control of a browser takes it. */
const localOf = (text: string | null): string | null => text?.replace('Z', '') ?? null

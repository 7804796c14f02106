import {
  type DescEnum,
  type DescField,
  type DescMessage,
  isMessage,
  type MessageShape,
} from '@bufbuild/protobuf'
import { TimestampSchema, timestampDate } from '@bufbuild/protobuf/wkt'

// What the services answer with is shown by the fields of the message: under their names and in their order, by commands
// and by the console alike.

/** What is shown of one thing: values by their names. */
export type Row = Readonly<Record<string, unknown>>

/** What fits on a screen, of messages that are listed with less than they have. */
export const COLUMNS = {
  partner: ['partner_id', 'name', 'created_at', 'disabled_at', 'keys'],
  delivery: [
    'delivery_id',
    'payment_id',
    'partner_id',
    'host',
    'state',
    'attempts',
    'error_class',
    'status',
    'created_at',
    'next_attempt_at',
  ],
} as const

/** What is real, as nearly everything is, is not said to be so; nor is what was counted to the end. */
const shownIfTrue =
  (name: string) =>
  (value: unknown): Row =>
    value === true ? { [name]: value } : {}

/** Where what is shown differs from the message: by message and field, what is shown in the place of the field. */
const DIFFERENT: Readonly<Record<string, (value: unknown) => Row>> = {
  'ApiKey.partner_id': () => ({}),
  'ApiKey.display_prefix': (prefix) => ({ key: `${String(prefix)}…` }),
  'Token.display_prefix': (prefix) => ({ token: `${String(prefix)}…` }),
  'Account.transaction_type': (type) => ({
    transaction_type: type === 'till' ? 'CustomerBuyGoodsOnline' : 'CustomerPayBillOnline',
  }),
  'ApiKey.test': shownIfTrue('test'),
  'Delivery.test': shownIfTrue('test'),
  'Endpoint.test': shownIfTrue('test'),
  'Endpoint.pending_or_more': shownIfTrue('pending_or_more'),
  'Endpoint.held_or_more': shownIfTrue('held_or_more'),
  'Endpoint.dead_or_more': shownIfTrue('dead_or_more'),
  'Delivery.under_way': (isUnderWay) => ({ is_under_way: isUnderWay }),
  'Delivery.callback_url': (url) => (url === null ? {} : { callback_url: url }),
  'Partner.settings': (settings) => ({ ...Object(settings) }),
  'Partner.key_prefixes': (prefixes) => ({ keys: prefixes }),
  'PartnerSettings.callback_hosts': (hosts) => ({
    callback_hosts: Array.isArray(hosts) && hosts.length > 0 ? hosts : null,
  }),
}

/** A delivery's row with what a person reads in the place of its next attempt while it is held. */
export const withHeldUntil = (row: Row): Row => {
  const { held_because: why, held_until: until } = row
  if (typeof why !== 'string') return row
  const isAhead = until instanceof Date && until.getTime() > Date.now()
  return { ...row, next_attempt_at: isAhead ? `held until ${until.toISOString()}` : `held: endpoint ${why}` }
}

/** An endpoint's row with what a person reads where there are more deliveries than were counted. */
export const withOrMore = ({ pending_or_more, held_or_more, dead_or_more, ...row }: Row): Row => ({
  ...row,
  ...(pending_or_more === true && { pending: `${String(row['pending'])} or more` }),
  ...(held_or_more === true && { held: `${String(row['held'])} or more` }),
  ...(dead_or_more === true && { dead: `${String(row['dead'])} or more` }),
})

/** A message as it is shown; what is unset is null. */
export const toRow = <Schema extends DescMessage>(schema: Schema, message: MessageShape<Schema>): Row =>
  Object.fromEntries(
    schema.fields.flatMap((field) => {
      const value = toValue(field, Reflect.get(message, field.localName))
      return Object.entries(DIFFERENT[`${schema.name}.${field.name}`]?.(value) ?? { [field.name]: value })
    }),
  )

const toValue = (field: DescField, value: unknown): unknown => {
  if (value === undefined) return null
  if (isMessage(value, TimestampSchema)) return timestampDate(value)
  if (field.fieldKind === 'enum') return nameOf(field.enum, Number(value))
  if (field.fieldKind === 'message' && isMessage(value, field.message)) return toRow(field.message, value)
  return value
}

/** The name of a value of an enum as commands have it: `half_open` for `ENDPOINT_STATE_HALF_OPEN`. */
const nameOf = (schema: DescEnum, value: number): string =>
  schema.value[value]?.localName.toLowerCase() ?? String(value)

import type { InsertType, SelectType } from 'kysely'
import type { DeliveryStateName } from './deliveries.ts'
import type { EndpointStateName } from './endpoints.ts'
import type { PaymentStateName } from './payments.ts'

/** The enums of the database. */
export type Enums = {
  payment_state: PaymentStateName
  delivery_state: DeliveryStateName
  endpoint_state: EndpointStateName
}

/** What a value of each type of Postgres is in the code. */
export type PostgresTypes = Enums & {
  int8: bigint
  int4: number
  float4: number
  float8: number
  text: string
  uuid: string
  bool: boolean
  timestamptz: Date
  date: Date
  bytea: Buffer
  _text: string[]
  xid: string
}

export type PostgresType = keyof PostgresTypes

/** Which labels each enum has, and no others. */
export type EnumLabels = { [Name in keyof Enums]: Record<Enums[Name], number> }

/**
 * What the database must be like for tables of these types: for each column its type, then ` null` where it may be
 * null, and ` default` where an insert may leave it out; of one that every insert names, or none, a default is not
 * asked.
 */
export type ColumnsOf<Tables> = {
  [Table in keyof Tables]: { [Column in keyof Tables[Table]]: Described<Tables[Table][Column]> }
}

type Described<Column> =
  `${NameOf<NonNullable<SelectType<Column>>>}${null extends SelectType<Column> ? ' null' : ''}${DefaultOf<Column>}`

type DefaultOf<Column> = undefined extends InsertType<Column> ? ' default' : '' | ' default'

type NameOf<Value> = [Value] extends [string]
  ? [EnumOf<Value>] extends [never]
    ? 'text' | 'uuid'
    : EnumOf<Value>
  : [Value] extends [PostgresTypes[PostgresType]]
    ? { [Type in PostgresType]: [Value] extends [PostgresTypes[Type]] ? Type : never }[PostgresType]
    : 'json' | 'jsonb'

/** The enum that has exactly these labels. */
type EnumOf<Value> = {
  [Name in keyof Enums]: [Value, Enums[Name]] extends [Enums[Name], Value] ? Name : never
}[keyof Enums]

import { type RawBuilder, sql } from 'kysely'
import { isOfPartner } from '../../database/expressions.ts'
import type { PaymentStateName } from '../../database/schema/payments.ts'
import type { Msisdn } from '../../values/msisdn.ts'
import type { Receipt } from '../../values/receipt.ts'
import type { Reference } from '../../values/reference.ts'
import type { Owner } from './find.ts'

/** What payments are looked for, all of it at once; null: whatever it is. */
export type PaymentFilter = {
  state: PaymentStateName | null
  reference: Reference | null
  msisdn: Msisdn | null
  receipt: Receipt | null
  /** Of the idempotency key that it was requested with. */
  keyHash: Buffer | null
  /** From this instant on. */
  createdFrom: Date | null
  /** Before this instant. */
  createdTo: Date | null
  /** Only those with an outcome that their partner has not got: to be delivered, held, dead or cancelled. */
  undeliveredOnly: boolean
}

export const NO_FILTER: PaymentFilter = {
  state: null,
  reference: null,
  msisdn: null,
  receipt: null,
  keyHash: null,
  createdFrom: null,
  createdTo: null,
  undeliveredOnly: false,
}

/** What is asked for of a list: at most `limit`, with ids below `before` (null: the newest). */
export type Page = { owner: Owner; filter: PaymentFilter; limit: number; before: bigint | null }

/** Above every id. */
export const NO_ID_YET = 2n ** 63n - 1n

/** Whose rows are meant, where they say `partner_id`. */
export const ownedBy = (owner: Owner): RawBuilder<unknown> => {
  if (typeof owner !== 'string') return isOfPartner(owner.partnerId, sql`partner_id`)
  return owner === 'anybody' ? sql`partner_id > 0` : sql`partner_id < 0`
}

/** The id under which each of `partners` has the payments that are meant. */
export const idOfEach = (owner: Extract<Owner, string>): RawBuilder<unknown> =>
  owner === 'anybody' ? sql`partners.id` : sql`-partners.id`

/** The indexes are in the order of bytes. */
export const MSISDN = sql`payments.msisdn COLLATE "C"`
export const REFERENCE = sql`payments.reference COLLATE "C"`

/** Whether a payment fits the filter, but for what leads to few. */
export const fits = ({
  state,
  reference,
  msisdn,
  createdFrom,
  createdTo,
}: PaymentFilter): RawBuilder<unknown> => {
  const conditions = [
    state !== null && sql`payments.state = ${state}`,
    reference !== null && sql`${REFERENCE} = ${reference}`,
    msisdn !== null && sql`${MSISDN} = ${msisdn}`,
    createdFrom !== null && sql`payments.created_at >= ${createdFrom}`,
    createdTo !== null && sql`payments.created_at < ${createdTo}`,
  ].filter((condition) => condition !== false)
  return conditions.length === 0 ? sql`true` : sql.join(conditions, sql` AND `)
}

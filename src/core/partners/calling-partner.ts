import { sql } from 'kysely'
import type { RowOf } from '../../database/schema/schema.ts'
import { testIdOf } from '../../values/test-partner.ts'

/** What operators set for a partner; null: nothing in particular. */
export type PartnerSettings = {
  /** Where its outcomes may be delivered: hosts, or `*.` and a name for every host below it. */
  callbackHosts: readonly string[] | null
  /** To all replicas together. */
  requestsPerSecond: number | null
  /** The largest payment it may ask for. */
  maxPaymentKes: number | null
  /** What it may ask for in a day of Nairobi. */
  maxDailyKes: number | null
}

/**
 * A partner that may ask, within which bounds, and through which account of Daraja. One that calls with a test key has
 * the id of its test payments, and their account.
 */
export type CallingPartner = PartnerSettings & { partnerId: bigint; accountId: bigint }

/** The account that new payments of the row of `partners` go through: 0 is the default one. */
export const currentAccountId = sql<bigint>`coalesce((
  SELECT accounts.id FROM partner_accounts accounts WHERE accounts.partner_id = partners.id AND accounts.ended_at IS NULL
), 0)`.as('account_id')

/** The columns of `partners` that hold what operators set. */
export const SETTINGS_COLUMNS = [
  'callback_hosts',
  'requests_per_second',
  'max_payment_kes',
  'max_daily_kes',
] as const

export type PartnerSettingsRow = RowOf<'partners', (typeof SETTINGS_COLUMNS)[number]>

export const toPartnerSettings = (row: PartnerSettingsRow): PartnerSettings => ({
  callbackHosts: row.callback_hosts,
  requestsPerSecond: row.requests_per_second,
  maxPaymentKes: row.max_payment_kes,
  maxDailyKes: row.max_daily_kes === null ? null : Number(row.max_daily_kes),
})

export const toCallingPartner = (
  row: PartnerSettingsRow & { id: bigint; account_id: bigint },
  { isTest }: { isTest: boolean },
): CallingPartner => ({
  partnerId: isTest ? testIdOf(row.id) : row.id,
  accountId: isTest ? testIdOf(row.id) : row.account_id,
  ...toPartnerSettings(row),
})

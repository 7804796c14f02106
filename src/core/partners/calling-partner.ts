import type { RowOf } from '../../database/schema/schema.ts'

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

/** A partner that may ask, and within which bounds. */
export type CallingPartner = PartnerSettings & { partnerId: bigint }

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

export const toCallingPartner = (row: PartnerSettingsRow & { id: bigint }): CallingPartner => ({
  partnerId: row.id,
  ...toPartnerSettings(row),
})

import type { PartnerId } from '../../values/ids.ts'

/** What operators set for a partner; null: nothing in particular. */
export type PartnerSettings = {
  /** Where its outcomes may be told: hosts, or `*.` and a name for every host below it. */
  callbackHosts: readonly string[] | null
  /** To all replicas together. */
  requestsPerSecond: number | null
  /** The largest payment it may ask for. */
  maxPaymentKes: number | null
  /** What it may ask for in a day of Nairobi. */
  maxDailyKes: number | null
}

/** A partner that may ask, and within which bounds. */
export type CallingPartner = PartnerSettings & { partnerId: PartnerId }

/** The columns of `partners` that hold what operators set. */
export type PartnerSettingsRow = {
  callback_hosts: string[] | null
  requests_per_second: number | null
  max_payment_kes: number | null
  max_daily_kes: bigint | null
}

export const toPartnerSettings = (row: PartnerSettingsRow): PartnerSettings => ({
  callbackHosts: row.callback_hosts,
  requestsPerSecond: row.requests_per_second,
  maxPaymentKes: row.max_payment_kes,
  maxDailyKes: row.max_daily_kes === null ? null : Number(row.max_daily_kes),
})

export const toCallingPartner = (row: PartnerSettingsRow & { id: PartnerId }): CallingPartner => ({
  partnerId: row.id,
  ...toPartnerSettings(row),
})

import type { MessageInitShape } from '@bufbuild/protobuf'
import { timestampFromDate } from '@bufbuild/protobuf/wkt'
import type {
  ApiKeySchema,
  PartnerSchema,
  PartnerSettings as PartnerSettingsMessage,
} from '../../gen/mpesa/gateway/v1/partners_pb.js'
import { parseName } from '../../values/name.ts'
import type { Parsed } from '../../values/parsed.ts'
import type { ApiKey } from '../partners/api-key.ts'
import type { PartnerSettings } from '../partners/calling-partner.ts'
import {
  parseCallbackHosts,
  parseMaxDailyKes,
  parseMaxPaymentKes,
  parseRequestsPerSecond,
} from '../partners/parse-settings.ts'
import type { Partner } from '../partners/partner.ts'
import { toTimestamp } from './message-fields.ts'
import { wrongField } from './refused.ts'

/** A partner as the services return it. */
export const toPartnerMessage = (partner: Partner): MessageInitShape<typeof PartnerSchema> => ({
  partnerId: partner.id,
  name: partner.name,
  createdAt: timestampFromDate(partner.createdAt),
  disabledAt: toTimestamp(partner.disabledAt),
  settings: {
    callbackHosts: [...(partner.settings.callbackHosts ?? [])],
    requestsPerSecond: partner.settings.requestsPerSecond ?? undefined,
    maxPaymentKes: partner.settings.maxPaymentKes ?? undefined,
    maxDailyKes: partner.settings.maxDailyKes === null ? undefined : BigInt(partner.settings.maxDailyKes),
  },
  keyPrefixes: partner.keyPrefixes,
})

/** A key as the services return it. */
export const toKeyMessage = (key: ApiKey): MessageInitShape<typeof ApiKeySchema> => ({
  keyId: key.keyId,
  partnerId: key.partnerId,
  name: key.name,
  displayPrefix: key.displayPrefix,
  test: key.isTest,
  createdAt: timestampFromDate(key.createdAt),
  lastUsedAt: toTimestamp(key.lastUsedAt),
  expiresAt: toTimestamp(key.expiresAt),
  revokedAt: toTimestamp(key.revokedAt),
})

/** Reads what a partner or a key is called. */
export const readName = (text: string): string => {
  const name = parseName(text)
  if (!name.ok) throw wrongField('name', name.problem)
  return name.value
}

/** Reads settings that a service sent. Throws `Refused` for the first that is wrong. */
export const readSettings = (given: PartnerSettingsMessage | undefined): PartnerSettings => {
  if (given === undefined) throw wrongField('settings', 'is required')
  const { callbackHosts, requestsPerSecond, maxPaymentKes, maxDailyKes } = given
  return {
    callbackHosts:
      callbackHosts.length === 0 ? null : take('callback_hosts', parseCallbackHosts(callbackHosts)),
    requestsPerSecond: optional('requests_per_second', requestsPerSecond, parseRequestsPerSecond),
    maxPaymentKes: optional('max_payment_kes', maxPaymentKes, parseMaxPaymentKes),
    maxDailyKes: optional('max_daily_kes', maxDailyKes, (kes) => parseMaxDailyKes(Number(kes))),
  }
}

const optional = <Given>(
  field: string,
  given: Given | undefined,
  parse: (given: Given) => Parsed<number>,
): number | null => (given === undefined ? null : take(field, parse(given)))

const take = <Value>(field: string, parsed: Parsed<Value>): Value => {
  if (!parsed.ok) throw wrongField(`settings.${field}`, parsed.problem)
  return parsed.value
}

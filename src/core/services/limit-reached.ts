import { Code, ConnectError } from '@connectrpc/connect'
import type { CallingPartner } from '../partners/calling-partner.ts'
import type { LimitReached } from '../request/payer-limits.ts'

/** RESOURCE_EXHAUSTED with `retry-after` (seconds), which says which limit was reached. */
export const limitReached = (reached: LimitReached, partner: CallingPartner): ConnectError =>
  exhausted(`${reasonOf(reached, partner)}: ask again in ${reached.waitSeconds} s`, reached.waitSeconds)

const reasonOf = ({ reason }: LimitReached, partner: CallingPartner): string => {
  switch (reason) {
    case 'payer_open':
      return 'a payment of yours is still open for this payer'
    case 'payer_hourly':
      return 'this payer was asked as often within an hour as you may ask one'
    case 'partner_daily':
      return `more than ${partner.maxDailyKes ?? 0} KES a day is above your limit`
    default:
      return reason satisfies never
  }
}

/** The same for a partner that asks too often. */
export const tooOften = (perSecond: number, waitSeconds: number): ConnectError =>
  exhausted(
    `you may ask ${perSecond === 1 ? 'once' : `${perSecond} times`} a second: ask again in ${waitSeconds} s, with the same idempotency key if the request had one`,
    waitSeconds,
  )

const exhausted = (message: string, waitSeconds: number): ConnectError =>
  new ConnectError(message, Code.ResourceExhausted, { 'retry-after': String(waitSeconds) })

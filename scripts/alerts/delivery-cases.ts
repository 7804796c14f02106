import type { AlertCase } from './test-group.ts'

const DISPATCH = 'job="gateway-dispatch",instance="c:8082"'
const OTHER = 'job="gateway-dispatch",instance="d:8082"'
const SERVE = 'job="gateway-serve",instance="a:8081"'
const CONSOLE = 'job="gateway-console",instance="e:8084"'
const SHOP = { partner_id: '7', partner: 'Duka la Wanjiku', host: 'shop.co.ke' }
const AT_SHOP = Object.entries(SHOP)
  .map(([name, value]) => `${name}="${value}"`)
  .join(',')

/** Of deliveries, the queue, and who is let in. */
export const DELIVERY_CASES: readonly AlertCase[] = [
  {
    alert: 'GatewayDeliveriesLate',
    series: { [`gateway_oldest_overdue_delivery_age_seconds{${DISPATCH}}`]: '0x2 60+60x9 0x9' },
    silentAt: '8m',
    firesAt: '10m',
    says: [
      {
        summary:
          'A delivery has been due for 8m 0s and nothing holds it: the dispatchers are too few, or too slow.',
      },
    ],
    clearsAt: '13m',
  },
  {
    alert: 'GatewayDeliveriesHeld',
    series: {
      [`gateway_endpoint_held_age_seconds{${DISPATCH},${AT_SHOP},reason="down"}`]: '3480+60x20 stale',
      [`gateway_endpoint_held_age_seconds{${OTHER},${AT_SHOP},reason="down"}`]: '3480+60x20 stale',
      [`gateway_endpoint_held_age_seconds{${DISPATCH},${AT_SHOP.replace('shop', 'paused')},reason="paused"}`]:
        '7200x60',
    },
    silentAt: '3m',
    firesAt: '5m',
    says: [
      {
        labels: { ...SHOP, reason: 'down' },
        summary: 'Duka la Wanjiku (partner 7) has heard nothing at shop.co.ke for 1h 3m 0s: down.',
      },
    ],
    clearsAt: '22m',
  },
  {
    alert: 'GatewayEndpointDown',
    series: { [`gateway_endpoint_held_age_seconds{${DISPATCH},${AT_SHOP},reason="down"}`]: '540+60x9 stale' },
    silentAt: '1m',
    firesAt: '3m',
    says: [
      {
        labels: SHOP,
        summary:
          'The endpoint shop.co.ke of Duka la Wanjiku (partner 7) is down: what is for it has waited for 12m 0s.',
      },
    ],
    clearsAt: '11m',
  },
  {
    alert: 'GatewayEndpointPausedLong',
    series: {
      [`gateway_endpoint_held_age_seconds{${DISPATCH},${AT_SHOP},reason="paused"}`]: '86340+60x9 stale',
    },
    silentAt: '1m',
    firesAt: '2m',
    says: [
      {
        labels: SHOP,
        summary:
          'The endpoint shop.co.ke of Duka la Wanjiku (partner 7) is paused, and deliveries have waited for 1d 0h 1m 0s: was it forgotten?',
      },
    ],
    clearsAt: '11m',
  },
  {
    alert: 'GatewayDeliveriesDead',
    series: { [`gateway_delivery_signals_total{${DISPATCH},signal="dead"}`]: '0x5 12x30' },
    silentAt: '5m',
    firesAt: '6m',
    says: [{ summary: '12 deliveries became dead in 15 minutes: their partners are not told any more.' }],
    clearsAt: '22m',
  },
  {
    alert: 'GatewayCertificatesRefused',
    series: {
      [`gateway_delivery_attempts_total{${DISPATCH},outcome="retry",error_class="tls"}`]: '0x5 5x30',
      [`gateway_delivery_attempts_total{${DISPATCH},outcome="retry",error_class="status"}`]: '0+9x60',
    },
    silentAt: '5m',
    firesAt: '6m',
    says: [{ summary: '5 attempts failed in 15 minutes at the certificate of an endpoint: has it expired?' }],
    clearsAt: '22m',
  },
  {
    alert: 'GatewayNamesNotFound',
    series: {
      [`gateway_delivery_attempts_total{${DISPATCH},outcome="retry",error_class="dns"}`]: '0x10 0+9x10 90x30',
      [`gateway_delivery_attempts_total{${DISPATCH},outcome="delivered",error_class="none"}`]:
        '0+9x10 90x10 90+9x30',
    },
    silentAt: '10m',
    firesAt: '20m',
    says: [
      {
        summary:
          '81 attempts in ten minutes found no address, more than half of all: our name servers do not answer.',
      },
    ],
    clearsAt: '30m',
  },
  {
    alert: 'GatewayQueueAway',
    series: { [`gateway_queue_up{${DISPATCH}}`]: '1 0x14 1x9', [`gateway_queue_up{${SERVE}}`]: '1x30' },
    silentAt: '10m',
    firesAt: '12m',
    says: [
      {
        labels: { job: 'gateway-dispatch' },
        summary:
          '1 of the gateway-dispatch processes have had no NATS for ten minutes: deliveries go out from Postgres, a little later.',
      },
    ],
    clearsAt: '16m',
  },
  {
    alert: 'GatewayQueueFills',
    series: {
      [`gateway_queue_messages{${DISPATCH}}`]: '0x2 300000x12 0x9',
      [`gateway_queue_max_messages{${DISPATCH}}`]: '500000x30',
    },
    silentAt: '7m',
    firesAt: '8m',
    says: [{ summary: 'The stream of NATS is 60% full of messages that no dispatcher has dealt with.' }],
    clearsAt: '16m',
  },
  {
    alert: 'GatewayRevokedKeyUsed',
    series: {
      [`gateway_callers_refused_total{${SERVE},reason="api_key_revoked"}`]: '0x5 3x30',
      [`gateway_callers_refused_total{${SERVE},reason="api_key_unknown"}`]: '0x5 90x30',
    },
    silentAt: '5m',
    firesAt: '6m',
    says: [
      {
        labels: { reason: 'api_key_revoked' },
        summary:
          '3 callers were refused in 15 minutes with api_key_revoked: somebody still has what was revoked.',
      },
    ],
    clearsAt: '22m',
  },
  {
    alert: 'GatewayKeysGuessed',
    series: {
      [`gateway_callers_refused_total{${SERVE},reason="api_key_unknown"}`]: '0x5 150x30',
      [`gateway_callers_refused_total{${SERVE},reason="too_many_wrong_credentials"}`]: '0x5 250x30',
    },
    silentAt: '5m',
    firesAt: '6m',
    says: [
      {
        summary:
          '400 callers showed keys or tokens in ten minutes that nobody was ever given: somebody guesses.',
      },
    ],
    clearsAt: '17m',
  },
  {
    // People who mistype in the morning are fewer, and those who came in do not count.
    alert: 'GatewaySignInsWrong',
    series: {
      [`gateway_console_sign_ins_total{${CONSOLE},outcome="wrong"}`]: '0x5 9x10 18x40',
      [`gateway_console_sign_ins_total{${CONSOLE},outcome="held_off"}`]: '0x15 21x40',
      [`gateway_console_sign_ins_total{${CONSOLE},outcome="right"}`]: '0+9x60',
    },
    silentAt: '10m',
    firesAt: '17m',
    says: [
      {
        summary:
          '39 attempts to sign in to the console were wrong or had to wait in 15 minutes: somebody guesses.',
      },
    ],
    clearsAt: '32m',
  },
]

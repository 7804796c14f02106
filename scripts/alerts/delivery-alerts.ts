import { type Alert, COUNT, DURATION } from './alert.ts'

/** What is told of deliveries, the queue, and who is let in. */

const ENDPOINT = '{{ $labels.partner }} (partner {{ $labels.partner_id }})'

export const DELIVERY_ALERTS: readonly Alert[] = [
  {
    name: 'GatewayDeliveriesLate',
    page: 'deliveries',
    severity: 'page',
    expr: 'max(gateway_oldest_overdue_delivery_age_seconds) > 300',
    for: '1m',
    summary: `A delivery has been due for ${DURATION} and nothing holds it: the dispatchers are too few, or too slow.`,
    console: '/deliveries',
  },
  {
    name: 'GatewayDeliveriesHeld',
    page: 'deliveries',
    severity: 'page',
    expr: 'max by (partner_id, partner, host, reason) (gateway_endpoint_held_age_seconds{reason!="paused"}) > 3600',
    for: '1m',
    summary: `${ENDPOINT} has heard nothing at {{ $labels.host }} for ${DURATION}: {{ $labels.reason }}.`,
    console: '/deliveries/endpoints',
  },
  {
    name: 'GatewayEndpointDown',
    page: 'deliveries',
    severity: 'ticket',
    expr: 'max by (partner_id, partner, host) (gateway_endpoint_held_age_seconds{reason=~"down|probing"}) > 600',
    for: '0m',
    summary: `The endpoint {{ $labels.host }} of ${ENDPOINT} is down: what is for it has waited for ${DURATION}.`,
    console: '/deliveries/endpoints',
  },
  {
    name: 'GatewayEndpointPausedLong',
    page: 'deliveries',
    severity: 'ticket',
    expr: 'max by (partner_id, partner, host) (gateway_endpoint_held_age_seconds{reason="paused"}) > 86400',
    for: '0m',
    summary: `The endpoint {{ $labels.host }} of ${ENDPOINT} is paused, and deliveries have waited for ${DURATION}: was it forgotten?`,
    console: '/deliveries/endpoints',
  },
  {
    name: 'GatewayDeliveriesDead',
    page: 'deliveries',
    severity: 'ticket',
    expr: 'sum(increase(gateway_delivery_signals_total{signal="dead"}[15m])) > 0',
    for: '0m',
    summary: `${COUNT} deliveries became dead in 15 minutes: their partners are not told any more.`,
    console: '/deliveries',
  },
  {
    name: 'GatewayCertificatesRefused',
    page: 'deliveries',
    severity: 'ticket',
    expr: 'sum(increase(gateway_delivery_attempts_total{outcome="retry",error_class="tls"}[15m])) > 3',
    for: '0m',
    summary: `${COUNT} attempts failed in 15 minutes at the certificate of an endpoint: has it expired?`,
    console: '/deliveries/endpoints',
  },
  {
    name: 'GatewayNamesNotFound',
    page: 'deliveries',
    severity: 'page',
    expr:
      'sum(increase(gateway_delivery_attempts_total{outcome="retry",error_class="dns"}[10m])) >= 10 and ' +
      'sum(increase(gateway_delivery_attempts_total{outcome="retry",error_class="dns"}[10m])) > 0.5 * sum(increase(gateway_delivery_attempts_total[10m]))',
    for: '0m',
    summary: `${COUNT} attempts in ten minutes found no address, more than half of all: our name servers do not answer.`,
    console: '/deliveries/endpoints',
  },
]

export const QUEUE_ALERTS: readonly Alert[] = [
  {
    name: 'GatewayQueueAway',
    page: 'queue',
    severity: 'ticket',
    expr: 'count by (job) (gateway_queue_up == 0)',
    for: '10m',
    summary:
      '{{ $value }} of the {{ $labels.job }} processes have had no NATS for ten minutes: deliveries go out from Postgres, a little later.',
    console: '/',
  },
  {
    name: 'GatewayQueueFills',
    page: 'queue',
    severity: 'ticket',
    expr: 'max(gateway_queue_messages) / max(gateway_queue_max_messages) > 0.5',
    for: '5m',
    summary:
      'The stream of NATS is {{ $value | humanizePercentage }} full of messages that no dispatcher has dealt with.',
    console: '/deliveries',
  },
]

export const ACCESS_ALERTS: readonly Alert[] = [
  {
    name: 'GatewayRevokedKeyUsed',
    page: 'access',
    severity: 'ticket',
    expr: 'sum by (reason) (increase(gateway_callers_refused_total{reason=~"api_key_revoked|token_revoked"}[15m])) > 0',
    for: '0m',
    summary: `${COUNT} callers were refused in 15 minutes with {{ $labels.reason }}: somebody still has what was revoked.`,
    console: '/partners',
  },
  {
    name: 'GatewayKeysGuessed',
    page: 'access',
    severity: 'ticket',
    expr: 'sum(increase(gateway_callers_refused_total{reason=~"api_key_unknown|token_unknown|too_many_wrong_credentials"}[10m])) > 100',
    for: '0m',
    summary: `${COUNT} callers showed keys or tokens in ten minutes that nobody was ever given: somebody guesses.`,
    console: '/partners',
  },
  {
    name: 'GatewaySignInsWrong',
    page: 'access',
    severity: 'ticket',
    // Those that had to wait are guesses too: a guesser who does not wait is seldom looked at.
    expr: 'sum(increase(gateway_console_sign_ins_total{outcome=~"wrong|held_off"}[15m])) > 20',
    for: '0m',
    summary: `${COUNT} attempts to sign in to the console were wrong or had to wait in 15 minutes: somebody guesses.`,
    console: '/operators',
  },
]

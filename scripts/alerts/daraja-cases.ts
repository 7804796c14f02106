import type { AlertCase } from './test-group.ts'

const SERVE = 'job="gateway-serve",instance="a:8081"'
const OTHER = 'job="gateway-serve",instance="b:8081"'

/** Of Daraja and payments. */
export const DARAJA_CASES: readonly AlertCase[] = [
  {
    alert: 'GatewayDarajaHoldsOff',
    series: {
      [`gateway_daraja_holds_total{${SERVE}}`]: '0x9 1x1 2x1 3x20',
      [`gateway_daraja_holds_total{${OTHER}}`]: '0x10 1x30',
    },
    silentAt: '10m',
    firesAt: '14m',
    says: [
      { summary: 'Daraja held us off 4 times in five minutes: payers are prompted late, or not at all.' },
    ],
    clearsAt: '20m',
  },
  {
    alert: 'GatewayPushesLate',
    series: {
      [`gateway_oldest_due_duty_age_seconds{${SERVE},duty="submit"}`]: '0x2 90+60x5 0x9',
      // To ask late for an outcome is no alert: it is not due to anybody.
      [`gateway_oldest_due_duty_age_seconds{${SERVE},duty="query"}`]: '900x30',
    },
    silentAt: '3m',
    firesAt: '5m',
    says: [{ summary: 'A payment has waited for 3m 30s to be pushed: its payer is not prompted.' }],
    clearsAt: '9m',
  },
  {
    alert: 'GatewayPushesRefused',
    series: {
      [`gateway_pushes_total{${SERVE},outcome="refused"}`]: '0x10 0+3x5 15x30',
      [`gateway_pushes_total{${SERVE},outcome="accepted"}`]: '0+2x60',
    },
    silentAt: '10m',
    firesAt: '16m',
    says: [{ summary: 'Daraja refused 15 pushes for certain in ten minutes, more than a fifth of all.' }],
    clearsAt: '30m',
  },
  {
    alert: 'GatewayPushesUnknown',
    series: { [`gateway_pushes_total{${SERVE},outcome="unknown"}`]: '0x5 20x30' },
    silentAt: '5m',
    firesAt: '6m',
    says: [{ summary: 'Of 20 pushes in ten minutes it is not known whether the payer was prompted.' }],
    clearsAt: '17m',
  },
  {
    alert: 'GatewayOverloaded',
    series: {
      [`gateway_overloaded_accounts{${SERVE}}`]: '0x2 1x9 0x9',
      [`gateway_overloaded_accounts{${OTHER}}`]: '0x30',
    },
    silentAt: '7m',
    firesAt: '8m',
    says: [
      {
        summary: 'More payments are asked for than can be pushed through 1 accounts: a part is answered 503.',
      },
    ],
    clearsAt: '13m',
  },
  {
    alert: 'GatewayPaymentsOverdue',
    series: {
      [`gateway_overdue_payments{${SERVE}}`]: '0x2 3x9 0x9',
      [`gateway_overdue_payments{${OTHER}}`]: '0x2 3x9 0x9',
    },
    silentAt: '7m',
    firesAt: '8m',
    says: [
      {
        summary: '3 payments are open for longer than they should be: nobody knows whether they were paid.',
      },
    ],
    clearsAt: '13m',
  },
  {
    alert: 'GatewayFinding',
    series: {
      [`gateway_payment_findings_total{${SERVE},kind="different_receipt"}`]: '0x5 1x30',
      [`gateway_payment_findings_total{${SERVE},kind="different_amount"}`]: '2x60',
    },
    silentAt: '5m',
    firesAt: '6m',
    says: [
      {
        labels: { kind: 'different_receipt' },
        summary:
          '1 findings of the kind different_receipt in 15 minutes: what came contradicts what was known.',
      },
    ],
    clearsAt: '22m',
  },
  {
    alert: 'GatewayPaymentsFail',
    series: {
      [`gateway_payments_settled_total{${SERVE},outcome="failed",cause="callback"}`]: '0+3x20 60x60',
      [`gateway_payments_settled_total{${SERVE},outcome="successful",cause="callback"}`]: '0x20 0+9x60',
    },
    silentAt: '10m',
    firesAt: '16m',
    says: [{ summary: '45 payments failed in 15 minutes, more than nine in ten.' }],
    clearsAt: '25m',
  },
]

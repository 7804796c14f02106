import { z } from 'zod'
import { baseUrl, flag, milliseconds, text, wholeNumber } from '../setting-parsers.ts'
import type { Setting } from './setting.ts'

/** The account at Daraja, what is asked of it, and what is done about open payments. */
export const PAYMENT_SETTINGS = {
  DARAJA_BASE_URL: {
    parse: baseUrl,
    help: '`https://api.safaricom.co.ke`, `https://sandbox.safaricom.co.ke` or the simulator',
  },
  DARAJA_CONSUMER_KEY: { parse: text, help: 'the app’s key on the Daraja portal', secret: true },
  DARAJA_CONSUMER_SECRET: { parse: text, help: 'the app’s secret', secret: true },
  DARAJA_SHORTCODE: {
    parse: z.string().regex(/^\d{5,8}$/, 'must be 5 to 8 digits'),
    help: 'the paybill; for a till the head-office number',
  },
  DARAJA_PASSKEY: { parse: text, help: 'the passkey of the shortcode', secret: true },
  DARAJA_TRANSACTION_TYPE: {
    parse: z.enum(
      ['CustomerPayBillOnline', 'CustomerBuyGoodsOnline'],
      'must be CustomerPayBillOnline or CustomerBuyGoodsOnline',
    ),
    default: 'CustomerPayBillOnline',
    help: '`CustomerPayBillOnline`, or `CustomerBuyGoodsOnline` for a till',
  },
  DARAJA_PARTY_B: {
    parse: z.string().regex(/^\d{5,8}$/, 'must be 5 to 8 digits'),
    default: null,
    help: 'the till number; the shortcode when not set',
  },
  DARAJA_TIMEOUT_MS: {
    parse: wholeNumber(1000, 60_000),
    default: '30000',
    help: 'how long one call to Daraja may take, ms',
  },
  SUBMIT_TTL_MS: {
    parse: milliseconds,
    default: '120000',
    help: 'how old a payment may be and still prompt its payer, ms',
  },
  SUBMIT_CONCURRENCY: {
    parse: wholeNumber(1, 1000),
    default: '400',
    help: 'pushes to Daraja at once at the most, per process; how many there are follows what Daraja bears',
  },
  OVERLOAD_AFTER_MS: {
    parse: milliseconds,
    default: '5000',
    help: 'how long a payment may have to wait for its push, ms; while it would be longer, as many payments are answered 503 as are too many, those of the partners that ask most first',
  },
  DARAJA_PUSHES_PER_SECOND: {
    parse: wholeNumber(1, 10_000),
    default: null,
    help: 'pushes a second at most, by all replicas together: what Safaricom agreed for the shortcode; no limit when not set',
  },
  RECONCILE_AFTER_MS: {
    parse: milliseconds,
    default: '90000',
    help: 'when a prompt without a callback is first asked for, ms',
  },
  DARAJA_QUERIES_PER_SECOND: {
    parse: wholeNumber(1, 10_000),
    default: '20',
    help: 'queries and pulls a second at most, by all replicas together',
  },
  DARAJA_UNIQUE_REFERENCE: {
    parse: flag,
    default: 'off',
    help: 'the payer sees a short code of the payment as the account, instead of the partner’s reference; `DARAJA_PULL` needs it',
  },
  DARAJA_PULL: {
    parse: flag,
    default: 'off',
    help: 'looks in M-PESA’s records for receipts and unconfirmed payments, where the shortcode has Pull Transactions',
  },
  DARAJA_PULL_MSISDN: {
    parse: z.string().regex(/^254[17]\d{8}$/, 'must be 12 digits that start with 2547 or 2541'),
    default: null,
    help: 'the number that was nominated for Pull Transactions',
  },
  FOUR_EYES: {
    parse: flag,
    default: 'off',
    help: 'settling a payment by hand and erasing a payer need the approval of another operator with the role `money`; the same for every process',
  },
  OPEN_PAYMENT_ALERT_AFTER_MS: {
    parse: milliseconds,
    default: '900000',
    help: 'from what age an open payment counts as overdue, ms',
  },
} as const satisfies Record<string, Setting<unknown>>

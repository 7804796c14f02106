import { expect, it } from 'vitest'
import { payerLimitsOf } from '../../src/cli/payer-limits.ts'

const ASKED = { PAYER_OPEN_PROMPTS: null, PAYER_PROMPTS_PER_HOUR: null }

it.each([
  ['http://127.0.0.1:8090', {}, null, null],
  ['https://api.safaricom.co.ke', {}, 1, 10],
  ['https://sandbox.safaricom.co.ke', {}, 1, 10],
  ['https://api.safaricom.co.ke', { PAYER_OPEN_PROMPTS: 0, PAYER_PROMPTS_PER_HOUR: 0 }, null, null],
  ['https://api.safaricom.co.ke', { PAYER_PROMPTS_PER_HOUR: 5 }, 1, 5],
  ['http://127.0.0.1:8090', { PAYER_OPEN_PROMPTS: 2 }, 2, null],
])('a payer at %s with %j: %s open, %s an hour', (url, set, openPrompts, promptsPerHour) => {
  expect(payerLimitsOf({ DARAJA_BASE_URL: url, ...ASKED, ...set })).toEqual({ openPrompts, promptsPerHour })
})

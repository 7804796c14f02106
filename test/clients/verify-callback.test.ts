import { randomBytes } from 'node:crypto'
import { Webhook } from 'standardwebhooks'
import { expect, it } from 'vitest'
import { verifyCallback } from '../../clients/typescript/src/verify-callback.ts'

const newSecret = (): string => `whsec_${randomBytes(32).toString('base64')}`
const SECRET = newSecret()
const OUTCOME = { transaction_id: 102, result_desc: 'Sawa 👍', amount: 150, status: 'successful' }
const BODY = JSON.stringify(OUTCOME)

const signed = (given: { secret?: string; secondsAgo?: number } = {}): Record<string, string> => {
  const at = new Date(Date.now() - (given.secondsAgo ?? 0) * 1000)
  return {
    'webhook-id': 'msg_102_successful',
    'webhook-timestamp': String(Math.floor(at.getTime() / 1000)),
    'webhook-signature': new Webhook(given.secret ?? SECRET).sign('msg_102_successful', at, BODY),
  }
}

it('gives the outcome, under the name to know it by', () => {
  const expected = { webhookId: 'msg_102_successful', test: null, outcome: OUTCOME }
  expect(verifyCallback(SECRET, signed(), BODY)).toEqual(expected)
  expect(verifyCallback(SECRET, signed(), Buffer.from(BODY))).toEqual(expected)
  expect(verifyCallback(SECRET, new Headers(signed({ secondsAgo: 290 })), BODY)).toEqual(expected)
})

it('says what is a test', () => {
  const headers = { ...signed(), 'x-gateway-test': 'payment' }
  expect(verifyCallback(SECRET, headers, BODY).test).toBe('payment')
})

it('takes either of the two signatures while a secret is replaced', () => {
  const headers = signed()
  const [old, other] = [signed({ secret: newSecret() }), headers].map((one) => one['webhook-signature'])
  headers['webhook-signature'] = `${old} ${other}`
  expect(verifyCallback(SECRET, headers, BODY).outcome).toEqual(OUTCOME)
})

it.each([
  ['another secret', signed({ secret: newSecret() }), BODY],
  ['another body', signed(), BODY.replace('150', '151')],
  ['another id', { ...signed(), 'webhook-id': 'msg_103_successful' }, BODY],
  ['an old one, sent again', signed({ secondsAgo: 310 }), BODY],
  ['one of the future', signed({ secondsAgo: -310 }), BODY],
  ['a time that is none', { ...signed(), 'webhook-timestamp': 'now' }, BODY],
  ['a signature that is none', { ...signed(), 'webhook-signature': 'v1,AAAA v2,AAAA' }, BODY],
  ['no signature', { ...signed(), 'webhook-signature': '' }, BODY],
  ['no id', { ...signed(), 'webhook-id': '' }, BODY],
  ['no headers', {}, BODY],
])('refuses %s', (_name, headers, body) => {
  expect(() => verifyCallback(SECRET, headers, body)).toThrow(/webhook-|[Ss]ignature|[Tt]imestamp|[Mm]essage/)
})

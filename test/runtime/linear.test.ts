import { describe, expect, it } from 'vitest'
import { parseCallback } from '../../src/core/daraja/parse-callback.ts'
import { readJson } from '../../src/core/daraja/read-json.ts'
import { parseRetryAfter, renderAnswer } from '../../src/dispatcher/deliver/read-answer.ts'
import { createRedact } from '../../src/runtime/redact.ts'
import { toPlainAddress } from '../../src/values/address-list.ts'
import { parseCallbackHost } from '../../src/values/callback-host.ts'
import { parseCallbackUrl } from '../../src/values/callback-url.ts'
import { parseIdempotencyKey } from '../../src/values/idempotency-key.ts'
import { truncateText } from '../../src/values/outside-text.ts'
import { isPublicAddress } from '../../src/values/public-address.ts'
import { parseReference } from '../../src/values/reference.ts'
import { attacksOf, findSlow } from '../support/linear.ts'

const SECRET = 'wJalrXUtnFEMI/K7MDENG'

/** What each pattern of the mask begins with, and what it may be kept looking through. */
const BEGINS = [
  '',
  '://',
  'https://',
  'https://a',
  'mpg_',
  'whsec_',
  'ws_CO_',
  'Bearer ',
  'Basic ',
  '/callbacks/stk/',
  'password',
  'access_token"',
  'secret\\',
  '{"a":"',
  '{"a":[',
  '254712345678',
  SECRET.slice(0, -1),
]
const PUMPS = [
  ':',
  '@',
  '/',
  '\\',
  '"',
  ' ',
  'a',
  'f',
  '0',
  '=',
  ',',
  '?',
  '://',
  ':@',
  'http://',
  'https://a',
  '://:',
  'a:',
  '\\"',
  'mpg_',
  'mpg_a',
  'whsec_',
  'ws_CO_',
  'bearer ',
  'Basic a',
  '/callbacks/stk/',
  'password',
  'password=',
  'password\\',
  'password" ',
  'password" : ',
  'secret\\\\',
  '254712345678,',
  '0712345678 ',
  '25471234567',
  `${'f'.repeat(47)} `,
  SECRET.slice(0, -1),
]
const ENDS = ['', ' ']

describe('the mask of what is said takes a time that grows as the text does', () => {
  it.each([
    ['in the log', createRedact({ secrets: [SECRET], urlPaths: true })],
    ['in the terminal', createRedact()],
  ])('%s, whatever stands in it', (_where, redact) => {
    expect(findSlow(attacksOf({ begins: BEGINS, pumps: PUMPS, ends: ENDS }), redact)).toBeNull()
  })
})

describe('what reads text from outside takes such a time too', () => {
  const now = new Date()
  const policy = { allowHttp: true, allowPrivateNetworks: false }
  const pumps = [
    'a',
    '.',
    '-',
    ':',
    '1',
    '1:',
    '::',
    '1.',
    'a.',
    'a-',
    '%',
    '@',
    '/',
    '"',
    '\\"',
    '\\',
    '[',
    '{"a":',
    ' ',
    '\n',
    '0',
    'é',
    '\ud83d',
  ]
  const attacks = () =>
    attacksOf({ begins: ['', 'https://', 'https://[', '{"Body":{"', '"', '[1,'], pumps, ends: ['', '!'] })

  it.each<[string, (text: string) => unknown]>([
    ['a callback_url', (text) => parseCallbackUrl(text, policy)],
    ['a host', parseCallbackHost],
    ['an address', isPublicAddress],
    ['an address behind a proxy', toPlainAddress],
    ['JSON of Daraja’s', (text) => readJson(Buffer.from(text))],
    ['a reference', parseReference],
    ['an idempotency key', parseIdempotencyKey],
    ['Retry-After', (text) => parseRetryAfter(text, now)],
    ['a partner’s answer', (text) => renderAnswer(Buffer.from(text))],
    ['a callback', (text) => parseCallback(Buffer.from(text))],
    ['text that is cut', (text) => truncateText(text, 1000)],
  ])('%s', (_what, read) => expect(findSlow(attacks(), read)).toBeNull())
})

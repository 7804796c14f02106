import { expect, it } from 'vitest'
import { leadsToHost, parseCallbackHost } from '../../src/values/callback-host.ts'

it.each(['shop.co.ke', '*.shop.co.ke', '127.0.0.1', 'localhost', 'xn--caf-dma.co.ke', 'SHOP.co.ke'])(
  '%s is taken, in lower case',
  (text) => {
    expect(parseCallbackHost(text)).toEqual({ ok: true, value: text.toLowerCase() })
  },
)

it.each([
  '',
  '*',
  '*.',
  '*.ke',
  'shop.*',
  'a b.ke',
  'https://shop.ke',
  'shop.ke:8443',
  '.shop.ke',
  'shop.ke.',
  '-a.ke',
])('%s is refused', (text) => {
  expect(parseCallbackHost(text).ok).toBe(false)
})

it.each([
  ['https://shop.co.ke/callback', true],
  ['https://SHOP.co.ke:8443/', true],
  ['https://shop.co.ke./', true],
  ['https://a.pay.co.ke/', true],
  ['https://b.a.pay.co.ke/', true],
  ['https://pay.co.ke/', false],
  ['https://evilpay.co.ke/', false],
  ['https://shop.co.ke.evil.example/', false],
  ['https://evil.example/shop.co.ke', false],
  ['https://evil.example#shop.co.ke', false],
])('%s: %s', (url, isAllowed) => {
  expect(leadsToHost(url, ['shop.co.ke', '*.pay.co.ke'])).toBe(isAllowed)
})

import { expect, test } from 'vitest'
import { createIds } from '../../src/simulator/ids.ts'
import { createTokens } from '../../src/simulator/oauth.ts'
import { basic, get, openSimulator } from './harness.ts'

const generate = '/oauth/v1/generate?grant_type=client_credentials'

test('any consumer key and secret get a token for 3599 seconds, written as a string', async () => {
  const { url } = await openSimulator({ callbackDelayMs: 0 })
  const answer = await get(`${url}${generate}`, basic('key:secret:with:colons'))
  expect(answer.status).toBe(200)
  expect(answer.body).toEqual({ access_token: expect.stringMatching(/^\w{28}$/), expires_in: '3599' })
})

test.each([
  ['no header', undefined],
  ['another scheme', 'Bearer abc'],
  ['no secret', basic('key:')],
  ['no key', basic(':secret')],
  ['no colon', basic('keysecret')],
  ['nothing after Basic', 'Basic '],
])('credentials are refused: %s', async (_name, authorization) => {
  const { url } = await openSimulator({ callbackDelayMs: 0 })
  expect(await get(`${url}${generate}`, authorization)).toEqual({
    status: 400,
    body: {
      requestId: expect.any(String),
      errorCode: '400.008.01',
      errorMessage: 'Invalid Authentication passed',
    },
  })
})

test.each(['', '?grant_type=password', '?grant_type=client_credentials&grant_type=client_credentials'])(
  'the grant type is refused: "%s"',
  async (search) => {
    const { url } = await openSimulator({ callbackDelayMs: 0 })
    const answer = await get(`${url}/oauth/v1/generate${search}`, basic('key:secret'))
    expect(answer).toMatchObject({ status: 400, body: { errorCode: '400.008.02' } })
  },
)

const openTokens = () => {
  const time = { now: new Date('2026-05-04T18:00:00Z') }
  const clock = () => time.now
  const tokens = createTokens({ clock, ids: createIds({ clock, random: Math.random }) })
  const issue = (consumerKey: string, endsEarlier = false) => tokens.issue(consumerKey, { endsEarlier })
  return { time, issue, keyOf: (token: string) => tokens.consumerKeyOf(`Bearer ${token}`), tokens }
}

const ENDED = 'HTTP 404, 404.001.03 Invalid Access Token'

test('a token is good until it runs out, and a newer one does not end it', () => {
  const { time, issue, keyOf } = openTokens()
  const token = issue('key')
  issue('key')
  expect(keyOf(token)).toBe('key')
  time.now = new Date('2026-05-04T18:59:58.999Z')
  expect(keyOf(token)).toBe('key')
  time.now = new Date('2026-05-04T18:59:59Z')
  expect(() => keyOf(token)).toThrow(ENDED)
})

test("a token that ends earlier ones ends its own key's, and not itself", () => {
  const { issue, keyOf } = openTokens()
  const [first, others, second] = [issue('key'), issue('other'), issue('key', true)]
  expect(() => keyOf(first)).toThrow(ENDED)
  expect([keyOf(second), keyOf(others)]).toEqual(['key', 'other'])
  issue('key', true)
  expect(() => keyOf(second)).toThrow(ENDED)
})

test('what is no Bearer header is refused otherwise than a token that is unknown', () => {
  const { tokens, keyOf } = openTokens()
  expect(() => keyOf('unknown')).toThrow(ENDED)
  for (const header of [undefined, basic('key:secret')]) {
    expect(() => tokens.consumerKeyOf(header)).toThrow('HTTP 404, 404.001.04 Invalid Authentication Header')
  }
})

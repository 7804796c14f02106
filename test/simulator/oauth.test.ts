import { expect, test } from 'vitest'
import { createIds } from '../../src/simulator/ids.ts'
import { createTokens } from '../../src/simulator/oauth.ts'
import { basic, get, openSimulator } from './harness.ts'

const generate = '/oauth/v1/generate?grant_type=client_credentials'

test('any consumer key and secret get a token for 3599 seconds, told as a string', async () => {
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

test('a token is good until it runs out, and a newer one does not end it', () => {
  let now = new Date('2026-05-04T18:00:00Z')
  const clock = () => now
  const tokens = createTokens({ clock, ids: createIds({ clock, random: Math.random }) })
  const token = tokens.issue()
  tokens.issue()
  expect(tokens.refusalFor(`Bearer ${token}`)).toBeNull()
  now = new Date('2026-05-04T18:59:58.999Z')
  expect(tokens.refusalFor(`Bearer ${token}`)).toBeNull()
  now = new Date('2026-05-04T18:59:59Z')
  expect(tokens.refusalFor(`Bearer ${token}`)).toMatchObject({ code: '404.001.03' })
})

test('what is no Bearer header is told apart from a token that is unknown', () => {
  const clock = () => new Date()
  const tokens = createTokens({ clock, ids: createIds({ clock, random: Math.random }) })
  expect(tokens.refusalFor('Bearer unknown')).toMatchObject({ status: 404, code: '404.001.03' })
  expect(tokens.refusalFor(undefined)).toMatchObject({ status: 404, code: '404.001.04' })
  expect(tokens.refusalFor(basic('key:secret'))).toMatchObject({ status: 404, code: '404.001.04' })
})

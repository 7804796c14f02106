import { expect, test } from 'vitest'
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

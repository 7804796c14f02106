import { describe, expect, test } from 'vitest'
import { basic, fetchAnswer, openSimulator, pushBody } from './harness.ts'
import { type AskRaw, expectWrong, faultsOf } from './wrong-replies.ts'

const PULL = '/pulltransactions/v1/query'

describe('a call that a consumer key chooses', () => {
  const oauth =
    (simulator: { url: string }, key: string): AskRaw =>
    () =>
      fetchAnswer(`${simulator.url}/oauth/v1/generate?grant_type=client_credentials`, {
        authorization: basic(`${key}:secret`),
      })

  test.each(faultsOf('tokenFault'))('%s', async (name, wrong) => {
    const simulator = await openSimulator({ callbackDelayMs: 1 })
    await expectWrong(wrong, oauth(simulator, name))
    expect((await simulator.ledger()).misbehaviours).toEqual({ [name]: 1 })
  })

  test('token-expires-in-a-number', async () => {
    const simulator = await openSimulator({ callbackDelayMs: 1 })
    const answer = await oauth(simulator, 'token-expires-in-a-number')()
    expect(JSON.parse(answer.text)).toMatchObject({ expires_in: 3599 })
  })

  test('tokens-end-earlier-ones', async () => {
    const simulator = await openSimulator({ callbackDelayMs: 1, consumerKey: 'tokens-end-earlier-ones' })
    expect((await simulator.push(pushBody())).status).toBe(200)
    await simulator.fetchToken('another')
    expect((await simulator.push(pushBody())).status).toBe(200)
    await simulator.fetchToken()
    expect((await simulator.push(pushBody())).body['errorCode']).toBe('404.001.03')
  })

  test.each(faultsOf('pullFault'))('%s', async (name, wrong) => {
    const simulator = await openSimulator({ callbackDelayMs: 1, consumerKey: name })
    const window = { StartDate: '2026-05-04 12:00:00', EndDate: '2026-05-05 12:00:00', OffSetValue: 0 }
    const { text } = await simulator.postRaw(
      '/pulltransactions/v1/register',
      { ShortCode: '174379' },
      await simulator.fetchToken('key'),
    )
    expect(text).toContain('Registered')
    await expectWrong(wrong, () => simulator.postRaw(PULL, { ShortCode: '174379', ...window }))
  })

  test('a push and a query by it', async () => {
    const simulator = await openSimulator({ callbackDelayMs: 0, consumerKey: 'old-ids+query-denies' })
    const { body } = await simulator.push(pushBody())
    expect(body['CheckoutRequestID']).toMatch(/^ws_CO_\d{18}$/)
    for (let round = 0; round < 2; round += 1) {
      expect((await simulator.query(body['CheckoutRequestID'])).body['errorMessage']).toBe(
        'The transaction does not Exist',
      )
    }
  })
})

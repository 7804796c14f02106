import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openFacade, PRODUCTION, paymentBody, push, type TestFacade } from '../facade/harness.ts'
import rows from '../fixtures/callback-urls.json' with { type: 'json' }

describe('callback_url as production judges it', () => {
  let test: TestFacade
  beforeAll(async () => {
    test = await openFacade({ config: { callbackUrlPolicy: PRODUCTION } })
  })
  afterAll(() => test.stop())

  const judged = rows.filter((row) => row.stage === 'accept')

  it.each(judged.filter((row) => row.expect === 'reject'))('refuses $url: $why', async ({ url }) => {
    const answer = await push(test, paymentBody({ callback_url: url }))
    expect(answer.status).toBe(400)
    const { status, message } = JSON.parse(answer.body)
    expect(status).toBe('error')
    expect(message).toMatch(url === '' ? /^callback_url is required$/ : /^callback_url must /)
  })

  it.each(judged.filter((row) => row.expect === 'accept'))('accepts $url: $why', async ({ url }) => {
    const answer = await push(test, paymentBody({ callback_url: url }))
    expect(answer).toMatchObject({ status: 200, body: expect.stringMatching(/^{"status":"success",/) })
    const { transaction_id } = JSON.parse(answer.body)
    const stored = test.database
      .selectFrom('payments')
      .select('callback_url')
      .where('id', '=', BigInt(transaction_id))
    expect(await stored.executeTakeFirst()).toEqual({ callback_url: url })
  })

  it('tries every row that is judged on acceptance', () => {
    expect(judged.length).toBeGreaterThanOrEqual(101)
  })
})

import { describe, expect, test } from 'vitest'
import { type Behaviour, OUTCOMES } from '../../src/simulator/outcomes.ts'
import { basic, eventually, fetchAnswer, openSimulator, openStage, pushBody, signature } from './harness.ts'
import { type AskRaw, answersOf, expectWrong, faultsOf } from './wrong-replies.ts'

const A_MINUTE_MS = 60_000
const PUSH = '/mpesa/stkpush/v1/processrequest'
const QUERY = '/mpesa/stkpushquery/v1/query'

describe('the push', () => {
  test.each(answersOf(false))('%s: nobody is prompted', async (name, wrong) => {
    const { simulator, body } = await openStage({ callbackDelayMs: 0 })
    await expectWrong(wrong, () => simulator.postRaw(PUSH, body(name)))
    expect(await simulator.ledger()).toMatchObject({ pushes: 1, refused: 1, prompts: 0, entries: [] })
  })

  test.each(answersOf(true))('%s: the payer was prompted, and pays', async (name, wrong) => {
    const { simulator, body, callbacks } = await openStage({ callbackDelayMs: 1 })
    await expectWrong(wrong, () => simulator.postRaw(PUSH, body(name)))
    await eventually(() => expect(callbacks()).toMatchObject([{ ResultCode: 0 }]))
    expect(await simulator.ledger()).toMatchObject({ refused: 0, prompts: 1, entries: [{ outcome: name }] })
  })

  test.each([
    ['push-silence', 0],
    ['silence-after-prompt', 1],
  ])('%s: no answer comes until the simulator closes', async (name, prompts) => {
    const { simulator, body } = await openStage({ callbackDelayMs: A_MINUTE_MS })
    const asked = simulator.postRaw(PUSH, body(name))
    const ended = expect(asked).rejects.toThrow()
    await eventually(async () => expect(await simulator.ledger()).toMatchObject({ pushes: 1, prompts }))
    await simulator.close()
    await ended
  })

  test('one-prompt-a-payer: while one is open, this payer gets no other', async () => {
    const { simulator, push } = await openStage({ callbackDelayMs: A_MINUTE_MS })
    expect((await push('one-prompt-a-payer')).status).toBe(200)
    expect((await push('one-prompt-a-payer')).body['errorMessage']).toContain('Unable to lock subscriber')
    expect((await push('masked-phone')).status).toBe(200)
    expect(await simulator.ledger()).toMatchObject({ prompts: 2, refused: 1 })
  })

  test('one-prompt-a-payer: another once it has ended', async () => {
    const { push, callbacks } = await openStage({ callbackDelayMs: 0 })
    await push('one-prompt-a-payer')
    await eventually(() => expect(callbacks()).toHaveLength(1))
    expect((await push('one-prompt-a-payer')).status).toBe(200)
  })

  test('old-ids: of before 2022, and the query knows them', async () => {
    const { simulator, push } = await openStage({ callbackDelayMs: A_MINUTE_MS })
    const { body } = await push('old-ids')
    expect(body['MerchantRequestID']).toMatch(/^\d{5}-\d{8}-1$/)
    expect(body['CheckoutRequestID']).toMatch(/^ws_CO_\d{18}$/)
    expect((await simulator.query(body['CheckoutRequestID'])).body['ResultCode']).toBe('4999')
  })
})

describe('the ending', () => {
  const coded = OUTCOMES.flatMap(({ name, phones, does: { endings } }) =>
    Number(phones[0]?.slice(-3)) > 100 && endings?.length === 1
      ? [[name, endings[0]?.result.code] as const]
      : [],
  )

  test.each(coded)('%s is reported with %s on both channels', async (name, code) => {
    const { simulator, push, callbacks } = await openStage({ callbackDelayMs: 1 })
    const { body } = await push(name)
    await eventually(() => expect(callbacks()).toMatchObject([{ ResultCode: code }]))
    const answer = await simulator.query(body['CheckoutRequestID'])
    expect(answer.body['ResultCode']).toBe(String(code))
  })

  test('never-ends: no callback, and the query stays at 4999', async () => {
    const { simulator, receiver, push } = await openStage({ callbackDelayMs: 0 })
    const { body } = await push('never-ends')
    // Another payment comes to its end meanwhile.
    await push('paid')
    await eventually(() => expect(receiver.received).toHaveLength(1))
    expect((await simulator.query(body['CheckoutRequestID'])).body['ResultCode']).toBe('4999')
    expect(receiver.received[0]?.url).toBe('/callbacks/stk/paid')
  })

  test('failure-after-success: paid first, then not', async () => {
    const { simulator, push, callbacks } = await openStage({ callbackDelayMs: 10 })
    const { body } = await push('failure-after-success')
    await eventually(() => expect(callbacks().map(({ ResultCode }) => ResultCode)).toEqual([0, 1037]))
    expect((await simulator.query(body['CheckoutRequestID'])).body['ResultCode']).toBe('1037')
  })

  test('two-successes: with a receipt each', async () => {
    const { simulator, push } = await openStage({ callbackDelayMs: 10 })
    await push('two-successes')
    await eventually(async () => {
      const [entry] = (await simulator.ledger()).entries
      expect(entry?.callbacks).toMatchObject([{ status: 200 }, { status: 200 }])
      const receipts = entry?.transactions.map(({ receipt }) => receipt) ?? []
      expect(new Set(receipts).size).toBe(2)
      for (const [index, receipt] of receipts.entries()) {
        expect(entry?.callbacks[index]?.['body']).toContain(receipt)
      }
    })
  })
})

describe('the callback', () => {
  test('calls-back-late: long after the payment has ended', async () => {
    const { simulator, push } = await openStage({ callbackDelayMs: 10 })
    await push('calls-back-late')
    const [entry] = await eventually(async () => {
      const { entries } = await simulator.ledger()
      expect(entries[0]?.callbacks).toHaveLength(1)
      return entries
    })
    const paidAt = new Date(String(entry?.transactions[0]?.['at'])).getTime()
    const postedAt = new Date(String(entry?.callbacks[0]?.['posted_at'])).getTime()
    // 20 delays, and a timer may be a millisecond early.
    expect(postedAt - paidAt).toBeGreaterThanOrEqual(199)
  })

  test.each<[string, Behaviour, RegExp]>([
    [
      'callback-with-balance',
      { items: 'balance' },
      /"Amount","Value":150\.00\}.*"Balance","Value":49197\.00/,
    ],
    [
      'callback-with-empty-balance',
      { items: 'empty-balance' },
      /"Amount","Value":150\.00\}.*\{"Name":"Balance"\}/,
    ],
    ['callback-in-strings', { stringsInCallback: true }, /"ResultCode":"0".*"Amount","Value":"150"/],
    ['masked-phone', { phoneForm: 'masked' }, /"PhoneNumber","Value":"2547 \*{5} 305"/],
    ['hashed-phone', { phoneForm: 'hashed' }, /"PhoneNumber","Value":"[0-9a-f]{64}"/],
    [
      'callback-with-odd-items',
      { spelling: 'odd-items' },
      /"Item":\[null,\{\},\{"Name":"Amount".*\},\[\],\{"Name":null,"Value":0\}\]/,
    ],
    ['callback-with-odd-code', { spelling: 'odd-code' }, /"ResultCode":"00"/],
    ['callback-with-code-twice', { spelling: 'code-twice' }, /"ResultCode":1032,"ResultCode":0,/],
    ['callback-after-byte-order-mark', { spelling: 'byte-order-mark' }, /^\ufeff\{"Body"/],
    [
      'callback-still-processing',
      { spelling: 'still-processing' },
      /"ResultCode":1037,"ResultDesc":"The transaction is still under processing"/,
    ],
    ['other-amount', { paysOneMore: true }, /"Amount","Value":151\}/],
    ['failure-with-empty-items', { failureItems: 'empty' }, /"ResultCode":1032.*\{"Name":"Amount"\}/],
    ['failure-with-items', { failureItems: 'filled' }, /"ResultCode":1032.*"Amount","Value":150/],
  ])('%s', async (name, does, body) => {
    expect(OUTCOMES.find((outcome) => outcome.name === name)?.does).toMatchObject(does)
    const { receiver, push } = await openStage({ callbackDelayMs: 0 })
    await push(name)
    await eventually(() => expect(receiver.received).toHaveLength(1))
    expect(receiver.received[0]?.body).toMatch(body)
  })
})

describe('the query', () => {
  const ask = (simulator: Awaited<ReturnType<typeof openSimulator>>, id: unknown): AskRaw => {
    const body = { ...signature(), CheckoutRequestID: id }
    return () => simulator.postRaw(QUERY, body)
  }

  test.each(faultsOf('query'))('%s on every other query', async (name, wrong) => {
    const { simulator, body, receiver } = await openStage({ callbackDelayMs: 1 })
    const { body: pushed } = await simulator.push(body(name))
    await eventually(() => expect(receiver.received).toHaveLength(1))
    const asking = ask(simulator, pushed['CheckoutRequestID'])
    for (let round = 0; round < 2; round += 1) {
      await expectWrong(wrong, asking)
      expect(JSON.parse((await asking()).text)).toMatchObject({ ResultCode: '0' })
    }
    expect((await simulator.ledger()).entries).toMatchObject([{ queries: 4 }])
  })

  test('query-no-answer interleaves with 4999 while the payment is open', async () => {
    const { simulator, push } = await openStage({ callbackDelayMs: A_MINUTE_MS })
    const { body } = await push('query-no-answer')
    const codes: unknown[] = []
    for (let round = 0; round < 4; round += 1) {
      const answer = await simulator.query(body['CheckoutRequestID'])
      codes.push(answer.body['errorCode'] ?? answer.body['ResultCode'])
    }
    expect(codes).toEqual(['500.001.1001', '4999', '500.001.1001', '4999'])
  })

  test('query-pending-under-a-code: in the place of 4999', async () => {
    const { simulator, push } = await openStage({ callbackDelayMs: A_MINUTE_MS })
    const { body } = await push('query-pending-under-a-code')
    const asking = ask(simulator, body['CheckoutRequestID'])
    expect(JSON.parse((await asking()).text)).toMatchObject({
      ResultCode: '1037',
      ResultDesc: 'The transaction is still under processing',
    })
    expect(JSON.parse((await asking()).text)).toMatchObject({ ResultCode: '4999' })
  })

  test('query-in-numbers, accepted-with-a-number: codes that are numeric are numbers', async () => {
    const stage = await openStage({ callbackDelayMs: A_MINUTE_MS })
    const { simulator } = stage
    const { body } = await stage.push('query-in-numbers')
    const asking = ask(simulator, body['CheckoutRequestID'])
    expect(JSON.parse((await asking()).text)).toMatchObject({ ResponseCode: 0, ResultCode: 4999 })
    const answer = await simulator.postRaw(PUSH, stage.body('accepted-with-a-number'))
    expect(JSON.parse(answer.text)).toMatchObject({ ResponseCode: 0 })
  })

  test('query-pending-as-error: in the place of 4999', async () => {
    const { simulator, push } = await openStage({ callbackDelayMs: A_MINUTE_MS })
    const { body } = await push('query-pending-as-error')
    const asking = ask(simulator, body['CheckoutRequestID'])
    expect(JSON.parse((await asking()).text)).toMatchObject({
      errorCode: '500.001.1001',
      errorMessage: 'The transaction is being processed',
    })
    expect(JSON.parse((await asking()).text)).toMatchObject({ ResultCode: '4999' })
  })

  test('query-pending-as-error: not once the payment has ended', async () => {
    const { simulator, push, callbacks } = await openStage({ callbackDelayMs: 0 })
    const { body } = await push('query-pending-as-error')
    await eventually(() => expect(callbacks()).toHaveLength(1))
    const asking = ask(simulator, body['CheckoutRequestID'])
    for (const answer of [await asking(), await asking()]) {
      expect(JSON.parse(answer.text)).toMatchObject({ ResultCode: '0' })
    }
  })

  test('an amount can choose what the query does, and the phone number the rest', async () => {
    const { simulator, body, receiver } = await openStage({ callbackDelayMs: 0 })
    const amount = OUTCOMES.find(({ name }) => name === 'query-spike-arrest')?.amountKes ?? 0
    const { body: pushed } = await simulator.push(body('never-calls-back', amount))
    const asking = ask(simulator, pushed['CheckoutRequestID'])
    await eventually(async () => {
      const texts = [(await asking()).text, (await asking()).text].join(' ')
      expect(texts).toMatch(/Spike Arrest.*"ResultCode":"0"/)
    })
    expect(receiver.received).toEqual([])
  })
})

const PULL = '/pulltransactions/v1/query'

describe('a call that a consumer key chooses', () => {
  const oauth =
    (simulator: { url: string }, key: string): AskRaw =>
    () =>
      fetchAnswer(`${simulator.url}/oauth/v1/generate?grant_type=client_credentials`, {
        authorization: basic(`${key}:secret`),
      })

  test.each(faultsOf('token'))('%s', async (name, wrong) => {
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

  test.each(faultsOf('pull'))('%s', async (name, wrong) => {
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

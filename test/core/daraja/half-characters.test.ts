import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createCallbackTokens } from '../../../src/core/callback/token.ts'
import { classifyError } from '../../../src/core/daraja/classify-error.ts'
import { parseCallback } from '../../../src/core/daraja/parse-callback.ts'
import { readResult } from '../../../src/core/daraja/read-result.ts'
import { renderBody } from '../../../src/core/outbox/enqueue.ts'
import { findCollisions } from '../../../src/core/settle/findings.ts'
import { startTestCore, type TestCore } from '../../support/core.ts'
import { eventually } from '../../support/eventually.ts'
import { findPhp } from '../../support/find-php.ts'
import { paymentRequest } from '../../support/requests.ts'
import { answered } from './answered.ts'

const PHP = await findPhp()

/** Descriptions as Daraja's JSON may write them, each with what is to be told of it. */
const DESCRIPTIONS = [
  ['"x\\ud83d"', 'x\ufffd'],
  ['"\\udca1x"', '\ufffdx'],
  ['"\\ud83d\\u0000\\udca1"', '💡'],
  [`"${'a'.repeat(999)}💡"`, 'a'.repeat(999)],
  [`"${'a'.repeat(998)}💡"`, `${'a'.repeat(998)}💡`],
  [`"${'a'.repeat(999)}\\ud83d\\ud83d"`, `${'a'.repeat(999)}\ufffd`],
] as const

const callbackOf = (description: string, ids = ''): string =>
  `{"Body":{"stkCallback":{${ids}"ResultCode":1,"ResultDesc":${description}}}}`

describe('half a character in what Daraja says', () => {
  it('is not in what is read of a callback', () => {
    for (const [description, expected] of DESCRIPTIONS)
      expect(parseCallback(Buffer.from(callbackOf(description)))).toMatchObject({ resultDesc: expected })
  })

  it('is neither in ids nor in codes', () => {
    const ids = '"MerchantRequestID":"m\\ud83d","CheckoutRequestID":"\\udca1c",'
    expect(parseCallback(Buffer.from(callbackOf('""', ids)))).toMatchObject({
      merchantRequestId: null,
      checkoutRequestId: null,
      resultCode: '1',
    })
    const code = callbackOf('""').replace(':1,', ':"9\\ud83d",')
    expect(parseCallback(Buffer.from(code))).toMatchObject({ kind: 'not_understood' })
  })

  it('is not in what is read of an answer', () => {
    const refusal = '{"errorCode":"400.002.02","errorMessage":"x\\ud83d"}'
    expect(classifyError(answered(400, refusal))).toMatchObject({ kind: 'refused', message: 'x\ufffd' })
    const fault = '{"fault":{"a":["x\\ud83d",{"c":"\\udca1"}],"d":"\\ud83d\\udca1"}}'
    expect(classifyError(answered(401, fault))).toMatchObject({ message: 'x\ufffd \ufffd 💡' })
    expect(readResult({ code: '1', desc: '\udca1x' })).toMatchObject({ resultDesc: '\ufffdx' })
  })

  it('is not in the messages that are cut', () => {
    const json = { errorCode: '500.001.1001', errorMessage: `${'a'.repeat(299)}💡` }
    const refusal = classifyError(answered(500, JSON.stringify(json)))
    expect(refusal).toEqual({ kind: 'unknown', reason: `500.001.1001 ${'a'.repeat(299)}` })
    const fault = { fault: 'b'.repeat(299) + '💡'.repeat(3) }
    const ofFault = classifyError(answered(401, JSON.stringify(fault)))
    expect(ofFault).toMatchObject({ kind: 'refused', message: 'b'.repeat(299) })
  })

  it('is not in a finding', () => {
    const [finding] = findCollisions(
      { state: 'successful', receipt: 'R' },
      {
        paymentId: 1n,
        outcome: 'failed',
        cause: 'callback',
        resultCode: '1',
        resultDesc: `x${'💡'.repeat(400)}`,
        receipt: null,
        amountKes: null,
        transactionDate: null,
        merchantRequestId: null,
        checkoutRequestId: null,
      },
    )
    expect(finding?.detail.isWellFormed()).toBe(true)
    expect(finding?.detail).toMatch(/💡$/u)
  })
})

describe('what a partner is sent of it', () => {
  let test: TestCore
  beforeAll(async () => {
    test = await startTestCore()
  })
  afterAll(async () => test.stop())

  /** The body of the delivery that a callback with this description brings about. */
  const bodyAfter = async (description: string): Promise<string> => {
    const { payments, darajaCallbacks } = test.clients
    // A payer whom the simulator never calls back.
    const request = paymentRequest({ msisdn: '254700000021' })
    const { paymentId } = await payments.requestPayment(request, { headers: test.headers })
    const payment = await eventually(async () => {
      const query = test.database.selectFrom('payments').selectAll().where('id', '=', paymentId)
      const row = await query.executeTakeFirstOrThrow()
      expect(row.state).toBe('submitted')
      return row
    })
    await darajaCallbacks.receiveStkCallback({
      token: createCallbackTokens(test.options.config.keys).issue(paymentId),
      body: Buffer.from(callbackOf(description, `"CheckoutRequestID":"${payment.checkout_request_id}",`)),
      headers: [],
      sourceAddress: '127.0.0.1',
    })
    return eventually(async () => {
      const query = test.database.selectFrom('deliveries').select('body').where('payment_id', '=', paymentId)
      return (await query.executeTakeFirstOrThrow()).body
    })
  }

  it('has it in none of its fields, whoever said them', () => {
    const body = renderBody({
      id: 1n,
      partner_id: 1n,
      callback_url: 'https://duka.example/',
      msisdn: '254712345678',
      amount_kes: 1,
      merchant_request_id: 'm\ud83d',
      checkout_request_id: 'c\ud83d',
      result_code: 'r\ud83d',
      result_desc: 'd\ud83d',
      receipt: 'e\ud83d',
      transaction_date: new Date(0),
      state: 'failed',
    })
    expect(body).not.toMatch(/\\u|[\ud800-\udfff]/)
    expect(body.match(/\ufffd/g)).toHaveLength(5)
  })

  it('is JSON that UTF-8 can hold, which PHP reads too', async () => {
    for (const [description, expected] of DESCRIPTIONS) {
      const body = await bodyAfter(description)
      expect(JSON.parse(body)).toMatchObject({ status: 'failed', result_code: 1, result_desc: expected })
      if (PHP !== null) expect(await readWithPhp(PHP, body)).toBe(expected)
    }
  })
})

const readWithPhp = async (php: NonNullable<typeof PHP>, body: string): Promise<string> => {
  const script = 'echo json_decode($argv[1], false, 512, JSON_THROW_ON_ERROR)->result_desc;'
  const environment = { ...process.env, ...php.environment }
  const { stdout } = await promisify(execFile)(php.file, ['-n', '-r', script, body], { env: environment })
  return stdout
}

import { createHash } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  type Answer,
  ask,
  errorBody,
  exchange,
  openFacade,
  parseAnswers,
  paymentBody,
  push,
  request,
  type TestFacade,
} from '../facade/harness.ts'
import samples from '../fixtures/daraja-samples.json' with { type: 'json' }
import { callbackTokenOf } from '../support/callback-url.ts'
import { eventually } from '../support/eventually.ts'

const ACKNOWLEDGED = '{"ResultCode":0,"ResultDesc":"Success"}'

/** A token that nobody issued; a new one marks the callback that a test sent. */
const strangeToken = (mark: string): string => createHash('sha256').update(mark).digest('hex').slice(0, 48)

let test: TestFacade
beforeAll(async () => {
  test = await openFacade()
})
afterAll(() => test.stop())

const DARAJA_HEADERS = [
  'Businessshortcode: 174379',
  'Content-Type: application/json;charset=UTF-8',
  'X-Twice: one',
  'x-twice: two',
]

const post = (
  token: string,
  body: string | Buffer,
  headers: readonly string[] = DARAJA_HEADERS,
): Promise<Answer> => ask(test, `POST /callbacks/stk/${token}`, headers, body)

const newestCallback = () =>
  test.database.selectFrom('callbacks').selectAll().orderBy('id', 'desc').limit(1).executeTakeFirstOrThrow()

const countCallbacks = async (): Promise<number> =>
  (await test.database.selectFrom('callbacks').select('id').execute()).length

/** A payment that its payer has the prompt of, and its callback token, alone and with what follows it. */
const openPayment = async (): Promise<{ id: bigint; token: string; tail: string }> => {
  const { transaction_id } = JSON.parse((await push(test, paymentBody())).body)
  const id = BigInt(transaction_id)
  return { id, ...(await callbackTokenOf(test, id)) }
}

const stateOf = async (id: bigint) => {
  const row = await test.database
    .selectFrom('payments')
    .select('state')
    .where('id', '=', id)
    .executeTakeFirstOrThrow()
  return row.state
}

describe('a callback of Daraja', () => {
  it.each(samples)('is stored byte for byte: $kind', async ({ body }) => {
    const { id, token } = await openPayment()
    const answer = await post(token, body)
    expect([answer.status, answer.body]).toEqual([200, ACKNOWLEDGED])
    const stored = await newestCallback()
    expect(stored.body).toEqual(Buffer.from(body))
    expect(stored.payment_id).toBe(id)
  })

  it('is stored with its headers as they came, and the address that sent it', async () => {
    await post(strangeToken('headers'), '{}')
    const stored = await newestCallback()
    expect(stored.headers).toEqual([
      ['Host', 'gateway'],
      ['Connection', 'close'],
      ['Businessshortcode', '174379'],
      ['Content-Type', 'application/json;charset=UTF-8'],
      ['X-Twice', 'one'],
      ['x-twice', 'two'],
      ['Content-Length', '2'],
    ])
    expect(stored.source_address).toBe('127.0.0.1')
  })

  it.each([
    ['?nonce=00c0ffee00c0ffee', '00c0ffee00c0ffee'],
    ['?x=1&nonce=00c0ffee00c0ffee&y', '00c0ffee00c0ffee'],
    ['?nonce=00C0FFEE00C0FFEE', null],
    ['?nonce=00c0ffee00c0ffee&nonce=00c0ffee00c0ffee', null],
    ['?nonce=%00', null],
    ['?%', null],
    ['', null],
  ])('is stored with the nonce of its URL, where it has one: %s', async (query, nonce) => {
    const { id, token } = await openPayment()
    expect((await post(`${token}${query}`, '{"with":"a nonce"}')).status).toBe(200)
    expect(await newestCallback()).toMatchObject({ payment_id: id, nonce })
  })

  it('settles its payment afterwards', async () => {
    const { id, tail } = await openPayment()
    await eventually(async () => expect(await stateOf(id)).toBe('submitted'))
    await post(tail, '{"Body":{"stkCallback":{"ResultCode":0,"ResultDesc":"Paid"}}}')
    await eventually(async () => expect(await stateOf(id)).toBe('successful'))
  })

  it.each([
    ['empty', ''],
    ['one byte of nonsense', Buffer.from([0xff])],
    ['every byte there is', Buffer.from(Array.from({ length: 256 }, (_one, byte) => byte))],
    ['64 KiB long', Buffer.alloc(65_536, 'x')],
    ['nested as deep as it can be', '['.repeat(65_536)],
    ['with NULs in its text', '{"Body":{"stkCallback":{"ResultCode":1,"ResultDesc":"a\\u0000b"}}}'],
  ])('%s is kept, known or unknown', async (_what, body) => {
    for (const token of [(await openPayment()).token, strangeToken('kept')]) {
      const answer = await post(token, body)
      expect([answer.status, answer.body]).toEqual([200, ACKNOWLEDGED])
      expect((await newestCallback()).body).toEqual(Buffer.from(body))
    }
  })

  it.each([
    ['none', []],
    ['text', ['Content-Type: text/plain']],
    ['nonsense', ['Content-Type: ;;;']],
    ['empty', ['Content-Type:']],
    ['compressed', ['Content-Type: application/json', 'Content-Encoding: gzip']],
  ])('of content type %s is kept as it is', async (what, headers) => {
    const answer = await post(strangeToken(what), 'as it is', headers)
    expect([answer.status, answer.body]).toEqual([200, ACKNOWLEDGED])
    const stored = await newestCallback()
    expect(stored.body.toString()).toBe('as it is')
    expect(stored.headers.slice(2, 2 + headers.length)).toEqual(
      headers.map((line) => [line.split(':')[0], line.split(':')[1]?.trim()]),
    )
  })

  it.each(['a', '%20', '%00', 'a'.repeat(4000), strangeToken('x').toUpperCase(), '..;', ''])(
    'with the token %j, which nobody issued, is kept without a payment',
    async (token) => {
      const before = await countCallbacks()
      const answer = await post(token, '{"of":"nobody"}')
      expect([answer.status, answer.body]).toEqual([200, ACKNOWLEDGED])
      expect(await countCallbacks()).toBe(before + 1)
      expect((await newestCallback()).payment_id).toBeNull()
    },
  )

  it('without a body, or in chunks, is kept', async () => {
    const path = `POST /callbacks/stk/${strangeToken('chunks')}`
    const [bare] = parseAnswers(await exchange(test.httpPort, request(path)))
    expect([bare?.status, (await newestCallback()).body.length]).toEqual([200, 0])
    const bytes = request(path, ['Transfer-Encoding: chunked'], '3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n')
    const [chunked] = parseAnswers(await exchange(test.httpPort, bytes))
    expect([chunked?.status, (await newestCallback()).body.toString()]).toEqual([200, 'abcde'])
  })

  it('twice is kept twice', async () => {
    const before = await countCallbacks()
    const body = '{"twice":true}'
    await Promise.all([post(strangeToken('twice'), body), post(strangeToken('twice'), body)])
    expect(await countCallbacks()).toBe(before + 2)
  })

  it('over 64 KiB is refused, and not kept', async () => {
    const before = await countCallbacks()
    const answer = await post(strangeToken('large'), Buffer.alloc(65_537, 'x'))
    expect([answer.status, answer.body]).toEqual([413, errorBody('the body must be at most 65536 bytes')])
    expect(await countCallbacks()).toBe(before)
  })

  it('never shows its token in the log', async () => {
    const known = (await openPayment()).token
    const tokens = [known, strangeToken('log')]
    for (const token of tokens) {
      await post(token, '{}')
      await post(token, Buffer.alloc(65_537))
      await ask(test, `GET /callbacks/stk/${token}`)
    }
    const log = test.logLines.join('')
    expect(log).toContain('"status":413')
    for (const token of tokens) expect(log).not.toContain(token)
    expect(log).not.toContain(test.apiKey)
  })
})

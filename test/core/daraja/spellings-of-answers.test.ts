import { asyncProperty, assert as check, constantFrom, type GeneratorValue, gen, json, nat } from 'fast-check'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import type { Daraja } from '../../../src/core/daraja/call.ts'
import { createDarajaClient, type DarajaClient } from '../../../src/core/daraja/client.ts'
import { registerPull } from '../../../src/core/daraja/pull.ts'
import { queryStk } from '../../../src/core/daraja/query.ts'
import { pushStk } from '../../../src/core/daraja/stk-push.ts'
import { createTokenSource } from '../../../src/core/daraja/token.ts'
import { systemClock } from '../../../src/runtime/clock.ts'
import { type AnsweringServer, startAnsweringServer } from './answering-server.ts'
import { ERRORS, ODD_CODES, REGISTRATIONS, RESULTS, type ResultMeaning } from './answers-table.ts'
import {
  member,
  pad,
  recase,
  rephrase,
  spellAnswer,
  spellCode,
  spellDocument,
  spellObject,
  spellString,
} from './spell.ts'
import { CHECKOUT_REQUEST_ID, maybe, RUNS, resultMembers } from './spell-result.ts'

const ANY_STATUS = [200, 201, 400, 401, 403, 404, 405, 429, 500, 502, 503, 504] as const
const PAYMENT = { msisdn: '254712345678', amount_kes: 150 }
const WORDING = {
  accountReference: 'INV2025001',
  darajaCallbackUrl: 'https://pay.example.com/callbacks/stk/1',
}

type Draw = GeneratorValue

const spellError = (draw: Draw, { code, text }: { code: string; text: string }): string =>
  spellDocument(
    draw,
    spellObject(draw, [
      member(draw, recase(draw, 'errorCode'), spellPaddedCode(draw, code)),
      member(draw, recase(draw, 'errorMessage'), spellString(draw, rephrase(draw, text))),
    ]),
  )

const spellPaddedCode = (draw: Draw, code: string): string =>
  draw(nat, 1) === 0 ? spellCode(draw, code) : spellString(draw, pad(draw, code))

describe('an answer, however it is spelled, through a socket', () => {
  let server: AnsweringServer
  let client: DarajaClient
  let daraja: Daraja

  beforeAll(async () => {
    server = await startAnsweringServer()
    client = createDarajaClient({ baseUrl: server.url, timeoutMs: 20_000, connections: 1 })
  })
  beforeEach(() => {
    const account = {
      consumerKey: 'key',
      consumerSecret: 'secret',
      shortcode: '174379',
      passkey: 'passkey',
      transactionType: 'CustomerPayBillOnline' as const,
      partyB: '174379',
    }
    const tokens = createTokenSource({ send: client.send, account, nowMs: () => performance.now() })
    daraja = { account, send: client.send, tokens, clock: systemClock }
  })
  afterAll(async () => {
    await client.close()
    await server.close()
  })

  /** What `call` makes of the answer, and how often it asked for it. */
  const hear = async <Outcome>(answer: Buffer, call: () => Promise<Outcome>) => {
    server.answerWith(answer)
    const outcome = await call()
    return { outcome, asked: server.asked() }
  }
  const show = (answer: Buffer): string => answer.toString('utf8')

  it('to a push with an error means what the table says, whatever its HTTP status', async () => {
    const spelled = asyncProperty(gen(), async (draw) => {
      const row = draw(constantFrom, ...ERRORS)
      const answer = spellAnswer(draw, draw(constantFrom, ...ANY_STATUS), spellError(draw, row))
      const { outcome, asked } = await hear(answer, () => pushStk(daraja, PAYMENT, WORDING))
      const means = asked === 2 && outcome.kind === 'later' ? 'bad_token' : outcome.kind
      expect([means, asked, show(answer)]).toEqual([
        row.means,
        row.means === 'bad_token' ? 2 : 1,
        show(answer),
      ])
      if (outcome.kind === 'refused') expect(outcome.code).toBe(row.code)
    })
    await check(spelled, RUNS)
  })

  it('to a push that was taken is taken, whatever its HTTP status; and unknown beside an error', async () => {
    const spelled = asyncProperty(gen(), async (draw) => {
      const isContradicted = draw(nat, 3) === 0
      const { code, text } = draw(constantFrom, ...ERRORS)
      const members = [
        member(draw, 'ResponseCode', spellCode(draw, '0')),
        member(draw, 'CheckoutRequestID', spellString(draw, pad(draw, CHECKOUT_REQUEST_ID))),
        ...maybe(
          draw,
          member(draw, 'MerchantRequestID', draw(constantFrom, '"29115-1"', '29115', 'null', '{}')),
        ),
        ...(isContradicted ? [`"errorCode":"${code}"`, `"errorMessage":${JSON.stringify(text)}`] : []),
      ]
      const answer = spellAnswer(
        draw,
        draw(constantFrom, ...ANY_STATUS),
        spellDocument(draw, spellObject(draw, members)),
      )
      const { outcome, asked } = await hear(answer, () => pushStk(daraja, PAYMENT, WORDING))
      const expected = isContradicted ? 'unknown' : 'accepted'
      expect([outcome.kind, asked, show(answer)]).toEqual([expected, 1, show(answer)])
      if (outcome.kind === 'accepted') expect(outcome.checkoutRequestId).toBe(CHECKOUT_REQUEST_ID)
    })
    await check(spelled, RUNS)
  })

  it('to a push is never taken for a success that it does not say, nor made again, whatever its bytes', async () => {
    const spelled = asyncProperty(gen(), async (draw) => {
      const odd = draw(constantFrom, ...ODD_CODES)
      const members = [`"ResponseCode":${odd}`, `"CheckoutRequestID":"${CHECKOUT_REQUEST_ID}"`]
      const body = draw(
        constantFrom,
        spellObject(draw, members),
        draw(json),
        '',
        'OK',
        '<html>OK</html>',
        '{',
      )
      const answer = spellAnswer(draw, draw(constantFrom, 200, 201, 500, 502, 504), body)
      const { outcome, asked } = await hear(answer, () => pushStk(daraja, PAYMENT, WORDING))
      expect([outcome.kind, asked, show(answer)]).toEqual(['unknown', 1, show(answer)])
    })
    await check(spelled, RUNS)
  })

  const spellFound = (draw: Draw, code: string, text: string): string =>
    spellDocument(
      draw,
      spellObject(draw, [
        member(draw, 'ResponseCode', spellCode(draw, '0')),
        ...resultMembers(draw, code, text),
        ...maybe(draw, member(draw, 'CheckoutRequestID', `"${CHECKOUT_REQUEST_ID}"`)),
      ]),
    )

  it('to a query means what the table says, and nothing under an HTTP status that contradicts it', async () => {
    const spelled = asyncProperty(gen(), async (draw) => {
      const row = draw(constantFrom, ...RESULTS)
      const status = draw(constantFrom, 200, 200, 200, 201, 400, 404, 500, 503)
      const answer = spellAnswer(draw, status, spellFound(draw, spellCode(draw, row.code), row.text))
      const { outcome } = await hear(answer, () => queryStk(daraja, CHECKOUT_REQUEST_ID))
      expect([meaningOfQuery(outcome), show(answer)]).toEqual([
        status < 300 ? row.means : 'unsettled',
        show(answer),
      ])
    })
    await check(spelled, RUNS)
  })

  it('to a query settles nothing as an error, or when its code is not spelled as one', async () => {
    const spelled = asyncProperty(gen(), async (draw) => {
      const isError = draw(nat, 1) === 0
      const body = isError
        ? spellError(draw, draw(constantFrom, ...ERRORS))
        : spellFound(draw, draw(constantFrom, ...ODD_CODES), '')
      const answer = spellAnswer(draw, draw(constantFrom, 200, 500), body)
      const { outcome } = await hear(answer, () => queryStk(daraja, CHECKOUT_REQUEST_ID))
      expect([outcome.kind, show(answer)]).toEqual(['open', show(answer)])
    })
    await check(spelled, RUNS)
  })

  it('to the registration for Pull Transactions means what the table says', async () => {
    const spelled = asyncProperty(gen(), async (draw) => {
      const row = draw(constantFrom, ...REGISTRATIONS)
      const [code, text] = draw(
        constantFrom,
        ['ResponseStatus', 'ResponseDescription'] as const,
        ['ResponseCode', 'ResponseMessage'] as const,
        ...(row.status === null ? [['errorCode', 'errorMessage'] as const] : []),
      )
      const members = [
        member(draw, recase(draw, code), spellPaddedCode(draw, row.code)),
        member(draw, recase(draw, text), spellString(draw, rephrase(draw, row.text))),
      ]
      const status = row.status ?? draw(constantFrom, ...ANY_STATUS)
      const answer = spellAnswer(draw, status, spellDocument(draw, spellObject(draw, members)))
      const { outcome } = await hear(answer, () =>
        registerPull(daraja, {
          msisdn: null,
          darajaCallbackUrl: 'https://pay.example.com/callbacks/stk/pull',
        }),
      )
      expect([outcome.kind === 'success', show(answer)]).toEqual([row.registered, show(answer)])
    })
    await check(spelled, RUNS)
  })
})

const meaningOfQuery = (outcome: Awaited<ReturnType<typeof queryStk>>): ResultMeaning => {
  if (outcome.kind === 'open') return 'unsettled'
  return outcome.resultCode === '0' ? 'paid' : 'failed'
}

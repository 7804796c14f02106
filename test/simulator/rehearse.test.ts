import { describe, expect, it } from 'vitest'
import { OUTCOMES, PAID_ENDINGS } from '../../src/simulator/outcomes.ts'
import { createRehearsal, type RehearsedPush } from '../../src/simulator/rehearse.ts'

const DELAY_MS = 1_000
const HOUR_MS = 3_600_000
const PUSHED_AT = new Date('2026-05-04T18:04:10.237Z')

const rehearsal = createRehearsal({ delayMs: DELAY_MS })

const pushOf = (overrides: Partial<RehearsedPush>): RehearsedPush => ({
  paymentId: 17n,
  msisdn: '254712345678',
  amountKes: 150,
  pushedAt: PUSHED_AT,
  ...overrides,
})

const after = (ms: number): Date => new Date(PUSHED_AT.getTime() + ms)

const answeredTo = (push: RehearsedPush): Record<string, string> => {
  const { answer } = rehearsal.push(push)
  return answer.kind === 'answered' ? JSON.parse(answer.body) : {}
}

/** What the query answers, so long after the push. */
const codeAfter = (push: RehearsedPush, ms: number): string | undefined => {
  const { body } = rehearsal.query(answeredTo(push)['CheckoutRequestID'] ?? '', after(ms))
  return JSON.parse(body).ResultCode
}

const ACCEPTED = OUTCOMES.filter(({ call, does }) => call === 'push' && does.answer === undefined)

describe('a rehearsal', () => {
  it.each(ACCEPTED.map(({ name, phones, does }) => [name, phones[0] ?? '', does] as const))(
    'of %s ends on both channels as the simulator’s table says, again and again',
    (_name, msisdn, does) => {
      const push = pushOf({ msisdn })
      const { callbacks } = rehearsal.push(push)
      const { endings = PAID_ENDINGS, callbackTimes = 1, callbackLateBy = 0 } = does
      const times = endings.flatMap(({ afterDelays }) =>
        Array.from({ length: callbackTimes }, () => (afterDelays + callbackLateBy) * DELAY_MS),
      )
      expect(callbacks.map(({ afterMs }) => afterMs)).toEqual(times)
      expect(rehearsal.push(push)).toEqual(rehearsal.push(push))
      for (const { afterDelays, result } of endings) {
        expect(codeAfter(push, afterDelays * DELAY_MS)).toBe(String(result.code))
      }
      expect(codeAfter(push, (endings[0]?.afterDelays ?? 1) * DELAY_MS - 1)).toBe('4999')
    },
  )

  it('is told from another by what it is about: any replica answers for it', () => {
    const cancelled = pushOf({ amountKes: 249_002, paymentId: 123_456_789n })
    const id = answeredTo(cancelled)['CheckoutRequestID'] ?? ''
    expect(id).toMatch(/^ws_CO_TEST_[0-9a-z]+_249002_[0-9a-z]+_712345678$/)
    const elsewhere = createRehearsal({ delayMs: DELAY_MS })
    expect(JSON.parse(elsewhere.query(id, after(DELAY_MS)).body).ResultCode).toBe('1032')
    expect(elsewhere.query('ws_CO_04052026210410237712345678', after(DELAY_MS)).status).toBe(500)
  })

  it('has a receipt that M-PESA cannot give, another for each payment and each success', () => {
    const receiptsOf = (paymentId: bigint, msisdn = '254712345678'): string[] =>
      rehearsal
        .push(pushOf({ paymentId, msisdn }))
        .callbacks.map(({ body }) => /"MpesaReceiptNumber","Value":"([^"]+)"/.exec(body)?.[1] ?? '')
    // The second character of M-PESA's stands for the month: A to L.
    for (const receipt of receiptsOf(17n)) expect(receipt).toBe('XTEST0000H')
    expect(receiptsOf(17n, '254700000122')).toEqual(['XTEST0000H', 'XTES20000H'])
    expect(receiptsOf(18n)).toEqual(['XTEST0000I'])
  })

  it('that would stay open for good ends after an hour as a time-out, on both channels', () => {
    const open = pushOf({ msisdn: '254700000120' })
    expect(codeAfter(open, HOUR_MS - 1)).toBe('4999')
    expect(codeAfter(open, HOUR_MS)).toBe('1037')
    const neverPrompted = pushOf({ msisdn: '254700000219' })
    expect(rehearsal.callbacksUntil(neverPrompted, after(HOUR_MS - 1))).toEqual([])
    expect(rehearsal.callbacksUntil(neverPrompted, after(HOUR_MS))).toEqual([
      expect.stringContaining('"ResultCode":1037'),
    ])
  })

  it('whose callback is still on its way is not called back again', () => {
    const push = pushOf({ msisdn: '254700000034' })
    expect(rehearsal.callbacksUntil(push, after(DELAY_MS))).toEqual([])
    expect(rehearsal.callbacksUntil(push, after(DELAY_MS + 5_000))).toHaveLength(1)
  })
})

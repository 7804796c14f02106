import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fromJson } from '@bufbuild/protobuf'
import { describe, expect, it } from 'vitest'
import { ERROR_RULES } from '../../../src/core/daraja/classify-error.ts'
import { FAILURES, failureOf } from '../../../src/core/payments/failures.ts'
import { CANCELLED, NOT_PROMPTED, STOPPED } from '../../../src/core/payments/states.ts'
import { FailureReason, PaymentFailureSchema } from '../../../src/gen/mpesa/gateway/v1/payments_pb.js'
import { OUTCOMES } from '../../../src/simulator/outcomes.ts'
import { FAILURE_REASON_NAMES, toFailureReasonName } from '../../../src/values/failure-reason.ts'

const nameOf = (code: string): string => toFailureReasonName(failureOf(code).reason)

/** The codes of the table in docs/daraja.md under "Result codes", but for those that are no failure. */
const documentedCodes = async (): Promise<string[]> => {
  const page = await readFile(join(import.meta.dirname, '../../../docs/daraja.md'), 'utf8')
  const [, section = ''] = page.split('## Result codes')
  const rows = (section.split('\n## ')[0] ?? '').matchAll(/^\| ([^|]+) \|/gm)
  const codes = [...rows].flatMap(([, cell = '']) =>
    [...cell.matchAll(/`?([A-Z_]*\d[A-Z0-9_]*)`?/g)].map(([, code = '']) => code),
  )
  return codes.filter((code) => code !== '0' && code !== '4999')
}

describe('why a payment failed', () => {
  it('has a reason of its own for each result code that is documented', async () => {
    const codes = await documentedCodes()
    expect(codes.length).toBeGreaterThanOrEqual(20)
    expect(codes.filter((code) => nameOf(code) === 'unknown')).toEqual([])
  })

  it('has one for each failure that the simulator plays under a documented code, and for those of the gateway', () => {
    const played = OUTCOMES.flatMap(({ does }) =>
      (does.endings ?? []).map(({ result }) => String(result.code)),
    )
    expect(new Set(played.map(nameOf))).toContain('insufficient_funds')
    const ours = [NOT_PROMPTED, STOPPED, CANCELLED].map(({ resultCode }) => nameOf(resultCode))
    expect(ours).toEqual(['not_prompted', 'not_prompted', 'cancelled'])
    expect(nameOf('NOT_PAID')).toBe('not_paid')
  })

  it.each([
    ['1', 'insufficient_funds', true],
    ['1032', 'cancelled_by_payer', false],
    ['1037', 'no_answer', true],
    ['2001', 'wrong_pin', true],
    ['17', 'repeated_too_soon', true],
    ['E3008', 'payer_not_allowed', false],
    ['SFC_IC0003', 'merchant_not_allowed', false],
    ['400.002.02', 'request_refused', false],
    ['405.001', 'request_refused', false],
    ['fault_401', 'request_refused', false],
    ['4711', 'unknown', false],
    ['', 'unknown', false],
    ['constructor', 'unknown', false],
  ])('the code %s is %s', (code, reason, worthRetrying) => {
    expect([nameOf(code), failureOf(code).worthRetrying]).toEqual([reason, worthRetrying])
  })

  it('knows every code by which Daraja refuses a push', () => {
    const refusing = ERROR_RULES.filter(({ means }) => means === 'refused')
    const codes = [
      '400.002.02',
      '400.002.05',
      '400.003.01',
      '400.003.02',
      '404.001.01',
      '404.003.01',
      '405.001',
      '500.001.1001',
    ]
    for (const code of codes) {
      expect(
        refusing.some((rule) => rule.code.test(code)),
        code,
      ).toBe(true)
      expect(nameOf(code)).toBe('request_refused')
    }
  })

  it('has one row for each reason of the contract, and no code twice', () => {
    expect(FAILURES.map(({ reason }) => toFailureReasonName(reason)).toSorted()).toEqual(
      FAILURE_REASON_NAMES.toSorted(),
    )
    const codes = FAILURES.flatMap((failure) => failure.codes)
    expect(new Set(codes).size).toBe(codes.length)
  })

  it('has a sentence in each language for each, which are not the same', () => {
    for (const { message } of FAILURES) {
      for (const text of Object.values(message)) expect(text).toMatch(/^[A-Z].{10,110}\.$/)
      expect(message.en).not.toBe(message.sw)
    }
    expect(new Set(FAILURES.map(({ message }) => message.en)).size).toBe(FAILURES.length)
    expect(new Set(FAILURES.map(({ message }) => message.sw)).size).toBe(FAILURES.length)
  })

  it('is unknown for a reason that this release does not know', () => {
    const payment = fromJson(PaymentFailureSchema, { reason: 999 })
    expect(toFailureReasonName(payment.reason)).toBe('unknown')
    expect(toFailureReasonName(FailureReason.UNSPECIFIED)).toBe('unknown')
  })
})

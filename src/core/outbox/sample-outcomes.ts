import { toDarajaTimestamp } from '../../values/instant.ts'
import { CANCELLED, NOT_PROMPTED } from '../payments/states.ts'
import { renderBody, type SettledPayment } from './enqueue.ts'

/** One POST of a rehearsal. */
export type SampleOutcome = {
  /** Stands in a header, never in the body. */
  name: string
  body: string
  /** Counts from 1: 2 repeats the one before under the same id, as after an answer that got lost. */
  attempt: number
}

/**
 * Above every id that a payment will have for long, and small enough for 32 bits: nobody takes a sample for a payment.
 */
const FIRST_SAMPLE_ID = 2_147_480_001n

/** A number that no phone has. */
const MSISDN = '254700000000'

type Sample = Pick<SettledPayment, 'state' | 'result_code' | 'result_desc'> & Partial<SettledPayment>

const paid = (more: Partial<SettledPayment> = {}): Sample => ({
  state: 'successful',
  result_code: '0',
  result_desc: 'The service request is processed successfully.',
  receipt: 'RKT7S9T2UB',
  ...more,
})

const failed = (code: string, description: string, more: Partial<SettledPayment> = {}): Sample => ({
  state: 'failed',
  result_code: code,
  result_desc: description,
  ...more,
})

/** What M-PESA gave no ids for. */
const NO_IDS = { merchant_request_id: null, checkout_request_id: null }

const TIMED_OUT = failed('1037', 'No response from user.')

/**
 * What a partner can get, each with a name and all deliveries of one payment, in order. In the last two a partner gets
 * the outcomes of one payment twice: once as an answer got lost, once as M-PESA took a failure back.
 */
const SAMPLES: readonly { name: string; outcomes: readonly Sample[] }[] = [
  { name: 'paid', outcomes: [paid()] },
  { name: 'paid-without-receipt', outcomes: [paid({ receipt: null })] },
  { name: 'cancelled', outcomes: [failed('1032', 'Request cancelled by user')] },
  { name: 'wrong-pin', outcomes: [failed('2001', 'The initiator information is invalid.')] },
  {
    name: 'insufficient-funds',
    outcomes: [failed('1', 'The balance is insufficient for the transaction.')],
  },
  { name: 'timeout', outcomes: [TIMED_OUT] },
  { name: 'code-as-text', outcomes: [failed('SFC_IC0003', 'The operator does not exist.')] },
  { name: 'refused', outcomes: [failed('400.002.02', 'Bad Request - Invalid PhoneNumber', NO_IDS)] },
  { name: 'not-prompted', outcomes: [failed(NOT_PROMPTED.resultCode, NOT_PROMPTED.resultDesc, NO_IDS)] },
  {
    name: 'cancelled-by-partner',
    outcomes: [failed(CANCELLED.resultCode, CANCELLED.resultDesc, NO_IDS)],
  },
  {
    name: 'not-paid',
    outcomes: [failed('NOT_PAID', 'Found not paid by an operator of the gateway.', NO_IDS)],
  },
  { name: 'told-twice', outcomes: [paid(), paid()] },
  { name: 'late-success', outcomes: [TIMED_OUT, paid()] },
]

export const SAMPLE_NAMES: readonly string[] = SAMPLES.map(({ name }) => name)

/**
 * The samples of these names, in the order of the catalogue: bodies exactly as partners get them, of payments that do
 * not exist and ended at `now`.
 */
export const sampleOutcomes = (names: readonly string[], now: Date): SampleOutcome[] =>
  SAMPLES.flatMap(({ name, outcomes }, index) => {
    if (!names.includes(name)) return []
    const blank = blankPayment(FIRST_SAMPLE_ID + BigInt(index), now)
    const bodies = outcomes.map((outcome) => {
      const whole = { ...blank, ...outcome }
      return renderBody(whole)
    })
    return bodies.map((body, at) => ({ name, body, attempt: at > 0 && body === bodies[at - 1] ? 2 : 1 }))
  })

const blankPayment = (id: bigint, now: Date) => ({
  id,
  partner_id: 0n,
  callback_url: '',
  msisdn: MSISDN,
  amount_kes: 150,
  merchant_request_id: `29115-${id}-1`,
  checkout_request_id: `ws_CO_${toDarajaTimestamp(now)}${MSISDN.slice(3)}`,
  receipt: null,
  transaction_date: now,
})

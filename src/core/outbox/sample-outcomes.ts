import { toDarajaTimestamp } from '../../values/instant.ts'
import { NOT_PROMPTED } from '../payments/payment.ts'
import { type OutcomeEvent, renderBody } from './enqueue.ts'

/** One POST of a rehearsal. */
export type SampleOutcome = {
  /** Stands in a header, never in the body. */
  name: string
  body: string
  /** Counts from 1: 2 repeats the one before under the same id, as after an answer that got lost. */
  attempt: number
}

/** Above every id that a payment will have for long, and small enough for 32 bits: nobody takes a sample for a payment. */
const FIRST_SAMPLE_ID = 2_147_480_001n

/** A number that no phone has. */
const MSISDN = '254700000000'

type SampleEvent = Pick<OutcomeEvent, 'outcome' | 'resultCode' | 'resultDesc'> & Partial<OutcomeEvent>

const paid = (more: Partial<OutcomeEvent> = {}): SampleEvent => ({
  outcome: 'successful',
  resultCode: '0',
  resultDesc: 'The service request is processed successfully.',
  receipt: 'RKT7S9T2UB',
  ...more,
})

const failed = (resultCode: string, resultDesc: string, more: Partial<OutcomeEvent> = {}): SampleEvent => ({
  outcome: 'failed',
  resultCode,
  resultDesc,
  ...more,
})

/** What M-PESA gave no ids for. */
const NO_IDS = { merchantRequestId: null, checkoutRequestId: null }

const TIMED_OUT = failed('1037', 'No response from user.')

/**
 * What a partner can get, each with a name and all deliveries of one payment, in order. In the last two a partner hears
 * of one payment twice: once as an answer got lost, once as M-PESA took a failure back.
 */
const SAMPLES: readonly { name: string; events: readonly SampleEvent[] }[] = [
  { name: 'paid', events: [paid()] },
  { name: 'paid-without-receipt', events: [paid({ receipt: null })] },
  { name: 'cancelled', events: [failed('1032', 'Request cancelled by user')] },
  { name: 'wrong-pin', events: [failed('2001', 'The initiator information is invalid.')] },
  {
    name: 'insufficient-funds',
    events: [failed('1', 'The balance is insufficient for the transaction.')],
  },
  { name: 'timeout', events: [TIMED_OUT] },
  { name: 'code-as-text', events: [failed('SFC_IC0003', 'The operator does not exist.')] },
  { name: 'refused', events: [failed('400.002.02', 'Bad Request - Invalid PhoneNumber', NO_IDS)] },
  { name: 'not-prompted', events: [failed(NOT_PROMPTED.resultCode, NOT_PROMPTED.resultDesc, NO_IDS)] },
  { name: 'not-paid', events: [failed('NOT_PAID', 'Found not paid by an operator of the gateway.', NO_IDS)] },
  { name: 'told-twice', events: [paid(), paid()] },
  { name: 'late-success', events: [TIMED_OUT, paid()] },
]

export const SAMPLE_NAMES: readonly string[] = SAMPLES.map(({ name }) => name)

/**
 * The samples of these names, in the order of the catalogue: bodies exactly as partners get them, of payments that do not exist and
 * ended at `now`.
 */
export const sampleOutcomes = (names: readonly string[], now: Date): SampleOutcome[] =>
  SAMPLES.flatMap(({ name, events }, index) => {
    if (!names.includes(name)) return []
    const blank = blankEvent(FIRST_SAMPLE_ID + BigInt(index), now)
    const bodies = events.map((event) => {
      const whole = { ...blank, ...event }
      return renderBody(whole)
    })
    return bodies.map((body, at) => ({ name, body, attempt: at > 0 && body === bodies[at - 1] ? 2 : 1 }))
  })

const blankEvent = (paymentId: bigint, now: Date) => ({
  paymentId,
  partnerId: 0n,
  callbackUrl: '',
  msisdn: MSISDN,
  amountKes: 150,
  merchantRequestId: `29115-${paymentId}-1`,
  checkoutRequestId: `ws_CO_${toDarajaTimestamp(now)}${MSISDN.slice(3)}`,
  receipt: null,
  transactionDate: now,
})

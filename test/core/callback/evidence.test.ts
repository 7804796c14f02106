import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { eventually } from '../../support/eventually.ts'
import { readPayment, record } from '../../support/payments.ts'
import {
  CHECKOUT_ID,
  type EvidenceStage,
  newReceipt,
  OTHER_CHECKOUT_ID,
  OTHER_NONCE,
  openEvidence,
  type PaymentGiven,
  type Said,
  WAYS,
} from './evidence-harness.ts'

const OTHER_AMOUNT: Said = { amount: 1 }
const OTHER_PAYER: Said = { phone: 254_799_999_999 }
const FAILURE: Said = { resultCode: 1032 }

describe.each(WAYS)('evidence that is $way:', ({ atOnce }) => {
  let stage: EvidenceStage
  beforeAll(async () => {
    stage = await openEvidence({ atOnce })
  })
  afterAll(() => stage.stop())

  describe('a callback of another payment than the one that its URL names now', () => {
    it.each<[string, PaymentGiven, Said, string]>([
      ['under another nonce', {}, { nonce: OTHER_NONCE }, 'of_another_payment'],
      ['a failure under another nonce', {}, { nonce: OTHER_NONCE, ...FAILURE }, 'of_another_payment'],
      [
        'under another nonce, before the push',
        { state: 'accepted' },
        { nonce: OTHER_NONCE },
        'of_another_payment',
      ],
      [
        'under another nonce, while the reply is to come',
        { state: 'submitting' },
        { nonce: OTHER_NONCE },
        'of_another_payment',
      ],
      [
        'under another nonce, of an unknown push',
        { state: 'unconfirmed' },
        { nonce: OTHER_NONCE },
        'of_another_payment',
      ],
      [
        'with another CheckoutRequestID',
        {},
        { checkoutRequestId: OTHER_CHECKOUT_ID },
        'different_checkout_request_id',
      ],
      [
        'a failure with another CheckoutRequestID',
        {},
        { checkoutRequestId: OTHER_CHECKOUT_ID, ...FAILURE },
        'different_checkout_request_id',
      ],
      [
        'with another MerchantRequestID',
        {},
        { merchantRequestId: '29115-1' },
        'different_merchant_request_id',
      ],
      ['with another amount', {}, OTHER_AMOUNT, 'different_amount'],
      ['a failure with another amount', {}, { ...OTHER_AMOUNT, ...FAILURE }, 'different_amount'],
      ['with another amount, of an unknown push', { state: 'unconfirmed' }, OTHER_AMOUNT, 'different_amount'],
      ['with another payer', {}, OTHER_PAYER, 'different_payer'],
      ['a failure with another payer', {}, { ...OTHER_PAYER, ...FAILURE }, 'different_payer'],
      [
        'without the nonce that its payment has, and with another id',
        {},
        { nonce: null, checkoutRequestId: OTHER_CHECKOUT_ID },
        'different_checkout_request_id',
      ],
      ['without nonce or id', {}, { nonce: null, checkoutRequestId: null }, 'not_proven'],
      ['without nonce, before we have an id', { state: 'unconfirmed' }, { nonce: null }, 'not_proven'],
      [
        'with a nonce, of a payment that has none and no id',
        { state: 'unconfirmed', nonce: null },
        {},
        'not_proven',
      ],
      [
        'with another id, of a payment of before',
        { nonce: null },
        { nonce: null, checkoutRequestId: OTHER_CHECKOUT_ID },
        'different_checkout_request_id',
      ],
    ])(
      'settles nothing, is found once, and has the truth asked for: %s',
      async (_what, given, said, kind) => {
        const id = await stage.newPayment(given)
        const before = await readPayment(stage.database, id)
        const duties = (await stage.look(id)).duties
        const receipt = newReceipt()
        await stage.tell({ paymentId: id, receipt, ...said })
        const seen = await stage.look(id)
        expect(seen).toMatchObject({ moves: [], delivered: [], duties, findings: [kind] })
        expect(seen.isAsked).toBe(duties.length > 0)
        expect(await readPayment(stage.database, id)).toEqual(before)
        expect(await stage.holderOf(receipt)).toBeNull()
        await stage.tell({ paymentId: id, receipt, ...said }, { paymentId: id, receipt, ...said })
        expect((await stage.look(id)).findings).toEqual([kind])
      },
    )

    it('is known in the finding by both sides, with no whole number and no whole CheckoutRequestID', async () => {
      const id = await stage.newPayment()
      await stage.tell({ paymentId: id, nonce: OTHER_NONCE, checkoutRequestId: OTHER_CHECKOUT_ID })
      await stage.tell({ paymentId: id, ...OTHER_PAYER, checkoutRequestId: OTHER_CHECKOUT_ID, amount: 149 })
      const findings = await stage.findingsOf(id)
      expect(findings.map(({ kind }) => kind)).toEqual([
        'different_amount',
        'different_checkout_request_id',
        'different_payer',
        'of_another_payment',
      ])
      const details = findings.map(({ detail }) => detail).join('\n')
      expect(details).toContain('KES 149')
      expect(details).toContain('KES 150')
      expect(details).toContain('2547*****678')
      expect(details).toContain('2547*****999')
      expect(details).not.toMatch(/2547\d{8}|712345678|799999999/)
      for (const one of [CHECKOUT_ID, OTHER_CHECKOUT_ID]) {
        expect(details).toContain(one.slice(0, 15))
        expect(details).not.toContain(one)
      }
    })

    it('is logged, without what its finding holds', async () => {
      const id = await stage.newPayment()
      await stage.tell({ paymentId: id, nonce: OTHER_NONCE })
      await eventually(() =>
        expect(stage.logLines.filter((line) => line['payment_id'] === Number(id))).toMatchObject([
          { event: 'evidence_not_believed', level: 'warn', cause: 'callback' },
          { event: 'payment_finding', level: 'error', kind: 'of_another_payment' },
        ]),
      )
    })

    it('leaves a paid payment as it is, and fills in no receipt', async () => {
      const id = await stage.newPayment({ state: 'successful' })
      await stage.tell({ paymentId: id, ...OTHER_AMOUNT }, { paymentId: id, nonce: OTHER_NONCE })
      expect(await stage.look(id)).toMatchObject({
        state: 'successful',
        receipt: null,
        delivered: [],
        findings: ['different_amount', 'of_another_payment'],
      })
    })

    it('does not keep the payment’s own from settling it', async () => {
      const id = await stage.newPayment()
      const [wrong, right] = [newReceipt(), newReceipt()]
      await stage.tell(
        { paymentId: id, nonce: OTHER_NONCE, receipt: wrong },
        { paymentId: id, receipt: right },
        { paymentId: id, nonce: OTHER_NONCE, receipt: wrong },
      )
      expect(await stage.look(id)).toMatchObject({
        state: 'successful',
        receipt: right,
        delivered: ['successful'],
      })
      expect(await stage.holderOf(right)).toBe(id)
      expect(await stage.holderOf(wrong)).toBeNull()
    })
  })

  describe('a callback of the payment that its URL names', () => {
    it.each<[string, PaymentGiven, Said]>([
      ['under its nonce', {}, {}],
      ['under its nonce, without any id', {}, { checkoutRequestId: null, merchantRequestId: null }],
      ['under its nonce, before the push: an older copy pushed it', { state: 'accepted' }, {}],
      ['under its nonce, of an unknown push', { state: 'unconfirmed' }, {}],
      ['of a payment of before, which has no nonce', { nonce: null }, { nonce: null }],
      ['of a payment of before, unknown', { nonce: null, state: 'unconfirmed' }, { nonce: null }],
      ['pushed by a process of before, with our id', {}, { nonce: null }],
      ['with a nonce that our payment lost, and our id', { nonce: null }, {}],
      ['of a masked payer', {}, { phone: '2547 ***** 126' }],
      ['of a payer that is no number', {}, { phone: 'a'.repeat(64) }],
      ['with an amount that nobody can read', {}, { amount: { toString: 1, valueOf: 1 } }],
    ])('settles it once, however often it comes: %s', async (_what, given, said) => {
      const id = await stage.newPayment(given)
      const receipt = newReceipt()
      await stage.tell({ paymentId: id, receipt, ...said }, { paymentId: id, receipt, ...said })
      await stage.tell({ paymentId: id, receipt, ...said })
      expect(await stage.look(id)).toMatchObject({
        state: 'successful',
        receipt,
        delivered: ['successful'],
        duties: [],
        findings: [],
      })
      expect(await stage.holderOf(receipt)).toBe(id)
    })

    it('that reports a failure with an amount of 0, for nothing moved, settles it', async () => {
      const id = await stage.newPayment()
      await stage.tell({ paymentId: id, ...FAILURE, amount: 0 })
      expect(await stage.look(id)).toMatchObject({ state: 'failed', delivered: ['failed'], findings: [] })
    })

    it('counts also when it comes late, after a failure', async () => {
      const id = await stage.newPayment()
      await stage.tell({ paymentId: id, ...FAILURE })
      await stage.tell({ paymentId: id })
      expect(await stage.look(id)).toMatchObject({ delivered: ['failed', 'successful'], findings: [] })
    })

    it('has Daraja asked when a success that contradicts it comes after a failure', async () => {
      const id = await stage.newPayment()
      await stage.tell({ paymentId: id, ...FAILURE })
      await stage.tell({ paymentId: id, ...OTHER_AMOUNT })
      expect(await stage.look(id)).toMatchObject({
        state: 'failed',
        delivered: ['failed'],
        duties: ['query'],
        isAsked: true,
        findings: ['different_amount'],
      })
    })
  })

  describe('a callback that comes before the reply to its push', () => {
    const replied = (paymentId: bigint, checkoutRequestId: string) =>
      record(stage.database, [
        {
          paymentId,
          take: 0,
          outcome: { kind: 'accepted', merchantRequestId: '2654-4b64', checkoutRequestId },
        },
      ])

    const waiting = async (said: Said = {}): Promise<{ id: bigint; callbackId: string }> => {
      const id = await stage.newPayment({ state: 'submitting' })
      const [callbackId = ''] = await stage.post({ paymentId: id, ...said })
      await eventually(() =>
        expect(stage.logLines).toContainEqual(
          expect.objectContaining({ event: 'evidence_waits', payment_id: Number(id) }),
        ),
      )
      expect(await stage.isWaiting(callbackId)).toBe(true)
      expect(await stage.look(id)).toMatchObject({
        state: 'submitting',
        moves: [],
        delivered: [],
        findings: [],
      })
      return { id, callbackId }
    }

    it('waits for it, and settles the payment then', async () => {
      const { id } = await waiting()
      await replied(id, CHECKOUT_ID)
      await eventually(async () => expect((await stage.look(id)).state).toBe('successful'))
      expect(await stage.look(id)).toMatchObject({
        moves: ['submitting>submitted push_accepted', 'submitted>successful callback'],
        delivered: ['successful'],
        duties: [],
        findings: [],
      })
    })

    it('settles nothing when the reply names another push', async () => {
      const { id, callbackId } = await waiting()
      await replied(id, OTHER_CHECKOUT_ID)
      await eventually(async () => expect(await stage.isWaiting(callbackId)).toBe(false))
      expect(await stage.look(id)).toMatchObject({
        state: 'submitted',
        delivered: [],
        duties: ['query'],
        isAsked: true,
        findings: ['different_checkout_request_id'],
      })
    })

    it('settles it when nobody learns what came of the push', async () => {
      const { id } = await waiting()
      await record(stage.database, [{ paymentId: id, take: 0, outcome: { kind: 'unknown', reason: 'cut' } }])
      await eventually(async () => expect((await stage.look(id)).state).toBe('successful'))
      expect(await stage.look(id)).toMatchObject({ delivered: ['successful'], duties: [], findings: [] })
    })

    it('waits also where the push was made by a process of before', async () => {
      const { id } = await waiting({ nonce: null })
      await replied(id, CHECKOUT_ID)
      await eventually(async () => expect((await stage.look(id)).state).toBe('successful'))
    })
  })

  describe('a callback that says paid, and no receipt', () => {
    it('has the receipt looked for in M-PESA’s records, until somebody brings it', async () => {
      const id = await stage.newPayment()
      await stage.tell({ paymentId: id, receipt: null })
      expect(await stage.look(id)).toMatchObject({
        state: 'successful',
        receipt: null,
        delivered: ['successful'],
        duties: ['confirm'],
        isAsked: true,
      })
      const receipt = newReceipt()
      await stage.tell({ paymentId: id, receipt })
      expect(await stage.look(id)).toMatchObject({ receipt, delivered: ['successful'], duties: [] })
    })

    it.each([true, false])(
      'has it looked for with a partner’s own account where that has such records: %s',
      async (pull) => {
        const id = await stage.newPayment()
        await stage.giveAccount(id, { pull })
        await stage.tell({ paymentId: id, receipt: null })
        expect(await stage.look(id)).toMatchObject({
          state: 'successful',
          duties: pull ? ['confirm'] : [],
        })
      },
    )
  })
})

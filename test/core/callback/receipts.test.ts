import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { readPayment } from '../../support/payments.ts'
import { type EvidenceStage, NONCE, newReceipt, openEvidence, WAYS } from './evidence-harness.ts'

describe.each(WAYS)('evidence that is $way:', ({ atOnce }) => {
  let stage: EvidenceStage
  beforeAll(async () => {
    stage = await openEvidence({ atOnce })
  })
  afterAll(() => stage.stop())

  describe('a receipt', () => {
    it('proves one payment: at another it settles nothing, and is found once', async () => {
      const receipt = newReceipt()
      const [first, second] = [await stage.newPayment(), await stage.newPayment()]
      await stage.tell({ paymentId: first, receipt })
      await stage.tell({ paymentId: second, receipt })
      await stage.tell({ paymentId: second, receipt })
      expect(await stage.look(first)).toMatchObject({ state: 'successful', receipt, findings: [] })
      expect(await stage.look(second)).toMatchObject({
        state: 'submitted',
        receipt: null,
        delivered: [],
        isAsked: true,
        findings: ['receipt_of_another_payment'],
      })
      expect(await stage.findingsOf(second)).toMatchObject([
        { detail: `callback: ${receipt} is the receipt of payment ${first}` },
      ])
    })

    it('proves one payment of those that are settled in one batch: the first', async () => {
      const receipt = newReceipt()
      const [first, second] = [await stage.newPayment(), await stage.newPayment()]
      await stage.tell({ paymentId: second, receipt }, { paymentId: first, receipt })
      const states = [await stage.look(first), await stage.look(second)].map(({ state }) => state)
      expect(states.sort()).toEqual(['submitted', 'successful'])
      const holder = await stage.holderOf(receipt)
      expect(await readPayment(stage.database, holder ?? 0n)).toMatchObject({ state: 'successful', receipt })
    })

    it('of another payment is not filled in where one is missing', async () => {
      const receipt = newReceipt()
      const [first, second] = [await stage.newPayment(), await stage.newPayment({ state: 'successful' })]
      await stage.tell({ paymentId: first, receipt })
      await stage.tell({ paymentId: second, receipt })
      expect(await stage.look(second)).toMatchObject({
        receipt: null,
        findings: ['receipt_of_another_payment'],
      })
    })

    it('that is filled in later is kept as the payment’s, and proves no other', async () => {
      const receipt = newReceipt()
      const [first, second] = [await stage.newPayment({ state: 'successful' }), await stage.newPayment()]
      await stage.tell({ paymentId: first, receipt })
      await stage.tell({ paymentId: second, receipt })
      expect(await stage.look(first)).toMatchObject({ receipt, findings: [] })
      expect(await stage.look(second)).toMatchObject({ state: 'submitted', delivered: [] })
    })

    it('that a later callback brings in its place is tried in its turn', async () => {
      const [taken, own] = [newReceipt(), newReceipt()]
      const [first, second] = [await stage.newPayment(), await stage.newPayment()]
      await stage.tell({ paymentId: first, receipt: taken })
      await stage.tell({ paymentId: second, receipt: taken }, { paymentId: second, receipt: own })
      expect(await stage.look(second)).toMatchObject({
        state: 'successful',
        receipt: own,
        delivered: ['successful'],
      })
      expect(await stage.holderOf(own)).toBe(second)
    })

    it('proves one payment however many replicas settle with it at one instant', async () => {
      for (let round = 0; round < 20; round += 1) {
        const receipt = newReceipt()
        const ids = await Promise.all(Array.from({ length: 4 }, () => stage.newPayment()))
        await Promise.all(ids.map((id) => stage.tell({ paymentId: id, receipt, nonce: NONCE })))
        const seen = await Promise.all(ids.map((id) => stage.look(id)))
        expect(seen.filter(({ state }) => state === 'successful')).toHaveLength(1)
        expect(seen.flatMap(({ delivered }) => delivered)).toEqual(['successful'])
        expect(seen.flatMap(({ findings }) => findings)).toHaveLength(3)
      }
    })
  })
})

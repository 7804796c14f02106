import { describe, expect, it } from 'vitest'
import { ARROWS, isPaymentState } from '../../../src/core/payments/states.ts'
import { decideSettlement } from '../../../src/core/settle/decide.ts'

const decide = (
  from: string,
  outcome: 'successful' | 'failed',
  receipts = { known: false, brings: true },
) => {
  if (!isPaymentState(from)) throw new Error(`${from} is no state`)
  return decideSettlement({ from, outcome, receiptKnown: receipts.known, bringsReceipt: receipts.brings })
}

describe('the states of a payment', () => {
  it('lead nowhere that is no state, and nowhere from a success', () => {
    for (const targets of Object.values(ARROWS))
      for (const to of targets) expect(isPaymentState(to)).toBe(true)
    expect(ARROWS.successful).toEqual([])
  })

  it.each(['accepted', 'submitting', 'submitted', 'unconfirmed'])(
    '%s is settled by either outcome',
    (from) => {
      expect(decide(from, 'successful')).toEqual({ kind: 'move', to: 'successful' })
      expect(decide(from, 'failed')).toEqual({ kind: 'move', to: 'failed' })
    },
  )

  it('a success after a failure counts, a second failure does not', () => {
    expect(decide('failed', 'successful')).toEqual({ kind: 'move', to: 'successful' })
    expect(decide('failed', 'failed')).toEqual({ kind: 'known' })
  })

  it('a failure after a success changes nothing, and is a contradiction', () => {
    expect(decide('successful', 'failed')).toEqual({ kind: 'contradiction' })
  })

  it('a second success brings a receipt that is missing, and nothing else', () => {
    expect(decide('successful', 'successful')).toEqual({ kind: 'fill_in_receipt' })
    expect(decide('successful', 'successful', { known: true, brings: true })).toEqual({ kind: 'known' })
    expect(decide('successful', 'successful', { known: false, brings: false })).toEqual({ kind: 'known' })
  })
})

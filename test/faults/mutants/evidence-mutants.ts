import type { Mutant } from './mutant.ts'

const EVIDENCE = 'test/core/callback/evidence.test.ts'
const RECEIPTS = 'test/core/callback/receipts.test.ts'

/** Evidence of another payment settles one: decision 15. */
export const EVIDENCE_MUTANTS: readonly Mutant[] = [
  {
    name: 'a callback under another nonce settles',
    law: 5,
    file: 'src/core/settle/identity.ts',
    changes: [{ find: 'if (differ(known.callback_nonce, callback.nonce))', replace: 'if (false)' }],
    killedBy: {
      file: 'test/core/settle/restored-copy.test.ts',
      test: 'settles nothing of the new payment by the late callback of the old one',
    },
  },
  {
    name: 'a callback without the nonce needs no proof',
    law: 5,
    file: 'src/core/settle/identity.ts',
    changes: [{ find: '!callback || callback.nonce === known.callback_nonce ||', replace: 'true ||' }],
    killedBy: { file: EVIDENCE, test: 'has the truth asked for: without nonce or id' },
  },
  {
    name: 'a callback with another CheckoutRequestID settles',
    law: 5,
    file: 'src/core/settle/identity.ts',
    changes: [
      { find: 'if (differ(known.checkout_request_id, said.checkoutRequestId))', replace: 'if (false)' },
    ],
    killedBy: { file: EVIDENCE, test: 'has the truth asked for: with another CheckoutRequestID' },
  },
  {
    name: 'a callback with another amount settles',
    law: 5,
    file: 'src/core/settle/identity.ts',
    changes: [{ find: 'if (differ(known.amount_kes, said.amountKes))', replace: 'if (false)' }],
    killedBy: { file: EVIDENCE, test: 'has the truth asked for: with another amount' },
  },
  {
    name: 'a callback with another payer settles',
    law: 5,
    file: 'src/core/settle/identity.ts',
    changes: [{ find: 'if (payer !== null && payer !== known.msisdn)', replace: 'if (false)' }],
    killedBy: { file: EVIDENCE, test: 'has the truth asked for: with another payer' },
  },
  {
    name: 'one receipt proves two payments',
    law: 5,
    file: 'src/core/settle/decide.ts',
    changes: [{ find: 'if (holder !== row.id)', replace: 'if (false)' }],
    killedBy: { file: RECEIPTS, test: 'proves one payment: at another it settles nothing' },
  },
  {
    name: 'whoever has a receipt already is not looked for',
    law: 5,
    file: 'src/core/settle/receipts.ts',
    changes: [
      { find: 'if (entered.has(receipt)) holders.set', replace: 'holders.set' },
      { find: 'for (const row of rows) holders.set(row.receipt, row.payment_id)', replace: '' },
    ],
    killedBy: {
      file: RECEIPTS,
      test: 'proves one payment however many replicas settle with it at one instant',
    },
  },
  {
    name: 'a receipt that another payment has settles a second one at once',
    law: 5,
    file: 'src/core/settle/write-outcomes.ts',
    changes: [
      {
        find: 'AND (given.receipt IS NULL OR given.id = ANY (ARRAY(SELECT payment_id FROM entered)))',
        replace: '',
      },
    ],
    killedBy: { file: RECEIPTS, test: 'proves one payment: at another it settles nothing' },
  },
  {
    name: 'a payment that changed since it was read is settled by what was read',
    law: 4,
    file: 'src/core/settle/write-outcomes.ts',
    changes: [{ find: 'payments.xmin = given.version AND', replace: '' }],
    killedBy: {
      file: 'test/core/callback/interpret-at-once.test.ts',
      test: 'is held against the payment as it is, whatever was changed since it was read',
    },
  },
  {
    name: 'a callback that was interpreted settles again',
    law: 5,
    file: 'src/core/settle/write-outcomes.ts',
    changes: [
      { find: 'payments.xmin = given.version AND', replace: '' },
      {
        find: 'payments.id = given.id AND payments.state = given.from_state\n        AND',
        replace: 'payments.id = given.id AND',
      },
    ],
    killedBy: {
      file: 'test/core/callback/interpret-at-once.test.ts',
      test: 'does not settle a payment that somebody else settles meanwhile',
    },
  },
  {
    name: 'a callback does not wait for the reply to its push',
    law: 5,
    file: 'src/core/settle/identity.ts',
    changes: [{ find: "if (known.state === 'submitting')", replace: 'if (false)' }],
    killedBy: { file: EVIDENCE, test: 'settles nothing when the reply names another push' },
  },
  {
    name: 'a callback that waits loses its duty',
    law: 3,
    file: 'src/core/callback/interpret.ts',
    changes: [
      { find: "decision.kind === 'wait' ? [callback] : []", replace: "decision.kind === 'wait' ? [] : []" },
    ],
    killedBy: { file: EVIDENCE, test: 'waits for it, and settles the payment then' },
  },
  {
    name: 'what fails by itself is tried for ever',
    law: 3,
    file: 'src/core/callback/interpret.ts',
    changes: [{ find: 'if (isOfItsContent(error)) {', replace: 'if (false) {' }],
    killedBy: {
      file: 'test/core/callback/failing-callbacks.test.ts',
      test: 'is kept, reported once, and not tried for ever',
    },
  },
]

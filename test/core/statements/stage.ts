import { sql } from 'kysely'
import { afterAll, beforeAll, beforeEach } from 'vitest'
import { type HandSettled, settleByHand } from '../../../src/core/settle/settle-by-hand.ts'
import type { Database } from '../../../src/database/connect.ts'
import { BY_HAND } from '../../support/actor.ts'
import { type OpenDatabase, openTestDatabase } from '../../support/database.ts'
import { type GivenLine, referencesOf, statementsOf } from './importing.ts'

/** When a payment of these tests is asked for, and paid. */
export const AT = '2026-11-25T09:00:00Z'
export const PAID_AT = '2026-11-25T09:00:20Z'

/** A line by which somebody paid. */
export const paid = (receipt: string, more: Partial<GivenLine> = {}): GivenLine => ({
  receipt,
  at: PAID_AT,
  ...more,
})

/** A line by which M-PESA gave back what the receipt `linked` paid. */
export const back = (receipt: string, linked: string, withdrawn = '-150.00'): GivenLine =>
  paid(receipt, { paidIn: '', withdrawn, reason: 'Payment Reversal', linked })

/** Our own account number of a payment. */
export const uniqueOf = (id: bigint): string =>
  referencesOf({ id, reference: null, callback_nonce: null })[0]?.reference ?? ''

/** Opens a database for the tests of a file, without payments and statements before each. */
export const useStatements = () => {
  let own: OpenDatabase
  beforeAll(async () => {
    own = await openTestDatabase()
  })
  beforeEach(async () => {
    await sql`TRUNCATE payments, receipts, statements, statement_lines, statement_exceptions`.execute(
      own.database,
    )
  })
  afterAll(() => own.close())

  const exceptions = async (openOnly = false) =>
    (await statementsOf(own.database).listStatementExceptions({ openOnly })).exceptions.toReversed()
  return {
    get database(): Database {
      return own.database
    },
    exceptions,
    /** What does not fit, as `kind payment receipt`. */
    found: async (openOnly = false): Promise<string[]> =>
      (await exceptions(openOnly)).map(({ kind, paymentId, receipt }) =>
        [kind, paymentId, receipt].join(' '),
      ),
    settleWith: (paymentId: bigint, receipt: string, anyway = true): Promise<HandSettled> =>
      settleByHand(own.database, { ...BY_HAND, paymentId, outcome: 'successful', receipt, anyway }),
  }
}

import { sql } from 'kysely'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { countExceptions } from '../../../src/core/statements/count-found.ts'
import { lookForExceptions } from '../../../src/core/statements/list-exceptions.ts'
import { findStatement } from '../../../src/core/statements/list-statements.ts'
import { migrateBack, migrateToLatest } from '../../../src/database/migrate.ts'
import { planByIndex } from '../../../src/database/plan-by-size.ts'
import { type OpenDatabase, openTestDatabase } from '../../support/database.ts'
import { quietLog } from '../../support/quiet-log.ts'
import { importFile, putPayment, statementOf, statementsOf } from './importing.ts'

let own: OpenDatabase
const AT = '2026-11-25T09:00:20Z'
const receiptOf = (number: number) => `TKP${String(number).padStart(7, '0')}`

beforeEach(async () => {
  own = await openTestDatabase()
  const { database } = own
  await putPayment(database, { state: 'successful', at: '2026-11-25T09:00:00Z', receipt: receiptOf(1) })
  await putPayment(database, { state: 'successful', at: '2026-11-25T09:30:00Z', receipt: 'TKP9999999' })
  // The first is of a payment, nine are of none, and one payment is missing.
  const lines = Array.from({ length: 10 }, (_line, index) => ({ receipt: receiptOf(index + 1), at: AT }))
  await importFile(database, statementOf(lines))
})
afterEach(() => own.close())

const countsWith = async (most?: number) => {
  const row = await findStatement(own.database, 1n)
  if (row === undefined) throw new Error('there is no statement')
  return countExceptions(own.database, row, most)
}

describe('what the import of a statement found', () => {
  it('is counted when it ends, and of one that was imported before that was done when it is asked for', async () => {
    const { getStatement } = statementsOf(own.database)
    const shown = {
      matchedLines: 1,
      exceptions: [
        { kind: 'missing_there', exceptions: 1, open: 1, openOrMore: false },
        { kind: 'unknown_here', exceptions: 9, open: 9, openOrMore: false },
      ],
    }
    expect(await own.database.selectFrom('statements').select('matched_lines').execute()).toEqual([
      { matched_lines: 1 },
    ])
    expect(await getStatement({ statementId: 1n })).toMatchObject(shown)
    await sql`UPDATE statements SET matched_lines = NULL, exception_counts = NULL`.execute(own.database)
    expect(await getStatement({ statementId: 1n })).toMatchObject(shown)
  })

  it('is counted by the migration of what was imported before it', async () => {
    const migrating = { databaseUrl: own.url, log: quietLog }
    const back = { ...migrating, to: '033-daily-totals' }
    await migrateBack(back)
    await migrateToLatest(migrating)
    const counted = own.database.selectFrom('statements').select(['matched_lines', 'exception_counts'])
    expect(await counted.execute()).toEqual([
      { matched_lines: 1, exception_counts: { missing_there: 1, unknown_here: 9 } },
    ])
  })

  it('is open as far as so many of a kind say, that many or more', async () => {
    const unknown = async (most: number) =>
      (await countsWith(most)).find(({ kind }) => kind === 'unknown_here')
    expect(await unknown(10)).toMatchObject({ exceptions: 9, open: 9, open_or_more: false })
    expect(await unknown(4)).toMatchObject({ exceptions: 9, open: 4, open_or_more: true })
    await sql`INSERT INTO receipts (receipt, payment_id) VALUES (${receiptOf(10)}, 7)`.execute(own.database)
    expect(await unknown(4)).toMatchObject({ exceptions: 9, open: 3, open_or_more: true })
    const { acknowledgeStatementExceptions } = statementsOf(own.database)
    await acknowledgeStatementExceptions({ statementId: 1n, kind: 'unknown_here', note: 'by hand' })
    expect(await unknown(4)).toMatchObject({ exceptions: 9, open: 0, open_or_more: false })
  })
})

describe('a list of what does not fit', () => {
  const look = (page: object, before = 2n ** 62n) =>
    planByIndex(own.database, (transaction) =>
      lookForExceptions(transaction, {
        statementId: null,
        kind: null,
        openOnly: false,
        limit: 20,
        before,
        most: 3,
        ...page,
      }),
    )

  it.each([
    ['all', {}, 10],
    ['of a statement', { statementId: 1n }, 10],
    ['of a kind', { kind: 'missing_there' }, 1],
    ['open, of a kind', { kind: 'unknown_here', openOnly: true }, 8],
    ['open, of a statement', { statementId: 1n, openOnly: true }, 9],
    ['open, of both', { statementId: 1n, kind: 'missing_there', openOnly: true }, 1],
    ['of a kind that none has', { kind: 'reversed' }, 0],
    ['of no statement', { statementId: 2n }, 0],
  ])('comes past so many in a look, and goes on where that ended: %s', async (_which, filter, count) => {
    await sql`INSERT INTO receipts (receipt, payment_id) VALUES (${receiptOf(10)}, 7)`.execute(own.database)
    const found: bigint[] = []
    for (let before: bigint | null = 2n ** 62n; before !== null; ) {
      const { exceptions, lookedTo } = await look(filter, before)
      expect(exceptions.length).toBeLessThanOrEqual(3)
      found.push(...exceptions.map(({ id }) => id))
      before = lookedTo
    }
    const whole = await look({ ...filter, most: 1_000 })
    expect(whole.lookedTo).toBeNull()
    expect(found).toEqual(whole.exceptions.map(({ id }) => id))
    expect(found).toHaveLength(count)
  })
})

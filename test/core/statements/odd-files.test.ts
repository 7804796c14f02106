import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type OpenDatabase, openTestDatabase } from '../../support/database.ts'
import { statementFixture } from '../../support/statements.ts'
import { importFile, statementOf, statementsOf } from './importing.ts'

describe('a statement that spreadsheets or people changed', () => {
  let own: OpenDatabase
  beforeAll(async () => {
    own = await openTestDatabase()
  })
  afterAll(() => own.close())

  it('refuses a file whose times have the month first, by the days that its receipts begin with', async () => {
    const file = (receipts: readonly string[], time = '05/11/2026 10:00:00') =>
      [
        'Receipt No.,Completion Time,Transaction Status,Paid In,Withdrawn,Reason Type',
        ...receipts.map((receipt) => `${receipt},${time},Completed,150,,Pay Utility`),
      ].join('\n')
    // The 11th of May 2026, and the 5th of November.
    const [may, november, neither] = ['UEB0000001', 'UK50000001', 'TKP0000001']
    const shortcode = '600123'
    await expect(importFile(own.database, file([may]), { shortcode })).rejects.toMatchObject({
      kind: 'wrong_field',
      message: expect.stringMatching(
        /^line 2, Completion Time: .* day and month exchanged: .*; nothing was stored$/,
      ),
      wrong: { field: 'upload_id' },
    })
    await expect(importFile(own.database, file([november, may]), { shortcode })).rejects.toThrow('exchanged')
    expect((await statementsOf(own.database).listStatements({})).statements).toEqual([])
    for (const receipts of [[november], [may, neither]])
      expect(await importFile(own.database, file(receipts), { shortcode })).toMatchObject({
        statement: { paidLines: receipts.length },
      })
  })

  it('says what a file cannot show that lacks the columns of what was withdrawn, and why', async () => {
    const file =
      'Receipt No.,Completion Time,Transaction Status,Paid In\nTKQ0000900,25-11-2026 12:00:20,Completed,150'
    const imported = await importFile(own.database, file, { shortcode: '600123' })
    expect(imported.caution).toMatch(
      /^The file has no column "Withdrawn" and no column "Reason Type": what M-PESA gave back to payers is not among/,
    )
    expect((await importFile(own.database, `${file}\n`, { shortcode: '600123' })).caution).toBe(
      imported.caution,
    )
    expect((await importFile(own.database, await statementFixture('portal.csv'))).caution).toBeUndefined()
  })

  it('names the shortcode as the field that is wrong where the file is of another one', async () => {
    // One that was imported is no other one's either.
    const portal = await statementFixture('portal.csv')
    await importFile(own.database, portal)
    await expect(importFile(own.database, portal, { shortcode: '600999' })).rejects.toThrow('not of 600999')
    await expect(importFile(own.database, statementOf([]), { shortcode: '600999' })).rejects.toMatchObject({
      wrong: { field: 'shortcode', problem: expect.stringContaining('not of 600999; nothing was stored') },
    })
  })
})

import { describe, expect, it } from 'vitest'
import { StatementError } from '../../../src/core/statements/statement-error.ts'
import { readWhole, statementFixture } from '../../support/statements.ts'

const COLUMNS = 'Receipt No.,Completion Time,Transaction Status,Paid In,Withdrawn,A/C No.'
const csv = (...lines: string[]): Buffer => Buffer.from(lines.join('\n'))
const LINE = 'TKP5AY9DLM,25-11-2026 21:45:13,Completed,150.00,,ORD1042'

const problemOf = async (bytes: Buffer): Promise<string> => {
  const error: unknown = await readWhole(bytes).then(
    () => null,
    (reason: unknown) => reason,
  )
  if (!(error instanceof StatementError)) throw new Error('the file was taken', { cause: error })
  return error.message
}

const PORTAL =
  'Receipt No.,Completion Time,Initiation Time,Details,Transaction Status,Paid In,Withdrawn,Balance,Balance Confirmed,Reason Type,Other Party Info,Linked Transaction ID,A/C No.'
const TIMES = '25-11-2026 21:45:13,25-11-2026 21:45:12'

/** Files of which every line has its cells beside their columns, and as many cells as the others. */
const SHIFTED: [what: string, bytes: Buffer, problem: string | RegExp][] = [
  [
    'lines without the time of the request',
    csv(PORTAL, `TKP5AY9DLM,25-11-2026 21:45:13,Pay Bill,Completed,150.00,,7506.00,true,Pay Utility,,,A1,`),
    /^line 2, Transaction Status: must be a word of letters, like Completed$/,
  ],
  [
    'lines whose time of the request is another cell',
    csv(PORTAL, 'TKP5AY9DLM,25-11-2026 21:45:13,Pay Bill,,Completed,150.00,,7506.00,true,,,,A1'),
    /^line 2, Initiation Time: must be a day and a time/,
  ],
  [
    'lines without what was paid in',
    csv(PORTAL, `TKP5AY9DLM,${TIMES},Pay Bill,Completed,,7506.00,true,Pay Utility,,,A1,`),
    /^line 2, Balance: must be an amount of KES/,
  ],
  [
    'lines with a cell more before what was paid in',
    csv(PORTAL, `TKP5AY9DLM,${TIMES},Pay Bill,Completed,,150.00,,7506.00,true,Pay Utility,,,`),
    /^line 2, Balance: is empty, and a completed line has a balance: is each cell under its own column\?/,
  ],
  [
    'lines whose balance stands as paid in',
    csv(PORTAL, `TKP5AY9DLM,${TIMES},Pay Bill,Completed,7506.00,true,Pay Utility,,,,,A1`),
    /^line 2, Withdrawn: must be an amount of KES/,
  ],
  [
    'amounts with commas in no quotes on every line, and nothing beyond the columns',
    csv(COLUMNS, ...['M', 'N'].map((end) => `TKP5AY9DL${end},25-11-2026 21:45:13,Completed,1,500.00,,`)),
    /^line 2, Withdrawn: stands beside an amount that was paid in, .* in quotes, like "1,500.00"\?$/,
  ],
  [
    'whole thousands in no quotes on every line',
    csv(COLUMNS, ...['M', 'N'].map((end) => `TKP5AY9DL${end},25-11-2026 21:45:13,Completed,2,000.00,,`)),
    /^line 2, Withdrawn: must be an amount of KES, like 1,500.00$/,
  ],
]

describe('a statement in CSV', () => {
  it('is read as the portal exports it: a head, thirteen columns, CRLF, a byte order mark, a line end in a cell', async () => {
    for (const pieceBytes of [1, 100, 100_000]) {
      const { head, lines } = await readWhole(await statementFixture('portal.csv'), pieceBytes)
      expect(head).toEqual({
        shortcode: '600123',
        account: 'Utility Account',
        from: new Date('2026-11-24T21:00:00Z'),
        to: new Date('2026-11-25T20:59:59Z'),
        reportedAt: new Date('2026-11-26T05:12:40Z'),
      })
      expect(lines.map(({ line }) => line)).toEqual([8, 10, 11, 12])
      expect(lines[0]).toEqual({
        line: 8,
        receipt: 'TKP5AY9DLM',
        completedAt: new Date('2026-11-25T18:45:13Z'),
        isCompleted: true,
        paidInCents: 150_000,
        withdrawnCents: 0,
        reference: 'ORD1042',
        reason: 'Pay Utility',
        linkedReceipt: null,
      })
      expect(lines[1]).toMatchObject({ paidInCents: 0, withdrawnCents: 3_400, reference: null })
      expect(lines[3]).toMatchObject({ isCompleted: false, paidInCents: 70_000 })
    }
  })

  it('is read without a head, with other columns in another order, semicolons, and the year first', async () => {
    const { head, lines } = await readWhole(await statementFixture('columns-only.csv'))
    expect(head).toEqual({ shortcode: null, account: null, from: null, to: null, reportedAt: null })
    expect(lines).toMatchObject([
      { receipt: 'TKP5AY9DLM', paidInCents: 150_000, completedAt: new Date('2026-11-25T18:45:13Z') },
      { receipt: 'TKP2AX1QRS', paidInCents: 200_000, completedAt: new Date('2026-11-25T11:03:00Z') },
    ])
  })

  it('is read with times of twelve hours', async () => {
    const { lines } = await readWhole(await statementFixture('handset.csv'))
    expect(lines).toMatchObject([{ completedAt: new Date('2026-11-25T18:45:00Z') }])
  })

  it('never keeps who paid', async () => {
    const { lines } = await readWhole(await statementFixture('columns-only.csv'))
    expect(JSON.stringify(lines)).not.toMatch(/2547|ACHIENG/)
  })

  it.each([
    ['nothing', Buffer.alloc(0), 'the file is empty: export the statement again'],
    ['UTF-16', Buffer.from(`${COLUMNS}\n`, 'utf16le'), /^the file is no text in UTF-8/],
    ['a PDF', Buffer.from('%PDF-1.7'), /^this is a PDF/],
    ['an XLS', Buffer.from('d0cf11e0a1b11ae1', 'hex'), /^this is an XLS of the old kind/],
    ['a page', Buffer.from('<html>'), /^this is a page/],
    ['another table', csv('a,b', '1,2'), /^this is no statement of M-PESA: none of its first 50 rows names/],
    [
      'columns too few',
      csv('Receipt No.,Paid In', 'x,1'),
      /^line 1: has no column "Completion Time", "Transaction Status"/,
    ],
    ['a column twice', csv(`${COLUMNS},Paid In`, LINE), /^line 1, Paid In: stands twice/],
    [
      'a receipt that is none',
      csv(COLUMNS, LINE, '254721000108,25-11-2026 21:45:13,Completed,1,,'),
      /^line 3, Receipt No\.: must be a receipt/,
    ],
    [
      'no receipt',
      csv(COLUMNS, LINE, ',25-11-2026 21:45:13,Completed,1,,'),
      /^line 3, Receipt No\.: must be a receipt/,
    ],
    [
      'no day',
      csv(COLUMNS, 'TKP5AY9DLM,25-11-2026,Completed,1,,'),
      /^line 2, Completion Time: must be a day and a time/,
    ],
    [
      'months first',
      csv(COLUMNS, 'TKP5AY9DLM,11/25/2026 21:45:13,Completed,1,,'),
      /^line 2, Completion Time/,
    ],
    ['no such day', csv(COLUMNS, 'TKP5AY9DLM,31-11-2026 21:45:13,Completed,1,,'), /^line 2, Completion Time/],
    [
      'no such hour',
      csv(COLUMNS, 'TKP5AY9DLM,30-11-2026 25:45:13,Completed,1,,'),
      /^line 2, Completion Time/,
    ],
    [
      'no amount',
      csv(COLUMNS, 'TKP5AY9DLM,25-11-2026 21:45:13,Completed,1.500.00,,'),
      /^line 2, Paid In: must be an amount/,
    ],
    [
      'thousands behind a point',
      csv(COLUMNS, 'TKP5AY9DLM,25-11-2026 21:45:13,Completed,1.500,,'),
      /^line 2, Paid In: must be an amount of KES, like 1,500.00$/,
    ],
    [
      'less than nothing',
      csv(COLUMNS, 'TKP5AY9DLM,25-11-2026 21:45:13,Completed,-5,,'),
      /^line 2, Paid In: must not be/,
    ],
    [
      'more digits than an amount has',
      csv(COLUMNS, `TKP5AY9DLM,25-11-2026 21:45:13,Completed,"1${',000'.repeat(120)}",,`),
      /^line 2, Paid In: must be an amount/,
    ],
    [
      'a character that is none',
      csv(COLUMNS, ...Array.from({ length: 2_000 }, () => LINE), `${LINE}\0`),
      /^line 2002: has a character that is none, of code 0/,
    ],
    [
      'a line cut short',
      csv(COLUMNS, LINE, 'TKP5AY9DLN,25-11-2026 21:4'),
      /^line 3: has 2 cells and the row of columns 6/,
    ],
    [
      'a line cut within its amount',
      csv(COLUMNS, 'TKP5AY9DLN,25-11-2026 21:45:13,Completed,15'),
      /^line 2: has 4 cells/,
    ],
    [
      'amounts with commas in no quotes',
      csv(COLUMNS, 'TKP5AY9DLN,25-11-2026 21:45:13,Completed,1,500.00,,Pay Utility'),
      /^line 2: has 7 cells, the row of columns 6 .*: amounts with commas must be in quotes, like "1,500.00"$/,
    ],
    [
      'amounts with commas in no quotes, and nothing beyond the columns',
      csv(COLUMNS, LINE, 'TKP5AY9DLN,25-11-2026 21:45:13,Completed,1,500.00,,'),
      /^line 3: has 7 cells, .* and the first line 6: amounts with commas must be in quotes/,
    ],
    ...SHIFTED,
    [
      'no status',
      csv(COLUMNS, 'TKP5AY9DLN,25-11-2026 21:45:13,,15,,'),
      /^line 2, Transaction Status: is empty/,
    ],
    [
      'an open quote',
      csv(COLUMNS, LINE, `TKP5AY9DLN,"25-11-2026 ${'x'.repeat(99)}`),
      /^line 3: a quote is opened/,
    ],
  ])('of %s says what is wrong and where', async (_what, bytes, problem) => {
    const said = await problemOf(bytes)
    expect(said).not.toContain('254721000108')
    expect(said).toMatch(problem)
  })

  it('takes a delimiter more at the end of every line', async () => {
    const { lines } = await readWhole(csv(COLUMNS, `${LINE},`, `${LINE},`))
    expect(lines).toHaveLength(2)
  })

  it.each(['Completed', 'COMPLETED', 'Failed', 'Cancelled', 'Pending Authorised'])(
    'takes %j as what became of a line',
    async (text) => {
      const { lines } = await readWhole(csv(COLUMNS, LINE.replace('Completed', text)))
      expect(lines[0]?.isCompleted).toBe(/^completed$/i.test(text))
    },
  )

  it('takes a line that was not completed without a balance', async () => {
    const line = `TKP5AY9DLM,${TIMES},Pay Bill,Cancelled,150.00,,,false,Pay Utility,,,A1`
    expect((await readWhole(csv(PORTAL, line))).lines).toMatchObject([{ paidInCents: 15_000 }])
  })

  it.each([
    ['152.19999999999999', 15_220],
    ['1.1000000000000001', 110],
    ['34.29', 3_429],
    ['999.99999999999989', 100_000],
  ])('takes %j, which is how Excel stores an amount, as the nearest cent', async (text, cents) => {
    const { lines } = await readWhole(csv(COLUMNS, `TKP5AY9DLM,25-11-2026 21:45:13,Completed,${text},,`))
    expect(lines[0]?.paidInCents).toBe(cents)
  })

  it.each(['1', '1.00', '1,500', '1,500.00', '-1,500.00', 'KES 1500', '', '-'])(
    'takes %j as withdrawn',
    async (text) => {
      const { lines } = await readWhole(csv(COLUMNS, `TKP5AY9DLM,25-11-2026 21:45:13,Completed,,"${text}",`))
      expect(lines[0]?.withdrawnCents).toBe(Math.abs(Number(text.replaceAll(/[^\d.]/g, ''))) * 100)
    },
  )
})

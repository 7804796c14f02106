import * as fc from 'fast-check'
import { expect, it } from 'vitest'
import { StatementError } from '../../../src/core/statements/statement-error.ts'
import { portalXlsx, readWhole, statementFixture } from '../../support/statements.ts'

// Whatever the file: it is read, and then sums to what it says, or a sentence says why not. Nothing else is ever thrown.

/** A line by what it means; amounts in cents. */
type Meant = {
  receipt: string
  at: Date
  isCompleted: boolean
  paidIn: number
  withdrawn: number
  details: string
}

const receipts = fc.stringMatching(/^[A-Z][A-Z0-9]{9}$/)
const cents = fc.oneof(fc.constant(0), fc.integer({ min: 1, max: 30_000_000 }))
/** A line moves money one way. */
const moved = fc
  .record({ amount: cents, isPaidIn: fc.boolean() })
  .map(({ amount, isPaidIn }) =>
    isPaidIn ? { paidIn: amount, withdrawn: 0 } : { paidIn: 0, withdrawn: amount },
  )
const meantLines = fc.array(
  fc
    .record({
      receipt: receipts,
      at: fc.date({ min: new Date('2020-01-01'), max: new Date('2039-12-31'), noInvalidDate: true }),
      isCompleted: fc.boolean(),
      moved,
      details: fc.string({ maxLength: 30 }).map((text) => text.replaceAll('\u0000', '')),
    })
    .map(
      ({ receipt, at, isCompleted, details, moved: { paidIn, withdrawn } }): Meant => ({
        receipt,
        at,
        isCompleted,
        paidIn,
        withdrawn,
        details,
      }),
    ),
  { maxLength: 20 },
)

/** How a file is written: all that exports differ in. */
const styles = fc.record({
  delimiter: fc.constantFrom(',', ';', '\t'),
  lineEnd: fc.constantFrom('\n', '\r\n'),
  mark: fc.constantFrom('', '\ufeff'),
  hasThousands: fc.boolean(),
  isYearFirst: fc.boolean(),
  isReversed: fc.boolean(),
  hasHead: fc.boolean(),
  endsLine: fc.boolean(),
  pieceBytes: fc.integer({ min: 1, max: 5_000 }),
})
type Style = Parameters<Parameters<typeof styles.map>[0]>[0]

const amountText = (amount: number, hasThousands: boolean): string =>
  (amount / 100).toLocaleString('en-US', { useGrouping: hasThousands, minimumFractionDigits: 2 })

const timeText = (at: Date, isYearFirst: boolean): string => {
  const [day = '', time = ''] = new Date(at.getTime() + 3 * 3_600_000).toISOString().slice(0, 19).split('T')
  return `${isYearFirst ? day : day.split('-').toReversed().join('-')} ${time}`
}

const quoted = (text: string): string => `"${text.replaceAll('"', '""')}"`

const write = (lines: readonly Meant[], style: Style): Buffer => {
  const columns: [string, (line: Meant) => string][] = [
    ['Receipt No.', ({ receipt }) => receipt],
    ['Completion Time', ({ at }) => timeText(at, style.isYearFirst)],
    ['Details', ({ details }) => quoted(details)],
    ['Transaction Status', ({ isCompleted }) => (isCompleted ? 'Completed' : 'Failed')],
    ['Paid In', ({ paidIn }) => quoted(amountText(paidIn, style.hasThousands))],
    ['Withdrawn', ({ withdrawn }) => quoted(`-${amountText(withdrawn, style.hasThousands)}`)],
  ]
  if (style.isReversed) columns.reverse()
  const head = style.hasHead ? [['Short Code:', '600123'].join(style.delimiter)] : []
  const rows = [
    columns.map(([title]) => title),
    ...lines.map((line) => columns.map(([, textOf]) => textOf(line))),
  ].map((cells) => cells.join(style.delimiter))
  return Buffer.from(
    style.mark + [...head, ...rows].join(style.lineEnd) + (style.endsLine ? style.lineEnd : ''),
  )
}

it('a statement in CSV that is written in any way says what it means', async () => {
  await fc.assert(
    fc.asyncProperty(meantLines, styles, async (meant, style) => {
      const { head, lines } = await readWhole(write(meant, style), style.pieceBytes)
      expect(head.shortcode).toBe(style.hasHead ? '600123' : null)
      expect(
        lines.map(({ receipt, isCompleted, paidInCents, withdrawnCents, completedAt }) => ({
          receipt,
          isCompleted,
          paidIn: paidInCents,
          withdrawn: withdrawnCents,
          at: completedAt.getTime(),
        })),
      ).toEqual(
        meant.map(({ receipt, isCompleted, paidIn, withdrawn, at }) => ({
          receipt,
          isCompleted,
          paidIn,
          withdrawn,
          at: Math.floor(at.getTime() / 1000) * 1000,
        })),
      )
    }),
    { numRuns: 150 },
  )
})

/** What is done to a file: bytes put in place of others, somewhere. */
const damages = fc.array(
  fc.record({
    at: fc.double({ min: 0, max: 1, noNaN: true }),
    cut: fc.nat(40),
    put: fc.uint8Array({ maxLength: 12 }),
  }),
  { minLength: 1, maxLength: 4 },
)

const damage = (bytes: Buffer, all: readonly { at: number; cut: number; put: Uint8Array }[]): Buffer =>
  all.reduce((whole, { at, cut, put }) => {
    const begin = Math.floor(at * whole.length)
    return Buffer.concat([whole.subarray(0, begin), put, whole.subarray(begin + cut)])
  }, bytes)

const isReadOrExplained = async (bytes: Buffer): Promise<void> => {
  const error: unknown = await readWhole(bytes).then(
    () => null,
    (reason: unknown) => reason,
  )
  if (error !== null && !(error instanceof StatementError)) throw error
}

it.each(['portal.csv', 'columns-only.csv', 'XLSX'])(
  '%s with anything in it is read, or a sentence says why not',
  async (name) => {
    const whole = name === 'XLSX' ? await portalXlsx() : await statementFixture(name)
    await fc.assert(
      fc.asyncProperty(damages, (all) => isReadOrExplained(damage(whole, all))),
      { numRuns: 200 },
    )
  },
)

it('a sheet with anything in it is read, or a sentence says why not', async () => {
  const sheet = await statementFixture('xlsx/sheet1.xml')
  await fc.assert(
    fc.asyncProperty(damages, async (all) =>
      isReadOrExplained(await portalXlsx({ 'xl/worksheets/sheet1.xml': damage(sheet, all) })),
    ),
    { numRuns: 100 },
  )
})

it('any bytes are read, or a sentence says why not', async () => {
  const beginnings = fc.constantFrom(
    '',
    'PK\x03\x04',
    'Receipt No.,Completion Time,Transaction Status,Paid In\n',
  )
  await fc.assert(
    fc.asyncProperty(beginnings, fc.uint8Array({ maxLength: 300 }), (beginning, bytes) =>
      isReadOrExplained(Buffer.concat([Buffer.from(beginning, 'latin1'), bytes])),
    ),
    { numRuns: 200 },
  )
})

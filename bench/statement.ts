import { execFile } from 'node:child_process'
import { createWriteStream } from 'node:fs'
import { mkdtemp, rm, stat } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { Client } from 'pg'
import { ZipFile } from 'yazl'
import { withOwnDatabase } from './support/own-database.ts'
import { printTable } from './support/report.ts'

const SHORTCODE = '600123'
const COLUMNS =
  'Receipt No.,Completion Time,Initiation Time,Details,Transaction Status,Paid In,Withdrawn,Balance,Balance Confirmed,Reason Type,Other Party Info,Linked Transaction ID,A/C No.'

/** One line in a hundred is of no payment. */
const UNKNOWN_EVERY = 100

/**
 * `npm run bench statement`: what it takes to import statements of so many lines beside as many paid payments, in a process of
 * its own: memory at its peak, CPU, and time. Files of XLSX have their texts in the cells, as streaming writers do.
 */
export const benchStatement = async (options: { lines: number[]; xlsx: number[] }): Promise<void> => {
  const folder = await mkdtemp(join(tmpdir(), 'gateway-bench-'))
  const files = [
    ...options.lines.map((lines) => ({ lines, form: 'csv' as const })),
    ...options.xlsx.map((lines) => ({ lines, form: 'xlsx' as const })),
  ]
  const rows: Record<string, string | number>[] = []
  try {
    for (const { lines, form } of files) {
      const path = join(folder, `statement.${form}`)
      await (form === 'csv' ? writeCsv(path, lines) : writeXlsx(path, lines))
      const { size } = await stat(path)
      await withOwnDatabase(async ({ databaseUrl, say }) => {
        say(`makes ${lines} payments`)
        await makePayments(databaseUrl, lines)
        say(`imports ${lines} lines of ${form}`)
        rows.push({ form, file_mb: Math.round(size / 1024 ** 2), ...(await importIt(databaseUrl, path)) })
      })
    }
  } finally {
    await rm(folder, { recursive: true })
  }
  printTable(rows)
}

const importIt = async (databaseUrl: string, path: string): Promise<Record<string, number>> => {
  const script = fileURLToPath(new URL('servers/statement.ts', import.meta.url))
  const env = { ...process.env, DATABASE_URL: databaseUrl }
  const { stdout } = await promisify(execFile)(process.execPath, [script, path, SHORTCODE], { env })
  return JSON.parse(stdout) as Record<string, number>
}

const receiptOf = (number: number): string => `T${number.toString(36).toUpperCase().padStart(9, '0')}`

const timeOf = (number: number): string => {
  const [day = '', time = ''] = new Date(Date.UTC(2026, 10, 25) + (number % 86_000) * 1000)
    .toISOString()
    .split('T')
  return `${day.split('-').toReversed().join('-')} ${time.slice(0, 8)}`
}

const cellsOf = (number: number): string[] => {
  const receipt = number % UNKNOWN_EVERY === 0 ? `U${receiptOf(number).slice(1)}` : receiptOf(number)
  const who = '25472****108 - ACHIENG **** OTIENO'
  return [
    receipt,
    timeOf(number),
    timeOf(number),
    `Pay Bill from ${who} Acc. ORD${number}`,
    'Completed',
    '150.00',
    '',
    '7,506.00',
    'true',
    'Pay Utility',
    who,
    '',
    `ORD${number}`,
  ]
}

function* csvLines(lines: number): Generator<string> {
  yield `Short Code:,${SHORTCODE}\r\n${COLUMNS}\r\n`
  for (let number = 1; number <= lines; number += 1)
    yield `${cellsOf(number)
      .map((cell) => `"${cell}"`)
      .join(',')}\r\n`
}

const writeCsv = (path: string, lines: number): Promise<void> =>
  pipeline(Readable.from(csvLines(lines)), createWriteStream(path))

function* sheetRows(lines: number): Generator<string> {
  yield '<worksheet><sheetData>'
  const toRow = (cells: readonly string[]): string =>
    `<row>${cells.map((cell) => `<c t="inlineStr"><is><t>${cell}</t></is></c>`).join('')}</row>`
  yield toRow(['Short Code:', SHORTCODE])
  yield toRow(COLUMNS.split(','))
  for (let number = 1; number <= lines; number += 1) yield toRow(cellsOf(number))
  yield '</sheetData></worksheet>'
}

const writeXlsx = async (path: string, lines: number): Promise<void> => {
  const zip = new ZipFile()
  zip.addReadStream(Readable.from(sheetRows(lines), { objectMode: false }), 'xl/worksheets/sheet1.xml')
  zip.end()
  await pipeline(zip.outputStream, createWriteStream(path))
}

/** As many as there are lines, each paid by the receipt of one. */
const makePayments = async (databaseUrl: string, count: number): Promise<void> => {
  const client = new Client({ connectionString: databaseUrl })
  await client.connect()
  const BATCH = 10_000
  try {
    for (let first = 1; first <= count; first += BATCH) {
      const numbers = Array.from(
        { length: Math.min(BATCH, count - first + 1) },
        (_one, index) => first + index,
      )
      await client.query(
        `WITH made AS (
          INSERT INTO payments (id, partner_id, msisdn, amount_kes, reference, callback_url, state, created_at, submit_by,
            receipt, transaction_date)
          SELECT id, 1, '254721000108', 150, 'ORD' || id, 'https://shop.co.ke/callback', 'successful', at, at, receipt, at
          FROM unnest($1::bigint[], $2::text[], $3::timestamptz[]) AS given (id, receipt, at) RETURNING id, receipt
        ) INSERT INTO receipts (payment_id, receipt) SELECT id, receipt FROM made`,
        [
          numbers,
          numbers.map(receiptOf),
          numbers.map((number) => new Date(Date.UTC(2026, 10, 24, 21) + (number % 86_000) * 1000)),
        ],
      )
    }
  } finally {
    await client.end()
  }
}

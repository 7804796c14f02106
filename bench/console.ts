import { sql } from 'kysely'
import { sumTotals } from '../src/core/totals/sum-totals.ts'
import { reportCost, takeLoad } from './support/console-cost.ts'
import { type ConsolePage, consolePages } from './support/console-pages.ts'
import { type BenchConsole, startBenchConsole } from './support/console-process.ts'
import { addConsoleRows } from './support/console-rows.ts'
import { startDeliveryServices } from './support/delivery-services.ts'
import { growDatabase } from './support/grown-database.ts'
import { recycleLog } from './support/postgres.ts'
import { printTable } from './support/report.ts'
import { startBenchServer } from './support/server-process.ts'
import { startBenchDaraja } from './support/whole/daraja.ts'
import { toTimes } from './support/whole/measure.ts'
import { startBenchPartner } from './support/whole/partner.ts'
import { startTheGateway } from './support/whole/systems.ts'

const PARTNERS = 10

/** How often each page is asked for at most, and of how many payments one is looked at. */
const DRAWS = 40
const PAYMENTS_A_DRAW = 100

/** What no page's p95 is above, ms. */
const AIM_MS = 300

export type ConsoleOptions = {
  /** Payments that are there. */
  payments: number
  rounds: number
  /** Payments a second of the steady load, and how much of each window is counted, seconds; 0: no load. */
  perSecond: number
  seconds: number
  isFresh: boolean | undefined
  /** Where the database stays, to be used again. */
  keep: string | undefined
}

/**
 * `npm run bench console`: how long each page of the console takes on a database with so many payments, one page after
 * the other; then what a payment costs at a steady load while nobody looks, while ten operators have a page open that
 * refreshes itself, and while another program uses about as much CPU as the console does. The load is one, in windows
 * that follow each other; a round has one of each kind, in an order that changes. A page above the aim ends it with 1.
 */
export const benchConsole = async (options: ConsoleOptions): Promise<void> => {
  const say = (text: string): void => void process.stderr.write(`bench: ${text}\n`)
  await using open = new AsyncDisposableStack()
  const postgresSettings = { max_wal_size: '3GB' }
  const isFresh = options.isFresh === true
  const services = open.adopt(
    await startDeliveryServices({ partners: 1, say, postgresSettings, isFresh, keptFolder: options.keep }),
    (one) => one.stop(),
  )
  say(`makes ${options.payments} payments`)
  const { payments } = options
  const grown = open.adopt(await growDatabase(services, { partners: PARTNERS, payments }), (one) =>
    one.database.destroy(),
  )
  const statementId = await addConsoleRows(grown.database)
  // As `serve` does, which is started later.
  while (!isSummed(await sumTotals(grown.database)));
  await sql`VACUUM (ANALYZE)`.execute(grown.database)
  const daraja = open.adopt(await startBenchDaraja({ answerMs: 5, payerMs: 20 }), (one) => one.stop())
  const partner = open.adopt(await startBenchPartner(), (one) => one.stop())
  const console = open.adopt(await startBenchConsole(grown, daraja.url), (one) => one.stop())
  const draws = Math.min(DRAWS, Math.ceil(payments / PAYMENTS_A_DRAW))
  await reportPages(console, await consolePages({ database: grown.database, statementId, draws }))
  if (options.seconds === 0) return
  const system = open.adopt(
    await startTheGateway({
      services: grown.services,
      darajaUrl: daraja.url,
      pushesAtOnce: null,
      gatewayEnvironment: {},
    }),
    (one) => one.stop(),
  )
  const program = open.adopt(await startBenchServer('bursts', {}), (one) => one.stop())
  await recycleLog(grown.database)
  reportCost(await takeLoad({ system, console, program }, partner, options), options)
}

const isSummed = (round: Awaited<ReturnType<typeof sumTotals>>): boolean =>
  round !== null && round.is_filled && round.summed_to !== null

const reportPages = async (console: BenchConsole, pages: readonly ConsolePage[]): Promise<void> => {
  const rows: Record<string, string>[] = []
  for (const { route, what, paths } of pages) {
    // What is compiled and cached is not counted.
    for (const path of paths.slice(0, 3)) await console.read(path)
    const tookMs: number[] = []
    for (const path of paths) tookMs.push(await console.read(path))
    const { p50, p95 } = toTimes(tookMs)
    const isSlow = p95 > AIM_MS
    if (isSlow) process.exitCode = 1
    rows.push({
      page: route,
      what,
      'p50 ms': p50.toFixed(1),
      'p95 ms': `${p95.toFixed(1)}${isSlow ? ' above the aim' : ''}`,
      'at most ms': Math.max(...tookMs).toFixed(1),
    })
  }
  printTable(rows)
  process.stdout.write(`aim: a p95 of at most ${AIM_MS} ms\n`)
}

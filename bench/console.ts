import { randomBytes } from 'node:crypto'
import { setTimeout as pause } from 'node:timers/promises'
import { sql } from 'kysely'
import { sumTotals } from '../src/core/totals/sum-totals.ts'
import { type ConsolePage, consolePages } from './support/console-pages.ts'
import { type BenchConsole, startBenchConsole } from './support/console-process.ts'
import { addConsoleRows } from './support/console-rows.ts'
import { cpuSeconds } from './support/cpu-time.ts'
import { startDeliveryServices } from './support/delivery-services.ts'
import { type GrownDatabase, growDatabase } from './support/grown-database.ts'
import { recycleLog } from './support/postgres.ts'
import { median, printTable } from './support/report.ts'
import { type BenchDaraja, startBenchDaraja } from './support/whole/daraja.ts'
import { toFigures, toTimes } from './support/whole/measure.ts'
import { type BenchPartner, startBenchPartner } from './support/whole/partner.ts'
import { type System, startTheGateway } from './support/whole/systems.ts'

const PARTNERS = 10

/** Operators who have a page open, and how often it refreshes itself, ms, as the pages of lists do. */
const OPERATORS = 10
const REFRESH_MS = 10_000

/** The pages that they have open. */
const OPEN_PAGES = ['/', '/payments', '/deliveries', '/deliveries/endpoints', '/traffic?last=day'] as const

/** How often each page is asked for at most, and of how many payments one is looked at. */
const DRAWS = 40
const PAYMENTS_A_DRAW = 100

/** What no page's p95 is above, ms, and by how much the console may make payments dearer. */
const AIM_MS = 300
const AIM_COST = 1.05

export type ConsoleOptions = {
  /** Payments that are there. */
  payments: number
  rounds: number
  /** Payments a second of the steady load, and for how long each turn of it is, seconds; 0: no load. */
  perSecond: number
  seconds: number
  isFresh: boolean | undefined
  /** Where the database stays, to be used again. */
  keep: string | undefined
}

/** What a payment costs in one turn, ms. */
type Cost = Record<'Postgres’ CPU a payment' | 'serve’s' | 'dispatch’s' | 'accepted p99', number>

type Stage = {
  grown: GrownDatabase
  system: System
  partner: BenchPartner
  daraja: BenchDaraja
  console: BenchConsole
}

/**
 * `npm run bench console`: how long each page of the console takes on a database with so many payments, one page after
 * the other; then what a payment costs at a steady load while ten operators have a page open that refreshes itself,
 * beside what it costs while nobody looks, in turns whose order changes from round to round. Printed are medians, and
 * each round's ratio. A page above the aim ends it with 1.
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
  await reportCost({ grown, system, partner, daraja, console }, options)
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

const reportCost = async (stage: Stage, options: ConsoleOptions): Promise<void> => {
  const pairs: { alone: Cost; watched: Cost }[] = []
  const consoleMs: number[] = []
  // A database that is kept has the payments of the runs before.
  const run = randomBytes(1).toString('hex')
  const takeAlone = (round: number) => takeTurn(stage, options, `${run}a${round}x`)
  const takeWatched = async (round: number): Promise<Cost> => {
    const before = await cpuSeconds(stage.console.pid)
    const [cost] = await whileWatched(stage.console, () => takeTurn(stage, options, `${run}b${round}x`))
    const after = await cpuSeconds(stage.console.pid)
    if (before !== null && after !== null) consoleMs.push(((after - before) * 1000) / options.seconds)
    return cost
  }
  // Nobody looks first in one round, and last in the next. The first round warms, and is not counted.
  for (let round = 0; round <= options.rounds; round += 1) {
    const isAloneFirst = round % 2 === 0
    const early = isAloneFirst ? await takeAlone(round) : await takeWatched(round)
    const late = isAloneFirst ? await takeWatched(round) : await takeAlone(round)
    if (round > 0)
      pairs.push(isAloneFirst ? { alone: early, watched: late } : { alone: late, watched: early })
  }
  const names: (keyof Cost)[] = ['Postgres’ CPU a payment', 'serve’s', 'dispatch’s', 'accepted p99']
  printTable(
    names.map((name) => {
      const ratios = pairs.map(({ alone, watched }) => watched[name] / alone[name])
      return {
        'ms, medians': name,
        'nobody looks': median(pairs.map(({ alone }) => alone[name])).toFixed(3),
        [`${OPERATORS} operators look`]: median(pairs.map(({ watched }) => watched[name])).toFixed(3),
        'ratio, median of rounds': median(ratios).toFixed(2),
        rounds: ratios.map((ratio) => ratio.toFixed(2)).join(' '),
      }
    }),
  )
  process.stdout.write(
    `aim: at most ${AIM_COST}; the console’s own CPU: ${median(consoleMs.slice(1)).toFixed(1)} ms a second\n`,
  )
}

/** Does `work` while every operator has a page open. */
const whileWatched = async <Result>(
  console: BenchConsole,
  work: () => Promise<Result>,
): Promise<[Result, ...unknown[]]> => {
  const ended = new AbortController()
  const look = async (operator: number): Promise<void> => {
    const path = OPEN_PAGES[operator % OPEN_PAGES.length] ?? '/'
    const wait = (ms: number) => pause(ms, undefined, { signal: ended.signal }).catch(() => undefined)
    await wait((operator * REFRESH_MS) / OPERATORS)
    while (!ended.signal.aborted) {
      await console.read(path)
      await wait(REFRESH_MS)
    }
  }
  const looking = Array.from({ length: OPERATORS }, (_one, operator) => look(operator))
  return Promise.all([work().finally(() => ended.abort()), ...looking])
}

const takeTurn = async (
  { grown, system, partner, daraja }: Stage,
  { perSecond, seconds }: ConsoleOptions,
  prefix: string,
): Promise<Cost> => {
  await recycleLog(grown.database)
  await daraja.take()
  const before = await system.cpu()
  const payments = await partner.run({
    url: system.url,
    apiKeys: system.apiKeys,
    addresses: 1,
    connections: 64,
    repeatForMs: 0,
    prefix,
    steps: [{ perSecond, seconds }],
  })
  const after = await system.cpu()
  const whole = toFigures({ payments, seen: await daraja.take(), before, after })
  if (whole.failed + whole.lost > 0) throw new Error(`${whole.failed} failed, ${whole.lost} were lost`)
  return {
    'Postgres’ CPU a payment': whole.cpuMs.postgres,
    'serve’s': whole.cpuMs.web,
    'dispatch’s': whole.cpuMs.worker,
    'accepted p99': whole.accepted.p99,
  }
}

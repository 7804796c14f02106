import type { Database } from '../src/database/connect.ts'
import { holdSnapshot } from '../test/support/hold-snapshot.ts'
import { startDeliveryServices } from './support/delivery-services.ts'
import { dutyKilobytes, type GrownDatabase, growDatabase } from './support/grown-database.ts'
import { recycleLog } from './support/postgres.ts'
import { FINDS, findReads, listReads, readPaced, singleReads } from './support/reads.ts'
import { median, printTable } from './support/report.ts'
import {
  countBlocks,
  forgetStatements,
  type StatementBlocks,
  sumOfBlocks,
  sumOfCalls,
} from './support/statement-blocks.ts'
import { type BenchDaraja, startBenchDaraja } from './support/whole/daraja.ts'
import { toFigures } from './support/whole/measure.ts'
import { type BenchPartner, startBenchPartner } from './support/whole/partner.ts'
import { COUNT_STATEMENTS } from './support/whole/profile.ts'
import { type System, startTheGateway } from './support/whole/systems.ts'

const PARTNERS = 10

const PUSHES_AT_ONCE = 64

const CONNECTIONS = 64

/** Its log takes less of the disk than usual, beside what is loaded. */
const POSTGRES = { ...COUNT_STATEMENTS, max_wal_size: '3GB' }

/** What is held: figures beside those of the empty database, at most. */
const AIM = 1.15

export type GrowthOptions = {
  sizes: number[]
  rounds: number
  perSecond: number
  seconds: number
  /** Where the databases stay, to be used again. */
  keep: string | undefined
}

/** What is measured in a turn, by its name: milliseconds of CPU for one and of waiting, and blocks. */
type Figures = Record<string, number>

type Case = { name: string; grown: GrownDatabase; withSnapshot: boolean }

type Turn = { figures: Figures; statements: StatementBlocks[] }

type Stage = { daraja: BenchDaraja; partner: BenchPartner; options: GrowthOptions }

/**
 * `npm run bench growth`: payments at a steady rate from request to delivered, and reads, by `serve` and `dispatch` on
 * databases with as many payments as `sizes` say, which take turns; on the largest also while another session holds a
 * snapshot for the whole turn, as a dump does. Printed are medians, and what each is to those of the first size; and the
 * statements of payments with the blocks that each run of them takes, in the last round.
 */
export const benchGrowth = async (options: GrowthOptions): Promise<void> => {
  const say = (text: string): void => void process.stderr.write(`bench: ${text}\n`)
  const services = await startDeliveryServices({
    partners: 1,
    say,
    postgresSettings: POSTGRES,
    keptFolder: options.keep,
  })
  const daraja = await startBenchDaraja({ answerMs: 5, payerMs: 20 })
  const partner = await startBenchPartner()
  const all: GrownDatabase[] = []
  try {
    for (const payments of options.sizes) {
      say(`makes ${payments} payments`)
      all.push(await growDatabase(services, { partners: PARTNERS, payments }))
    }
    const largest = all.at(-1)
    const cases: Case[] = [
      ...all.map((grown) => ({ name: `${grown.payments} payments`, grown, withSnapshot: false })),
      ...(largest
        ? [{ name: `${largest.payments} and a snapshot`, grown: largest, withSnapshot: true }]
        : []),
    ]
    const results = new Map<string, Turn[]>(cases.map(({ name }) => [name, []]))
    for (let round = 1; round <= options.rounds; round += 1) {
      for (const [index, one] of cases.entries()) {
        say(`round ${round}: ${one.name}`)
        results.get(one.name)?.push(await takeTurn({ daraja, partner, options }, one, `${round}${index}`))
      }
    }
    report(results)
    for (const { payments, database } of all)
      say(`beside ${payments} payments the duties take ${Math.round(await dutyKilobytes(database))} kB`)
  } finally {
    await partner.stop()
    await daraja.stop()
    for (const { database } of all) await database.destroy()
    await services.stop()
  }
}

const takeTurn = async (stage: Stage, one: Case, prefix: string): Promise<Turn> => {
  const { services } = one.grown
  const system = await startTheGateway({
    services,
    darajaUrl: stage.daraja.url,
    pushesAtOnce: PUSHES_AT_ONCE,
    gatewayEnvironment: {},
  })
  const snapshot = one.withSnapshot ? await holdSnapshot(one.grown.url) : null
  try {
    await recycleLog(services.database)
    return await measure(stage, system, one, prefix)
  } finally {
    await snapshot?.end()
    await system.stop()
  }
}

const measure = async (stage: Stage, system: System, one: Case, prefix: string): Promise<Turn> => {
  const { perSecond, seconds } = stage.options
  const count = perSecond * seconds
  const order = {
    url: system.url,
    apiKeys: system.apiKeys,
    addresses: 1,
    connections: CONNECTIONS,
    repeatForMs: 0,
  }
  // Warms the processes, the page cache and the plans, and is not counted.
  await stage.partner.run({ ...order, prefix: `w${prefix}x`, steps: [{ perSecond, seconds: seconds / 3 }] })
  await stage.daraja.take()
  const { database } = one.grown
  await forgetStatements(database)
  const before = await system.cpu()
  const payments = await stage.partner.run({
    ...order,
    prefix: `m${prefix}x`,
    steps: [{ perSecond, seconds }],
  })
  const after = await system.cpu()
  const statements = await countBlocks(database)
  const whole = toFigures({ payments, seen: await stage.daraja.take(), before, after })
  if (whole.failed + whole.lost > 0) throw new Error(`${whole.failed} failed, ${whole.lost} were lost`)
  const figures: Figures = {
    'Postgres’ CPU a payment': whole.cpuMs.postgres,
    'serve’s': whole.cpuMs.web,
    'dispatch’s': whole.cpuMs.worker,
    'accepted p99': whole.accepted.p99,
    'prompted p99': whole.prompted.p99,
    'delivered p99': whole.delivered.p99,
    'blocks a payment': sumOfBlocks(statements) / count,
    'statements a payment': sumOfCalls(statements) / count,
  }
  const reads = {
    'a read': await singleReads(one.grown, count),
    'a list': await listReads(one.grown, count),
  }
  const finds = Object.keys(FINDS) as (keyof typeof FINDS)[]
  for (const kind of finds) Object.assign(reads, { [kind]: await findReads(one.grown, count, kind) })
  for (const [what, all] of Object.entries(reads)) {
    const read = await measureReads({ system, reads: all, perSecond, database })
    figures[`Postgres’ CPU, ${what}`] = read.cpuMs
    figures[`blocks, ${what}`] = read.blocks
    figures[`p99, ${what}`] = read.p99
  }
  return { figures, statements }
}

const measureReads = async (options: {
  system: System
  reads: Parameters<typeof readPaced>[1]
  perSecond: number
  database: Database
}): Promise<{ cpuMs: number; blocks: number; p99: number }> => {
  const { system, reads, perSecond, database } = options
  await readPaced(system.url, reads.slice(0, perSecond), perSecond)
  await forgetStatements(database)
  const before = await system.cpu()
  const { p99 } = await readPaced(system.url, reads, perSecond)
  const after = await system.cpu()
  // No loop runs a statement as often.
  const ofReads = (await countBlocks(database)).filter(({ calls }) => calls >= reads.length)
  return {
    cpuMs: ((after.postgres - before.postgres) * 1000) / reads.length,
    blocks: sumOfBlocks(ofReads) / reads.length,
    p99,
  }
}

const report = (results: ReadonlyMap<string, readonly Turn[]>): void => {
  const [first = []] = results.values()
  const middle = (turns: readonly Turn[], name: string): number =>
    median(turns.map(({ figures }) => figures[name] ?? Number.NaN))
  const rows = Object.keys(first[0]?.figures ?? {}).map((name) => {
    const cells = [...results].map(([size, turns]) => {
      const ratio = middle(turns, name) / middle(first, name)
      return [size, `${middle(turns, name).toFixed(2)} (${ratio.toFixed(2)})`]
    })
    return Object.fromEntries([['ms or blocks, of medians', name], ...cells]) as Record<string, string>
  })
  printTable(rows)
  process.stdout.write(`in brackets: beside the first, aim ${AIM}\n`)
  reportStatements(new Map([...results].map(([size, turns]) => [size, turns.at(-1)?.statements ?? []])))
}

/** Statements that take less than this part of all blocks are left out. */
const PART_SHOWN = 0.003

const reportStatements = (results: ReadonlyMap<string, readonly StatementBlocks[]>): void => {
  const all = [...results.values()]
  const shown = all.flatMap((counted) =>
    counted.filter(({ blocks }) => blocks > PART_SHOWN * sumOfBlocks(counted)),
  )
  const rows = [...new Set(shown.map(({ statement }) => statement))].map((statement) => {
    const cells = [...results].map(([size, counted]) => {
      const one = counted.find((other) => other.statement === statement)
      return [size, one === undefined ? '' : `${(one.blocks / one.calls).toFixed(1)} × ${one.calls}`]
    })
    return Object.fromEntries([...cells, ['statement', statement.slice(0, 110)]]) as Record<string, string>
  })
  process.stdout.write('blocks that one run of a statement takes × runs\n')
  printTable(rows)
}

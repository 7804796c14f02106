import { startDeliveryServices } from './support/delivery-services.ts'
import { dutyKilobytes, type GrownDatabase, growDatabase, holdSnapshot } from './support/grown-database.ts'
import { recycleLog } from './support/postgres.ts'
import { listReads, readPaced, singleReads } from './support/reads.ts'
import { median, printTable } from './support/report.ts'
import { type BenchDaraja, startBenchDaraja } from './support/whole/daraja.ts'
import { toFigures } from './support/whole/measure.ts'
import { type BenchPartner, startBenchPartner } from './support/whole/partner.ts'
import { type System, startTheGateway } from './support/whole/systems.ts'

const PARTNERS = 10

const PUSHES_AT_ONCE = 64

const CONNECTIONS = 64

/** What is held: figures beside those of the empty database, at most. */
const AIM = 1.15

export type GrowthOptions = {
  sizes: number[]
  rounds: number
  perSecond: number
  seconds: number
}

/** What is measured in a turn: milliseconds of CPU for one, and of waiting. */
type Figures = Record<
  | 'Postgres’ CPU a payment'
  | 'serve’s'
  | 'dispatch’s'
  | 'accepted p99'
  | 'prompted p99'
  | 'delivered p99'
  | 'Postgres’ CPU a read'
  | 'read p99'
  | 'Postgres’ CPU a list'
  | 'list p99',
  number
>

type Case = { name: string; grown: GrownDatabase; withSnapshot: boolean }

type Stage = { daraja: BenchDaraja; partner: BenchPartner; options: GrowthOptions }

/**
 * `npm run bench growth`: payments at a steady rate from request to delivered, and reads, by `serve` and `dispatch` on
 * databases with as many payments as `sizes` say, which take turns; on the largest also while another session holds a
 * snapshot for the whole turn, as a dump does. Printed are medians, and what each is to those of the first size.
 */
export const benchGrowth = async (options: GrowthOptions): Promise<void> => {
  const say = (text: string): void => void process.stderr.write(`bench: ${text}\n`)
  const services = await startDeliveryServices({ partners: 1, say })
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
    const results = new Map<string, Figures[]>(cases.map(({ name }) => [name, []]))
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

const takeTurn = async (stage: Stage, one: Case, prefix: string): Promise<Figures> => {
  const { services } = one.grown
  const system = await startTheGateway({
    services,
    darajaUrl: stage.daraja.url,
    pushesAtOnce: PUSHES_AT_ONCE,
    gatewayEnvironment: {},
  })
  const snapshot = one.withSnapshot ? await holdSnapshot(services) : null
  try {
    await recycleLog(services.database)
    return await measure(stage, system, one, prefix)
  } finally {
    await snapshot?.end()
    await system.stop()
  }
}

const measure = async (stage: Stage, system: System, one: Case, prefix: string): Promise<Figures> => {
  const { perSecond, seconds } = stage.options
  const count = perSecond * seconds
  const order = {
    url: system.url,
    apiKeys: system.apiKeys,
    addresses: 1,
    connections: CONNECTIONS,
    repeats: false,
  }
  // Warms the processes, the page cache and the plans, and is not counted.
  await stage.partner.run({ ...order, prefix: `w${prefix}x`, steps: [{ perSecond, seconds: seconds / 3 }] })
  await stage.daraja.take()
  const before = await system.cpu()
  const payments = await stage.partner.run({
    ...order,
    prefix: `m${prefix}x`,
    steps: [{ perSecond, seconds }],
  })
  const after = await system.cpu()
  const whole = toFigures({ payments, seen: await stage.daraja.take(), before, after })
  if (whole.failed + whole.lost > 0) throw new Error(`${whole.failed} failed, ${whole.lost} were lost`)
  const read = await measureReads(system, await singleReads(one.grown, count), perSecond)
  const list = await measureReads(system, await listReads(one.grown, count), perSecond)
  return {
    'Postgres’ CPU a payment': whole.cpuMs.postgres,
    'serve’s': whole.cpuMs.web,
    'dispatch’s': whole.cpuMs.worker,
    'accepted p99': whole.accepted.p99,
    'prompted p99': whole.prompted.p99,
    'delivered p99': whole.delivered.p99,
    'Postgres’ CPU a read': read.cpuMs,
    'read p99': read.p99,
    'Postgres’ CPU a list': list.cpuMs,
    'list p99': list.p99,
  }
}

const measureReads = async (
  system: System,
  reads: Parameters<typeof readPaced>[1],
  perSecond: number,
): Promise<{ cpuMs: number; p99: number }> => {
  await readPaced(system.url, reads.slice(0, perSecond), perSecond)
  const before = await system.cpu()
  const { p99 } = await readPaced(system.url, reads, perSecond)
  const after = await system.cpu()
  return { cpuMs: ((after.postgres - before.postgres) * 1000) / reads.length, p99 }
}

const report = (results: ReadonlyMap<string, Figures[]>): void => {
  const [first = []] = results.values()
  const names = Object.keys(first[0] ?? {}) as (keyof Figures)[]
  const middle = (figures: readonly Figures[], name: keyof Figures): number =>
    median(figures.map((one) => one[name]))
  const rows = names.map((name) => {
    const cells = [...results].map(([size, figures]) => {
      const ratio = middle(figures, name) / middle(first, name)
      return [size, `${middle(figures, name).toFixed(2)} (${ratio.toFixed(2)})`]
    })
    return Object.fromEntries([['ms, of medians', name], ...cells]) as Record<string, string>
  })
  printTable(rows)
  process.stdout.write(`in brackets: beside the first, aim ${AIM}\n`)
}

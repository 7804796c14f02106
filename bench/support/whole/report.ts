import { median, printTable } from '../report.ts'
import type { Figures, Times } from './measure.ts'
import type { SystemName } from './systems.ts'

/** What one load on one system came to. */
export type WholeResult = { round: number; system: SystemName; load: string; figures: Figures }

/** Prints medians over the rounds, and what the gateway is to the yardstick in each of them. */
export const reportWhole = (results: readonly WholeResult[]): void => {
  const loads = [...new Set(results.map(({ load }) => load))]
  const systems = [...new Set(results.map(({ system }) => system))]
  const groups = loads.flatMap((load) =>
    systems.map((system) => ({
      load,
      system,
      figures: results.filter((one) => one.load === load && one.system === system).map((one) => one.figures),
    })),
  )
  printTable(groups.map(({ load, system, figures }) => workOf({ load, system }, figures)))
  process.stdout.write('\n')
  printTable(groups.map(({ load, system, figures }) => timesOf({ load, system }, figures)))
  if (systems.length === 1) return
  process.stdout.write('\n')
  reportRatios(results, loads)
}

type Name = { load: string; system: string }

const workOf = (name: Name, figures: readonly Figures[]) => {
  const cpu = (name: keyof Figures['cpuMs']): string =>
    median(figures.map(({ cpuMs }) => cpuMs[name])).toFixed(2)
  const count = (name: 'failed' | 'lost' | 'duplicates' | 'promptedAgain'): number =>
    figures.reduce((sum, one) => sum + one[name], 0)
  return {
    ...name,
    'payments/s': Math.round(median(figures.map(({ perSecond }) => perSecond))),
    'CPU ms': cpu('total'),
    'web/serve': cpu('web'),
    'worker/dispatch': cpu('worker'),
    Postgres: cpu('postgres'),
    'of it WAL': cpu('ofItWal'),
    'Redis/NATS': cpu('broker'),
    failed: count('failed'),
    lost: count('lost'),
    duplicates: count('duplicates'),
    'prompted again': count('promptedAgain'),
  }
}

const STAGES = ['accepted', 'prompted', 'delivered'] as const

const timesOf = (name: Name, figures: readonly Figures[]) => ({
  ...name,
  ...Object.fromEntries(
    STAGES.flatMap((stage) =>
      (['p50', 'p95', 'p99'] as const).map((part) => [
        `${stage} ${part}`,
        timeOf(
          figures.map((one) => one[stage]),
          part,
        ),
      ]),
    ),
  ),
})

const timeOf = (times: readonly Times[], part: keyof Times): string =>
  median(times.map((one) => one[part])).toFixed(1)

const reportRatios = (results: readonly WholeResult[], loads: readonly string[]): void => {
  for (const load of loads) {
    const pairs = pairsOf(results.filter((one) => one.load === load))
    const print = (what: string, toValue: (figures: Figures) => number, aim: string): void => {
      const ratios = pairs.map(({ peer, gateway }) => toValue(gateway) / toValue(peer))
      const all = ratios.map((ratio) => ratio.toFixed(2)).join(', ')
      process.stdout.write(`${load}: ${what}, gateway / peer: ${median(ratios).toFixed(2)} (${all})${aim}\n`)
    }
    if (load === 'closed loop') print('payments/s', ({ perSecond }) => perSecond, ', aim at least 3')
    print('CPU', ({ cpuMs }) => cpuMs.total, ', aim at most 0.33')
    for (const stage of STAGES) print(`${stage} p99`, (figures) => figures[stage].p99, '')
  }
}

/** The two of each round, which had the same mood of the machine. */
const pairsOf = (results: readonly WholeResult[]): { peer: Figures; gateway: Figures }[] =>
  results.flatMap(({ round, system, figures: gateway }) => {
    const peer = results.find((one) => one.round === round && one.system === 'peer')
    return system === 'gateway' && peer !== undefined ? [{ peer: peer.figures, gateway }] : []
  })

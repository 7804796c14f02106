import { recycleLog } from './support/postgres.ts'
import { type BenchDaraja, startBenchDaraja } from './support/whole/daraja.ts'
import { type Figures, toFigures } from './support/whole/measure.ts'
import { type BenchPartner, type PartnerOrder, startBenchPartner } from './support/whole/partner.ts'
import { COUNT_STATEMENTS, forgetStatements, printStatements, profileInto } from './support/whole/profile.ts'
import { reportWhole, type WholeResult } from './support/whole/report.ts'
import { printStages } from './support/whole/stages.ts'
import {
  type System,
  type SystemName,
  startWholeServices,
  type WholeServices,
} from './support/whole/systems.ts'

const PARTNERS = 10

/** Of all partners together, from one address. */
const CONNECTIONS = 64

/** In the order in which they take turns. */
const SYSTEMS: readonly SystemName[] = ['peer', 'gateway']

/** Parts of what it manages at most, at which the times of each are measured. */
const SHARES = [0.25, 0.5, 0.8]

export type WholeOptions = {
  rounds: number
  /** The one that is measured; both when not set. */
  only: SystemName | undefined
  /** Payments in a closed loop. */
  count: number
  /** How many are under way at once in it; what keeps either busy when not set. */
  clients: number | undefined
  /** How long each steady load is, seconds; 0: there is none. */
  seconds: number
  /** How long Daraja takes to answer a push, and the payer to pay after that, ms. */
  darajaMs: number
  payerMs: number
  pushesAtOnce: number | undefined
  json: boolean | undefined
  /** The folder for profiles of the gateway's processes; then Postgres counts its statements too. */
  profile: string | undefined
  isFresh: boolean | undefined
}

type Stage = {
  whole: WholeServices
  daraja: BenchDaraja
  partner: BenchPartner
  options: WholeOptions
  clients: number
}

/**
 * `npm run bench whole`: payments from the request to the delivered outcome, by `serve` and `dispatch` as operators run them and
 * by the yardstick in bench/peers, to the same Daraja, the same partners and on the same Postgres: how many a second, what CPU
 * each takes, and how long its stages take, in a closed loop and at steady loads. The two take turns, with fresh processes each.
 */
export const benchWhole = async (options: WholeOptions): Promise<void> => {
  const say = (text: string): void => void process.stderr.write(`bench: ${text}\n`)
  const clients = options.clients ?? defaultClients(options)
  const whole = await startWholeServices({
    partners: PARTNERS,
    pushesAtOnce: {
      peer: options.pushesAtOnce ?? defaultPushesAtOnce(options.darajaMs),
      gateway: options.pushesAtOnce ?? null,
    },
    say,
    gatewayEnvironment: options.profile === undefined ? {} : profileInto(options.profile),
    postgresSettings: options.profile === undefined ? {} : COUNT_STATEMENTS,
    isFresh: options.isFresh === true,
  })
  const daraja = await startBenchDaraja({ answerMs: options.darajaMs, payerMs: options.payerMs })
  const partner = await startBenchPartner()
  const results: WholeResult[] = []
  try {
    say(`${options.rounds} rounds, ${options.count} payments in a closed loop of ${clients}`)
    for (let round = 1; round <= options.rounds; round += 1) {
      for (const system of options.only === undefined ? SYSTEMS : [options.only]) {
        const turn = await takeTurn({ whole, daraja, partner, options, clients }, { system, round })
        results.push(...turn)
      }
    }
  } finally {
    await partner.stop()
    await daraja.stop()
    await whole.stop()
  }
  if (options.json === true) process.stdout.write(`${JSON.stringify(results)}\n`)
  else reportWhole(results)
}

/** Of the yardstick: as many as are due while one is answered, at more a second than any machine of ours manages. */
const defaultPushesAtOnce = (darajaMs: number): number => Math.min(1000, Math.max(32, 2 * darajaMs))

/** As many as would be under way at twice what Daraja and payers keep waiting, at more a second than we manage. */
const defaultClients = ({ darajaMs, payerMs }: WholeOptions): number =>
  Math.max(256, 2 * (darajaMs + payerMs))

const takeTurn = async (
  stage: Stage,
  { system: name, round }: { system: SystemName; round: number },
): Promise<WholeResult[]> => {
  const { options } = stage
  const system = await stage.whole.start(name, stage.daraja.url)
  const turn = { stage, system, prefix: `${name.slice(0, 1)}${round}` }
  const results: WholeResult[] = []
  let atEnd = (): void => undefined
  const measure = async (load: string, order: Load): Promise<Figures> => {
    const figures = await measureLoad({ ...turn, prefix: `${turn.prefix}${results.length}x`, order })
    results.push({ round, system: name, load, figures })
    return figures
  }
  try {
    // Warms the compiler, the page cache and the tables, and is not counted.
    await measureLoad({
      ...turn,
      prefix: `${turn.prefix}w`,
      order: { clients: { count: Math.ceil(options.count / 4), atOnce: stage.clients } },
    })
    const counted = { databaseUrl: stage.whole.databaseUrls[name], system: name, payments: options.count }
    if (options.profile !== undefined) await forgetStatements(counted.databaseUrl)
    const { perSecond, cpuMs } = await measure('closed loop', {
      clients: { count: options.count, atOnce: stage.clients },
    })
    if (options.profile !== undefined) {
      const [folder, statements] = [options.profile, await printStatements(counted)]
      // The processes write their profiles when they end.
      if (name === 'gateway') atEnd = () => printStages({ folder, cpuMs, statements })
    }
    for (const share of options.seconds === 0 ? [] : SHARES) {
      const rate = perSecond * share
      await measure(`${share * 100} %`, { steps: [{ perSecond: rate, seconds: options.seconds }] })
    }
  } finally {
    await system.stop()
  }
  atEnd()
  return results
}

type Load = Pick<PartnerOrder, 'clients' | 'steps'>

const measureLoad = async (turn: {
  stage: Stage
  system: System
  prefix: string
  order: Load
}): Promise<Figures> => {
  const { stage, system, prefix, order } = turn
  await recycleLog(stage.whole.services.database)
  const before = await system.cpu()
  const payments = await stage.partner.run({
    ...order,
    prefix,
    url: system.url,
    apiKeys: system.apiKeys,
    addresses: 1,
    connections: CONNECTIONS,
    repeatForMs: 0,
  })
  const after = await system.cpu()
  return toFigures({ payments, seen: await stage.daraja.take(), before, after })
}

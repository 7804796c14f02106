import { recycleLog } from './support/postgres.ts'
import { printTable } from './support/report.ts'
import { startBenchDaraja } from './support/whole/daraja.ts'
import { toFigures, toTimes } from './support/whole/measure.ts'
import {
  type BenchPartner,
  type PartnerOrder,
  type PartnerPayment,
  startBenchPartner,
} from './support/whole/partner.ts'
import { type System, startWholeServices, type WholeServices } from './support/whole/systems.ts'

const PARTNERS = 10

/** Connections of each partner, from an address of its own. */
const CONNECTIONS = 100

/** In its closed loop. */
const CLIENTS = 256

/** What is offered before and after, as a part of what fits, and for how long before, seconds. */
const CALM = 0.5
const CALM_SECONDS = 5

/** A second is normal again when its p99 is at most so many times that of before, or below so many ms. */
const NORMAL = 2
const NORMAL_MS = 500

export type OverloadOptions = {
  /** How many times what fits is offered, in turn. */
  times: number[]
  /** For how long, and for how long its recovery is watched, seconds. */
  seconds: number
  after: number
  /** For how long a partner repeats what is refused, seconds. */
  repeatFor: number
  /** Payments in the closed loop that finds out what fits. */
  count: number
  /** Payments a second that fit; undefined: to be found out. */
  fits: number | undefined
  darajaMs: number
  payerMs: number
  pushesAtOnce: number
  isFresh: boolean | undefined
}

type Stage = { whole: WholeServices; system: System; partner: BenchPartner; options: OverloadOptions }

/**
 * `npm run bench overload`: what becomes of payments when more is offered than fits, by partners that repeat what was refused or not
 * answered as their guide says: how many are taken and delivered a second, how long they take, and how long it takes after
 * the load has dropped until times are as before.
 */
export const benchOverload = async (options: OverloadOptions): Promise<void> => {
  const say = (text: string): void => void process.stderr.write(`bench: ${text}\n`)
  const whole = await startWholeServices({
    partners: PARTNERS,
    pushesAtOnce: { peer: options.pushesAtOnce, gateway: options.pushesAtOnce },
    say,
    gatewayEnvironment: {},
    postgresSettings: {},
    isFresh: options.isFresh === true,
  })
  const daraja = await startBenchDaraja({ answerMs: options.darajaMs, payerMs: options.payerMs })
  const partner = await startBenchPartner()
  const system = await whole.start('gateway', daraja.url)
  const stage = { whole, system, partner, options }
  try {
    const fits = options.fits ?? (await measureCapacity(stage))
    say(`${Math.round(fits)} payments a second fit`)
    const rows: Record<string, string | number>[] = []
    for (const times of options.times) {
      const payments = await offer(stage, { fits, times })
      const seen = [...(await daraja.take()).values()]
      const promptedAgain = seen.reduce((sum, { pushes }) => sum + pushes - 1, 0)
      rows.push({ ...figuresOf(payments, { ...options, times, fits }), 'prompted again': promptedAgain })
    }
    const peak = Math.max(...rows.map((row) => Number(row['delivered/s'])))
    for (const row of rows) row['of the peak'] = (Number(row['delivered/s']) / peak).toFixed(2)
    printTable(rows)
  } finally {
    await system.stop()
    await partner.stop()
    await daraja.stop()
    await whole.stop()
  }
}

const run = async (
  { whole, system, partner, options }: Stage,
  load: Pick<PartnerOrder, 'prefix' | 'clients' | 'steps'>,
): Promise<PartnerPayment[]> => {
  await recycleLog(whole.services.database)
  const { url, apiKeys } = system
  return partner.run({
    ...load,
    url,
    apiKeys,
    addresses: PARTNERS,
    connections: CONNECTIONS,
    repeatForMs: options.repeatFor * 1000,
  })
}

/** Payments a second in a closed loop, after one that warms. */
const measureCapacity = async (stage: Stage): Promise<number> => {
  const { count } = stage.options
  await run(stage, { prefix: 'w', clients: { count: Math.ceil(count / 2), atOnce: CLIENTS } })
  const before = await stage.system.cpu()
  const payments = await run(stage, { prefix: 'c', clients: { count, atOnce: CLIENTS } })
  const after = await stage.system.cpu()
  return toFigures({ payments, seen: new Map(), before, after }).perSecond
}

const offer = (stage: Stage, { fits, times }: { fits: number; times: number }): Promise<PartnerPayment[]> => {
  const { seconds, after } = stage.options
  const calm = Math.ceil(fits * CALM)
  const steps = [
    { perSecond: calm, seconds: CALM_SECONDS },
    { perSecond: Math.ceil(fits * times), seconds },
    { perSecond: calm, seconds: after },
  ]
  return run(stage, { prefix: `t${times}x`, steps })
}

const figuresOf = (
  payments: readonly PartnerPayment[],
  given: { times: number; fits: number; seconds: number; after: number },
): Record<string, string | number> => {
  const beganMs = payments[0]?.dueMs ?? 0
  const raisedMs = beganMs + CALM_SECONDS * 1000
  const droppedMs = raisedMs + given.seconds * 1000
  const taken = payments.filter(({ status }) => status === 200)
  const told = taken.filter(({ deliveredMs }) => deliveredMs > 0)
  const inside = (ms: number): boolean => ms >= raisedMs && ms < droppedMs
  const during = taken.filter(({ askedMs }) => inside(askedMs))
  const perSecond = (count: number): number => Math.round(count / given.seconds)
  const watch = { raisedMs, droppedMs, after: given.after }
  return {
    'times what fits': given.times,
    'offered/s': Math.round(given.fits * given.times),
    'taken/s': perSecond(during.length),
    'delivered/s': perSecond(told.filter(({ deliveredMs }) => inside(deliveredMs)).length),
    'refused with 503': payments.reduce((sum, { refusals }) => sum + refusals, 0),
    'given up': payments.length - taken.length,
    'answer p99 ms': toTimes(during.map(answerMs)).p99.toFixed(0),
    'outcome p99 ms': toTimes(during.map(wholeMs)).p99.toFixed(0),
    'outcome p99 before ms': toTimes(taken.filter(({ dueMs }) => dueMs < raisedMs).map(wholeMs)).p99.toFixed(
      0,
    ),
    'answers normal after s': secondsUntilNormal(taken, answerMs, watch),
    'outcomes normal after s': secondsUntilNormal(told, wholeMs, watch),
    'last refusal after s': Math.max(0, Math.ceil((lastRefusalMs(payments) - droppedMs) / 1000)),
    'taken and failed': told.filter(({ outcome }) => outcome !== 'successful').length,
    'taken and lost': taken.length - told.length,
    duplicates: told.reduce((sum, { times }) => sum + times - 1, 0),
  }
}

/** From the request that was taken, whatever became of those before. */
const answerMs = ({ askedMs, answeredMs }: PartnerPayment): number => answeredMs - askedMs
const wholeMs = ({ askedMs, deliveredMs }: PartnerPayment): number => deliveredMs - askedMs

/** When the last request was refused of a payment that was not taken at once. */
const lastRefusalMs = (payments: readonly PartnerPayment[]): number =>
  payments.reduce((last, { refusedMs }) => Math.max(last, refusedMs), 0)

/**
 * How long after the drop the last second was in which payments were asked for whose p99 is not normal; a text that begins with >
 * when none was seen that is.
 */
const secondsUntilNormal = (
  payments: readonly PartnerPayment[],
  tookMs: (payment: PartnerPayment) => number,
  { raisedMs, droppedMs, after }: { raisedMs: number; droppedMs: number; after: number },
): string => {
  const before = toTimes(payments.filter(({ dueMs }) => dueMs < raisedMs).map(tookMs)).p99
  const limit = Math.max(NORMAL_MS, NORMAL * before)
  const slow = Array.from({ length: after }, (_one, second) => second).filter((second) => {
    const [fromMs, untilMs] = [droppedMs + second * 1000, droppedMs + (second + 1) * 1000]
    const times = payments.filter(({ askedMs }) => askedMs >= fromMs && askedMs < untilMs).map(tookMs)
    return times.length > 0 && toTimes(times).p99 > limit
  })
  const last = (slow.at(-1) ?? -1) + 1
  return last === after ? `> ${after}` : String(last)
}

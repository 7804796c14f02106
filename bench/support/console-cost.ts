import { randomBytes } from 'node:crypto'
import { KINDS, type Kind, NOBODY, OPERATORS_LOOK, PROGRAM } from './console-beside.ts'
import {
  cpuMsASecond,
  secondsOfWindows,
  takeWindows,
  type Window,
  type WindowStage,
} from './console-windows.ts'
import { ratioOfMeans } from './ratio.ts'
import { median, printTable } from './report.ts'
import { toTimes } from './whole/measure.ts'
import type { BenchPartner, PartnerPayment } from './whole/partner.ts'
import type { Cpu } from './whole/systems.ts'

/** By how much the console may make payments dearer. */
const AIM = 1.05

/** The steady load: payments a second, and how much of each window of a round is counted, seconds. */
type LoadOptions = { rounds: number; perSecond: number; seconds: number }

/** A window with the payments that were due in it. */
type LoadedWindow = { window: Window; payments: PartnerPayment[] }

/**
 * Makes payments at a steady rate for as long as the windows last, and a little longer; resolves with the windows of all
 * rounds, in their order. Throws when a payment failed or is lost.
 */
export const takeLoad = async (
  stage: WindowStage,
  partner: BenchPartner,
  options: LoadOptions,
): Promise<LoadedWindow[]> => {
  const load = partner.run({
    url: stage.system.url,
    apiKeys: stage.system.apiKeys,
    addresses: 1,
    connections: 64,
    repeatForMs: 0,
    // A database that is kept has the payments of the runs before.
    prefix: `${randomBytes(2).toString('hex')}x`,
    steps: [{ perSecond: options.perSecond, seconds: secondsOfWindows(options) + 1 }],
  })
  const [payments, windows] = await Promise.all([load, takeWindows(stage, options)])
  const failed = payments.filter(({ status }) => status !== 200)
  const lost = payments.filter(({ status, deliveredMs }) => status === 200 && deliveredMs === 0)
  if (failed.length + lost.length > 0) throw new Error(`${failed.length} failed, ${lost.length} were lost`)
  return windows.map((window) => ({
    window,
    payments: payments.filter(({ dueMs }) => dueMs >= window.fromMs && dueMs < window.toMs),
  }))
}

/** What a payment costs in a window, ms. */
type Cost = (loaded: LoadedWindow) => number

const costsOf = (perSecond: number): Record<string, Cost> => {
  const cpuOf =
    (part: keyof Cpu): Cost =>
    ({ window: { fromMs, toMs, before, after } }) =>
      ((after[part] - before[part]) * 1000) / (perSecond * ((toMs - fromMs) / 1000))
  return {
    'Postgres’ CPU a payment': cpuOf('postgres'),
    'serve’s': cpuOf('web'),
    'dispatch’s': cpuOf('worker'),
    'accepted p99': ({ payments }) =>
      toTimes(payments.map(({ dueMs, answeredMs }) => answeredMs - dueMs)).p99,
  }
}

/** Prints what a payment costs in the windows of each kind, what that is to nobody's, and what works beside the payments. */
export const reportCost = (loaded: readonly LoadedWindow[], { perSecond }: LoadOptions): void => {
  printTable(Object.entries(costsOf(perSecond)).map(([name, cost]) => toRow(name, loaded, cost)))
  process.stdout.write(
    `ratios: of means, to those where ${NOBODY}, each with the interval that 95 % of its bootstrap over rounds lies in\n` +
      `aim: at most ${AIM} where ${OPERATORS_LOOK}\n`,
  )
  reportBeside(loaded.map(({ window }) => window))
}

const toRow = (name: string, loaded: readonly LoadedWindow[], cost: Cost): Record<string, string> => {
  const costs = (kind: Kind): number[] =>
    loaded.filter(({ window }) => window.kind === kind).map((one) => cost(one))
  return Object.fromEntries([
    ['ms, medians', name],
    ...KINDS.map((kind) => [kind, median(costs(kind)).toFixed(3)] as const),
    ...([OPERATORS_LOOK, PROGRAM] as const).map(
      (kind) => [`ratio, ${kind}`, ratioText(costs(kind), costs(NOBODY))] as const,
    ),
  ])
}

/** Of the costs of each round's window of one kind, and of the kind that they are compared with. */
const ratioText = (values: readonly number[], bases: readonly number[]): string => {
  const pairs = values.map((value, index) => ({ value, base: bases[index] ?? Number.NaN }))
  const { ratio, low, high } = ratioOfMeans(pairs)
  return `${ratio.toFixed(3)} (${low.toFixed(3)} to ${high.toFixed(3)})`
}

const reportBeside = (windows: readonly Window[]): void =>
  printTable(
    KINDS.map((kind) => ({
      'CPU ms a second, means': kind,
      'the console': cpuMsASecond(windows, kind, 'console').toFixed(1),
      'another program': cpuMsASecond(windows, kind, 'program').toFixed(1),
      Postgres: cpuMsASecond(windows, kind, 'postgres').toFixed(1),
    })),
  )

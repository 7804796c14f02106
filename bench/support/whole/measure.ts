import type { Seen } from './daraja.ts'
import type { PartnerPayment } from './partner.ts'
import type { Cpu } from './systems.ts'

/** Milliseconds that so many of a hundred stayed below. */
export type Times = { p50: number; p95: number; p99: number }

/** What a load came to. */
export type Figures = {
  /** Payments a second from the first request to the last outcome delivered. */
  perSecond: number
  /** CPU of a payment, ms, by what uses it. */
  cpuMs: Cpu & { total: number }
  /** From the request to its answer. */
  accepted: Times
  /** From the request to the push at Daraja. */
  prompted: Times
  /** From Daraja's callback to the POST at the partner. */
  delivered: Times
  /** Requests that were not answered 200. */
  failed: number
  /** Payments that were answered 200, and whose outcome did not come. */
  lost: number
  /** Outcomes that came again. */
  duplicates: number
  /** Payers that were prompted again. */
  promptedAgain: number
}

/** Puts together what was seen of a load on all sides. */
export const toFigures = (load: {
  payments: readonly PartnerPayment[]
  seen: ReadonlyMap<string, Seen>
  before: Cpu
  after: Cpu
}): Figures => {
  const { payments, seen } = load
  const accepted = payments.filter(({ status }) => status === 200)
  const told = accepted.filter(({ deliveredMs }) => deliveredMs > 0)
  const firstMs = payments.reduce((least, { dueMs }) => Math.min(least, dueMs), Number.POSITIVE_INFINITY)
  const lastMs = told.reduce((most, { deliveredMs }) => Math.max(most, deliveredMs), firstMs)
  const pairs = told.flatMap((payment) => {
    const one = seen.get(payment.reference)
    return one === undefined ? [] : [{ payment, one }]
  })
  return {
    perSecond: told.length / ((lastMs - firstMs) / 1000),
    cpuMs: toCpuMs(load.before, load.after, told.length),
    accepted: toTimes(accepted.map(({ dueMs, answeredMs }) => answeredMs - dueMs)),
    prompted: toTimes(pairs.map(({ payment, one }) => one.pushedAtMs - payment.dueMs)),
    delivered: toTimes(pairs.map(({ payment, one }) => payment.deliveredMs - one.calledBackAtMs)),
    failed: payments.length - accepted.length,
    lost: accepted.length - told.length,
    duplicates: told.reduce((sum, { times }) => sum + times - 1, 0),
    promptedAgain: [...seen.values()].reduce((sum, { pushes }) => sum + pushes - 1, 0),
  }
}

const toCpuMs = (before: Cpu, after: Cpu, count: number): Figures['cpuMs'] => {
  const each = (name: keyof Cpu): number => ((after[name] - before[name]) * 1000) / count
  const parts = {
    web: each('web'),
    worker: each('worker'),
    postgres: each('postgres'),
    broker: each('broker'),
  }
  const total = Object.values(parts).reduce((sum, ms) => sum + ms, 0)
  return { ...parts, ofItWal: each('ofItWal'), total }
}

export const toTimes = (values: readonly number[]): Times => {
  const sorted = values.toSorted((one, other) => one - other)
  const at = (share: number): number => sorted[Math.floor((sorted.length - 1) * share)] ?? Number.NaN
  return { p50: at(0.5), p95: at(0.95), p99: at(0.99) }
}

import { type Selectable, sql } from 'kysely'
import type { Database } from '../../database/connect.ts'
import { planByIndex } from '../../database/plan-by-size.ts'
import type { TrafficCountedTable, TrafficCountsTable } from '../../database/schema/traffic.ts'
import { quantileOf } from './measures.ts'

/** How much happened in a stretch of time. */
export type TrafficPoint = {
  /** When it begins. */
  at: Date
  accepted: number
  prompted: number
  paid: number
  failed: number
  delivered: number
  /** Failures by the code that the partner reads, most first. */
  failedByCode: { code: string; count: number }[]
  /** Within what time, ms, 95 of 100 outcomes were delivered, from the acceptance of their payment; null: none was. */
  p95Ms: number | null
}

export type Traffic = {
  /** The last hour, day or whatever was asked for, as one. */
  total: TrafficPoint
  /** Oldest first, without gaps. */
  points: TrafficPoint[]
  stepSeconds: number
  /** When it was looked, and up to when all is counted; null: nobody has counted yet. */
  at: Date
  countedTo: Date | null
  /** What happened before was not counted. */
  begunAt: Date | null
}

/** How far back traffic can be read, hours: so long are the counts by the hour kept. */
export const MOST_HOURS = 35 * 24

type Span = TrafficCountsTable['span']

/** By what it is shown, up to how many hours: some sixty to two hundred points, however long it is. */
const SPANS: readonly { span: Span; hours: number; seconds: number }[] = [
  { span: 'minute', hours: 2, seconds: 60 },
  { span: 'quarter', hours: 48, seconds: 900 },
  { span: 'hour', hours: MOST_HOURS, seconds: 3_600 },
]

type CountRow = Pick<Selectable<TrafficCountsTable>, 'at' | 'measure' | 'label' | 'count'>

/** The traffic of the last `hours` of one partner, or of all (null). It reads its points by the primary key. */
export const readTraffic = (
  database: Database,
  { hours, partnerId }: { hours: number; partnerId: bigint | null },
): Promise<Traffic> =>
  planByIndex(database, async (transaction) => {
    const { span, seconds } = SPANS.find((one) => hours <= one.hours) ?? { span: 'hour', seconds: 3_600 }
    const { rows: times } = await sql<
      { now: Date } & {
        [Name in keyof Selectable<TrafficCountedTable>]: Selectable<TrafficCountedTable>[Name] | null
      }
    >`
      SELECT now() AS now, counted.begun_at, counted.events_at, counted.attempts_to
      FROM (SELECT) one LEFT JOIN traffic_counted counted ON true
    `.execute(transaction)
    const [time] = times
    if (!time) throw new Error('a SELECT of one row gave none')
    const stepMs = seconds * 1000
    const last = Math.floor(time.now.getTime() / stepMs) * stepMs
    const first = last - hours * 3_600_000 + stepMs
    const { rows } = await sql<CountRow>`
      SELECT at, measure, label, count FROM traffic_counts
      WHERE partner_id = ${partnerId ?? 0n} AND span = ${span} AND at >= ${new Date(first)} ORDER BY at
    `.execute(transaction)
    const byTime = Map.groupBy(rows, ({ at }) => at.getTime())
    const points: TrafficPoint[] = []
    for (let at = first; at <= last; at += stepMs) points.push(toPoint(new Date(at), byTime.get(at) ?? []))
    return {
      total: toPoint(new Date(first), rows),
      points,
      stepSeconds: seconds,
      at: time.now,
      countedTo: earlier(time.events_at, time.attempts_to),
      begunAt: time.begun_at,
    }
  })

const earlier = (one: Date | null, other: Date | null): Date | null =>
  one === null || other === null ? null : one < other ? one : other

/** Rows of one stretch, or of several. Pure. */
const toPoint = (at: Date, rows: readonly CountRow[]): TrafficPoint => {
  const sumOf = (measure: string): number =>
    rows.reduce((sum, row) => (row.measure === measure ? sum + Number(row.count) : sum), 0)
  const steps = sumByLabel(rows, 'told_within')
  const codes = [...sumByLabel(rows, 'failed')].map(([code, count]) => ({ code, count }))
  return {
    at,
    accepted: sumOf('accepted'),
    prompted: sumOf('prompted'),
    paid: sumOf('paid'),
    failed: sumOf('failed'),
    delivered: sumOf('delivered'),
    failedByCode: codes.toSorted((one, other) => other.count - one.count || (one.code < other.code ? -1 : 1)),
    p95Ms: quantileOf(new Map([...steps].map(([step, count]) => [Number(step), count])), 0.95),
  }
}

const sumByLabel = (rows: readonly CountRow[], measure: string): Map<string, number> => {
  const sums = new Map<string, number>()
  for (const row of rows) {
    if (row.measure === measure) sums.set(row.label, (sums.get(row.label) ?? 0) + Number(row.count))
  }
  return sums
}

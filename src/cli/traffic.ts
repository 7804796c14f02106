import type { MessageShape } from '@bufbuild/protobuf'
import { timestampDate } from '@bufbuild/protobuf/wkt'
import { Command } from 'commander'
import type { GetTrafficResponseSchema, TrafficPointSchema } from '../gen/mpesa/gateway/v1/overview_pb.js'
import type { Row } from '../runtime/message-row.ts'
import { useOverview } from './call-service.ts'
import type { Environment } from './environment.ts'
import { type JsonOption, optional, readId, readLimit } from './options.ts'
import { printJson, printLine, printTable } from './output.ts'

type TrafficOptions = JsonOption & { hours: string; partner?: string }

/** How far back traffic is kept, hours. */
const MOST_HOURS = 840

/** `traffic`: how much happened in the last hours. */
export const trafficCommand = (environment: Environment): Command =>
  new Command('traffic')
    .description(
      'how much happened in the last hours: accepted, prompted, paid, failed by code, delivered, and how soon',
    )
    .option('--hours <hours>', `how far back, 1 to ${MOST_HOURS}`, '24')
    .option('--partner <id>', 'only of this partner')
    .addHelpText('after', '\nExample:\n  gateway traffic --hours 168 --partner 7 --json')
    .action(async (options: TrafficOptions) => {
      const request = {
        hours: readLimit(options.hours, MOST_HOURS, '--hours'),
        partnerId: optional(options.partner, readId('partner')),
      }
      const traffic = await useOverview(environment, (overview) => overview.getTraffic(request))
      if (options.json) printJson(toScript(traffic))
      else show(traffic, request.hours)
    })

type Traffic = MessageShape<typeof GetTrafficResponseSchema>
type Point = MessageShape<typeof TrafficPointSchema>

const show = (traffic: Traffic, hours: number): void => {
  if (traffic.countedTo === undefined)
    return printLine('Nothing is counted yet: gateway serve does, every minute.')
  const busy = traffic.points.filter(({ accepted, prompted, paid, failed, delivered }) =>
    [accepted, prompted, paid, failed, delivered].some((count) => count > 0n),
  )
  const total = traffic.total ? [{ ...toRow(traffic.total), at: `${hours} h` }] : []
  printTable([...busy.map(toRow), ...total], 'Nothing happened.')
  printLine(`Counted up to ${timestampDate(traffic.countedTo).toISOString()}.`)
}

const toRow = (point: Point): Row => ({
  at: point.at && timestampDate(point.at),
  accepted: point.accepted,
  prompted: point.prompted,
  paid: point.paid,
  failed: point.failed,
  delivered: point.delivered,
  p95_ms: point.p95Ms ?? null,
  failed_by_code: point.failedByCode.map(({ code, count }) => `${code}: ${count}`).join(', ') || null,
})

/** The message under the names that it has, numbers as numbers. */
const toScript = (traffic: Traffic): Row => {
  const toPoint = (point: Point): Row => ({
    ...toRow(point),
    failed_by_code: Object.fromEntries(point.failedByCode.map(({ code, count }) => [code, count])),
  })
  return {
    at: traffic.at && timestampDate(traffic.at),
    counted_to: traffic.countedTo ? timestampDate(traffic.countedTo) : null,
    begun_at: traffic.begunAt ? timestampDate(traffic.begunAt) : null,
    step_seconds: traffic.stepSeconds,
    total: traffic.total ? toPoint(traffic.total) : null,
    points: traffic.points.map(toPoint),
  }
}

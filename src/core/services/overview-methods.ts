import type { MessageInitShape } from '@bufbuild/protobuf'
import { timestampFromDate } from '@bufbuild/protobuf/wkt'
import type { Database } from '../../database/connect.ts'
import {
  type GetSituationResponseSchema,
  type OverviewService,
  type SentenceSchema,
  Severity,
  type TrafficPointSchema,
} from '../../gen/mpesa/gateway/v1/overview_pb.js'
import type { Log } from '../../runtime/log.ts'
import type { ReadSituation, Situation } from '../situation/read-situation.ts'
import type { Sentence } from '../situation/sentence.ts'
import { MOST_HOURS, readTraffic, type TrafficPoint } from '../traffic/read-traffic.ts'
import { toTimestamp } from './message-fields.ts'
import type { OperatorMethods } from './operator-client.ts'
import { wrongField } from './refused.ts'

/** What the methods about everything together use. */
export type OverviewParts = { database: Database; log: Log; readSituation: ReadSituation }

type Methods = OperatorMethods<typeof OverviewService, OverviewParts>

const answerSituation: Methods['getSituation'] = async ({ database, readSituation }) => {
  return toSituationMessage(await readSituation(database))
}

export const toSituationMessage = ({
  at,
  sentences,
  lastPaymentAt,
}: Situation): MessageInitShape<typeof GetSituationResponseSchema> => ({
  at: timestampFromDate(at),
  sentences: sentences.map(toMessage),
  lastPaymentAt: toTimestamp(lastPaymentAt),
})

const toMessage = (one: Sentence): MessageInitShape<typeof SentenceSchema> => ({
  name: one.name,
  severity: SEVERITIES[one.severity],
  since: toTimestamp(one.since),
  count: one.count === null ? undefined : BigInt(one.count),
  countIsLeast: one.isMore,
  partnerId: one.partner?.id,
  partner: one.partner?.name,
  host: one.host ?? undefined,
  text: one.text,
  command: one.command ?? undefined,
  consolePath: one.path ?? undefined,
})

const SEVERITIES: Record<Sentence['severity'], Severity> = {
  well: Severity.WELL,
  look: Severity.LOOK,
  act: Severity.ACT,
  urgent: Severity.URGENT,
}

const answerTraffic: Methods['getTraffic'] = async ({ database }, request) => {
  const hours = request.hours === 0 ? 24 : request.hours
  if (hours < 1 || hours > MOST_HOURS) throw wrongField('hours', `must be from 1 to ${MOST_HOURS}`)
  const traffic = await readTraffic(database, { hours, partnerId: request.partnerId ?? null })
  return {
    at: timestampFromDate(traffic.at),
    total: toPointMessage(traffic.total),
    points: traffic.points.map(toPointMessage),
    stepSeconds: traffic.stepSeconds,
    countedTo: toTimestamp(traffic.countedTo),
    begunAt: toTimestamp(traffic.begunAt),
  }
}

const toPointMessage = (point: TrafficPoint): MessageInitShape<typeof TrafficPointSchema> => ({
  at: timestampFromDate(point.at),
  accepted: BigInt(point.accepted),
  prompted: BigInt(point.prompted),
  paid: BigInt(point.paid),
  failed: BigInt(point.failed),
  delivered: BigInt(point.delivered),
  p95Ms: point.p95Ms === null ? undefined : BigInt(point.p95Ms),
  failedByCode: point.failedByCode.map(({ code, count }) => ({ code, count: BigInt(count) })),
})

/** OverviewService. */
export const overviewMethods: Methods = { getSituation: answerSituation, getTraffic: answerTraffic }

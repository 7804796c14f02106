import type { MessageShape } from '@bufbuild/protobuf'
import { GetSituationResponseSchema, SentenceSchema } from '../../gen/mpesa/gateway/v1/overview_pb.js'
import { type Row, toRow } from '../../runtime/message-row.ts'

/** The situation as scripts read it: from `gateway status --json`, and from the page Now as JSON. */
export const situationRow = (situation: MessageShape<typeof GetSituationResponseSchema>): Row => {
  const { at, last_payment_at } = toRow(GetSituationResponseSchema, situation)
  return { at, last_payment_at, sentences: situation.sentences.map((one) => toRow(SentenceSchema, one)) }
}

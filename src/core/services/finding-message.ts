import type { MessageInitShape } from '@bufbuild/protobuf'
import { timestampFromDate } from '@bufbuild/protobuf/wkt'
import type { FindingSchema } from '../../gen/mpesa/gateway/v1/payment_operations_pb.js'
import type { FindingRow } from '../payments/find.ts'
import { toTimestamp } from './message-fields.ts'

/** A finding as the services return it. */
export const toFindingMessage = (row: FindingRow): MessageInitShape<typeof FindingSchema> => ({
  findingId: row.id,
  paymentId: row.payment_id,
  at: timestampFromDate(row.at),
  kind: row.kind,
  detail: row.detail,
  acknowledgedAt: toTimestamp(row.acknowledged_at),
  acknowledgedBy: row.acknowledged_by ?? undefined,
  note: row.note ?? undefined,
})

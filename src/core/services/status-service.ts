import type { MessageInitShape } from '@bufbuild/protobuf'
import { timestampFromDate } from '@bufbuild/protobuf/wkt'
import type { ServiceImpl } from '@connectrpc/connect'
import type { PartStatusSchema, StatusService } from '../../gen/mpesa/gateway/v1/status_pb.js'
import type { Log } from '../../runtime/log.ts'
import type { PartStatus, ReadStatus } from '../status/read-status.ts'
import { withErrorMapping } from './errors.ts'
import { toTimestamp } from './message-fields.ts'

/** The one implementation of StatusService. Whoever asks needs no key. */
export const createStatusService = (parts: {
  readStatus: ReadStatus
  log: Log
}): ServiceImpl<typeof StatusService> => ({
  getStatus: (_request, context) =>
    withErrorMapping(parts.log, context, async () => {
      const { at, payments, prompts, daraja, outcomes } = await parts.readStatus()
      return {
        at: timestampFromDate(at),
        payments: toMessage(payments),
        prompts: toMessage(prompts),
        daraja: toMessage(daraja),
        outcomes: toMessage(outcomes),
      }
    }),
})

const toMessage = ({ isOk, since }: PartStatus): MessageInitShape<typeof PartStatusSchema> => ({
  ok: isOk ?? undefined,
  since: toTimestamp(since),
})

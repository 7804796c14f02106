import type { ServiceImpl } from '@connectrpc/connect'
import type { DarajaCallbackService } from '../../gen/mpesa/gateway/v1/daraja_callbacks_pb.js'
import type { Batcher } from '../../runtime/batch.ts'
import type { Log } from '../../runtime/log.ts'
import type { ReceivedCallback } from '../callbacks/receive.ts'
import type { CallbackTokens } from '../callbacks/token.ts'
import type { CoreMetrics } from '../metrics.ts'
import { type CallerChecks, requireScope } from './caller.ts'
import { tellErrors } from './errors.ts'

/** The one implementation of DarajaCallbackService. `onReceived` is called after a callback became durable. */
export const createDarajaCallbackService = (parts: {
  receiver: Batcher<ReceivedCallback, void>
  tokens: CallbackTokens
  checks: CallerChecks
  log: Log
  metrics: CoreMetrics
  onReceived: () => void
}): ServiceImpl<typeof DarajaCallbackService> => ({
  receiveStkCallback: (request, context) =>
    tellErrors(parts.log, context, async () => {
      await requireScope(context, parts.checks, 'callbacks:write')
      const paymentId = parts.tokens.read(request.token)
      await parts.receiver.add({
        paymentId,
        body: request.body,
        headers: request.headers,
        sourceAddress: request.sourceAddress,
      })
      parts.metrics.calledBack(paymentId === null ? 'unknown' : 'known')
      const about = { source_address: request.sourceAddress, bytes: request.body.length }
      if (paymentId === null) parts.log.warn({ event: 'callback_of_unknown_token', ...about })
      else parts.log.info({ event: 'callback_received', payment_id: Number(paymentId), ...about })
      parts.onReceived()
      return {}
    }),
})

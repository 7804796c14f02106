import type { Clock } from '../../runtime/clock.ts'
import type { Log } from '../../runtime/log.ts'
import type { ReceivedCallback } from '../callback/callback.ts'
import type { ReadableCallback } from '../callback/read-evidence.ts'
import type { CallbackReceiver } from '../callback/receive.ts'
import type { CallBack } from './test-accounts.ts'

/**
 * Makes what takes the callbacks of test payments: durable first and then interpreted, as those of Daraja, in Postgres
 * or in the spool. They come from nowhere, so their sender is not judged, and they are not counted. One that cannot be
 * kept is lost, as a callback of Daraja's would be.
 */
export const createCallBack = (options: {
  receiver: CallbackReceiver
  newId: () => string
  clock: Clock
  log: Log
  onReceived: (callback: ReadableCallback) => void
}): CallBack => {
  const { receiver, newId, clock, log, onReceived } = options
  return async ({ paymentId: payment_id, nonce }, body) => {
    const callback: ReceivedCallback = {
      id: newId(),
      received_at: clock(),
      payment_id,
      nonce,
      is_refused: false,
      body_bytes: null,
      body: Buffer.from(body),
      headers: [['x-gateway-test', 'true']],
      source_address: 'rehearsal',
    }
    const lineOf = <Fields extends { event: string }>(fields: Fields) => ({
      ...fields,
      payment_id: Number(payment_id),
      callback_id: callback.id,
      bytes: callback.body.length,
      test: true,
    })
    try {
      const where = await receiver.receive(callback)
      log.info(lineOf({ event: 'callback_received', kept_in: where }))
      if (where === 'database') onReceived({ id: callback.id, payment_id, nonce, body: callback.body })
    } catch (error) {
      log.warn(lineOf({ event: 'test_callback_lost', err: error }))
    }
  }
}

import type { ConnectError, ServiceImpl } from '@connectrpc/connect'
import type {
  DarajaCallbackService,
  ReceiveStkCallbackRequest,
} from '../../gen/mpesa/gateway/v1/daraja_callbacks_pb.js'
import type { Clock } from '../../runtime/clock.ts'
import type { Log } from '../../runtime/log.ts'
import { type ReceivedCallback, toStorable, toStorableHeader } from '../callback/callback.ts'
import type { CallbackMetrics } from '../callback/callback-metrics.ts'
import type { ReadableCallback } from '../callback/read-evidence.ts'
import type { CallbackReceiver } from '../callback/receive.ts'
import {
  type CallbackSources,
  createStrangersBudget,
  isStranger,
  judgeSource,
  type StrangerVerdict,
} from '../callback/strangers.ts'
import { type CallbackTokens, parseNonce } from '../callback/token.ts'
import type { CoreMetrics } from '../metrics.ts'
import type { CoreTraces } from '../traces.ts'
import { requireCallbackBringer } from './caller.ts'
import type { CallerChecks } from './caller-checks.ts'
import { withErrorMapping } from './errors.ts'
import { failure } from './failure.ts'

type Parts = {
  receiver: CallbackReceiver
  tokens: CallbackTokens
  sources: CallbackSources
  newId: () => string
  clock: Clock
  nowMs: () => number
  checks: Pick<CallerChecks, 'checkToken' | 'noteRefused'>
  log: Log
  metrics: CoreMetrics
  callbackMetrics: CallbackMetrics
  traces?: CoreTraces | undefined
  onReceived: (callback: ReadableCallback) => void
}

/**
 * The one implementation of DarajaCallbackService. `onReceived` is called with each callback that is to be interpreted,
 * once it is durable in Postgres.
 */
export const createDarajaCallbackService = (parts: Parts): ServiceImpl<typeof DarajaCallbackService> => {
  const judgeStranger = createStrangersBudget(parts.sources.strangers, parts.nowMs)
  const judge = (callback: ReceivedCallback): StrangerVerdict =>
    isStranger(parts.sources.list, callback) ? judgeStranger(callback) : { kind: 'kept', callback }
  return {
    receiveStkCallback: (request, context) =>
      withErrorMapping(parts.log, context, async () => {
        const traced = parts.traces?.takingCallback()
        await requireCallbackBringer(context, parts.checks)
        const verdict = judgeSource(parts.sources, request.sourceAddress)
        const came = toCallback(parts, request, verdict === 'refused')
        const judged = judge(came)
        if (judged.kind === 'turned_away') return turnAway(parts, came, judged)
        const { callback } = judged
        const keptIn = await keep(parts, callback)
        traced?.({ id: callback.id, paymentId: callback.payment_id, keptIn })
        if (verdict === 'reported')
          parts.log.warn(lineOf({ event: 'callback_from_unlisted_address' }, callback))
        if (callback.is_refused) refuse(parts, callback)
        return {}
      }),
  }
}

const toCallback = (
  parts: Parts,
  request: ReceiveStkCallbackRequest,
  is_refused: boolean,
): ReceivedCallback => ({
  id: parts.newId(),
  received_at: parts.clock(),
  payment_id: parts.tokens.read(request.token),
  nonce: parseNonce(request.nonce),
  is_refused,
  body_bytes: null,
  body: request.body,
  headers: request.headers.map(toStorableHeader),
  source_address: toStorable(request.sourceAddress),
})

/** Resolves with where it is durable. */
const keep = async (parts: Parts, callback: ReceivedCallback): Promise<'database' | 'spool'> => {
  const where = await parts.receiver.receive(callback).catch((error: unknown) => {
    parts.callbackMetrics.notKept()
    throw failure('NOT_KEPT', 'the callback could not be made durable: send it again', {
      retryAfterSeconds: 1,
      cause: error,
    })
  })
  parts.metrics.calledBack(callback.payment_id === null ? 'unknown' : 'known')
  if (callback.body_bytes !== null) parts.callbackMetrics.countStrangerBytes(callback.body.length)
  const { id, payment_id, nonce, body } = callback
  if (payment_id === null) {
    parts.log.warn(lineOf({ event: 'callback_of_unknown_token', kept_in: where }, callback))
    return where
  }
  const about = { event: 'callback_received', payment_id: Number(payment_id), kept_in: where }
  parts.log.info(lineOf(about, callback))
  if (where === 'database' && !callback.is_refused) parts.onReceived({ id, payment_id, nonce, body })
  return where
}

const refuse = (parts: Parts, callback: ReceivedCallback): never => {
  parts.callbackMetrics.refused({ isKept: true })
  parts.log.warn(lineOf({ event: 'callback_refused' }, callback))
  throw notFromThere()
}

const notFromThere = (): ConnectError =>
  failure('SOURCE_REFUSED', 'callbacks are not taken from this address')

/** Not kept, so it must not be acknowledged (law 3). It is one of a flood, which must not flood the log too. */
const turnAway = (
  parts: Parts,
  callback: ReceivedCallback,
  { spent, isFirst }: Extract<StrangerVerdict, { kind: 'turned_away' }>,
): never => {
  parts.callbackMetrics.refused({ isKept: false })
  if (isFirst) parts.log.warn(lineOf({ event: 'strangers_turned_away', spent }, callback))
  if (callback.is_refused) throw notFromThere()
  throw failure('TOO_MANY_STRANGERS', 'too many callbacks whose token is none of ours', {
    retryAfterSeconds: 60,
  })
}

/** A line of the log about a callback. */
const lineOf = <Fields extends { event: string }>(fields: Fields, callback: ReceivedCallback) => ({
  ...fields,
  callback_id: callback.id,
  source_address: callback.source_address,
  bytes: callback.body_bytes ?? callback.body.length,
})

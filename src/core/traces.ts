import type { Place } from '../runtime/tracing/places.ts'
import type { EndSpan, Tracing } from '../runtime/tracing/tracing.ts'
import { isTestId, partnerIdOf } from '../values/test-partner.ts'
import type { Daraja } from './daraja/call.ts'
import type { QueryOutcome } from './daraja/query.ts'
import type { PushOutcome } from './daraja/stk-push.ts'
import type { Settlement } from './settle/decide.ts'

/** A call of Daraja that is being made: through what, and what to call once it is known what came of it. */
type TracedCall<Outcome> = { daraja: Daraja; ended(outcome: Outcome): void }

/**
 * The spans of the core's stages (docs/tracing.md). Each function begins some, and what it returns ends them. Where no
 * spans are made there are no traces either: `traces?.accepting()`.
 */
export type CoreTraces = {
  /** Of payments that one statement makes durable. */
  accepting(): (accepted: readonly { paymentId: bigint; partnerId: bigint }[]) => void
  pushing(paymentId: bigint, daraja: Daraja): TracedCall<PushOutcome>
  querying(paymentId: bigint, daraja: Daraja): TracedCall<QueryOutcome>
  /** Of a callback from its arrival to where it is durable. */
  takingCallback(): (callback: { id: string; paymentId: bigint | null; keptIn: 'database' | 'spool' }) => void
  /** Of what is settled together. */
  settling(): (settlements: readonly Settlement[]) => void
}

/** `darajaUrl`: whom calls of Daraja go to. */
export const createCoreTraces = (tracing: Tracing, { darajaUrl }: { darajaUrl: string }): CoreTraces => ({
  accepting: () => endAccepting(tracing, tracing.begin()),
  pushing: (paymentId, daraja) =>
    tracePush(tracing, { paymentId, daraja, host: new URL(darajaUrl).hostname }),
  querying: (paymentId, daraja) =>
    traceQuery(tracing, { paymentId, daraja, host: new URL(darajaUrl).hostname }),
  takingCallback: () => endCallback(tracing, tracing.begin()),
  settling: () => endSettling(tracing, tracing.begin()),
})

/** The statement has a trace of its own, for it is of many payments: it links to each, and each back to it. */
const endAccepting =
  (tracing: Tracing, end: EndSpan): ReturnType<CoreTraces['accepting']> =>
  (accepted) => {
    if (accepted.length === 0) return
    const batch = tracing.newPlace()
    const places = accepted.map(({ paymentId }) => tracing.placeOf(paymentId, 'accept'))
    end({
      name: 'INSERT payments',
      kind: 'client',
      place: batch,
      parent: null,
      links: places,
      attributes: {
        'db.system.name': 'postgresql',
        'db.operation.name': 'INSERT',
        'db.collection.name': 'payments',
        'db.operation.batch.size': accepted.length,
      },
    })
    for (const { paymentId, partnerId } of accepted) {
      end({
        name: 'accept payment',
        kind: 'internal',
        place: tracing.placeOf(paymentId, 'accept'),
        parent: tracing.placeOf(paymentId, 'request'),
        links: [batch],
        attributes: { ...aboutPayment(paymentId), ...aboutPartner(partnerId) },
      })
    }
  }

/** By what a span is found: the id that partners know as `transaction_id`. */
export const aboutPayment = (paymentId: bigint) => ({ 'gateway.payment.id': Number(paymentId) })

export const aboutPartner = (partnerId: bigint) => ({
  'gateway.partner.id': Number(partnerIdOf(partnerId)),
  'gateway.test': isTestId(partnerId) || undefined,
})

type CallOf = { paymentId: bigint; daraja: Daraja; host: string }

const tracePush = (tracing: Tracing, call: CallOf): TracedCall<PushOutcome> => {
  const { paymentId } = call
  const end = tracing.begin()
  const sent = traceSending(tracing, call)
  const ended = (outcome: PushOutcome): void => {
    // What Daraja turned away is asked again: only what it may have taken stands where callbacks lead to.
    const place =
      outcome.kind === 'later'
        ? tracing.newPlace(tracing.traceIdOf(paymentId))
        : tracing.placeOf(paymentId, 'push')
    end({
      name: 'push payment',
      kind: 'internal',
      place,
      parent: tracing.placeOf(paymentId, 'accept'),
      attributes: {
        ...aboutPayment(paymentId),
        'gateway.push.outcome': outcome.kind,
        'gateway.result_code': 'code' in outcome ? outcome.code : undefined,
      },
      error: outcome.kind === 'accepted' ? undefined : outcome.kind,
    })
    sent.endUnder(place)
  }
  return { daraja: sent.daraja, ended }
}

const traceQuery = (tracing: Tracing, call: CallOf): TracedCall<QueryOutcome> => {
  const { paymentId } = call
  const end = tracing.begin()
  const sent = traceSending(tracing, call)
  const ended = (outcome: QueryOutcome): void => {
    const place = tracing.newPlace(tracing.traceIdOf(paymentId))
    end({
      name: 'query payment',
      kind: 'internal',
      place,
      parent: tracing.placeOf(paymentId, 'accept'),
      links: [tracing.placeOf(paymentId, 'push')],
      attributes: {
        ...aboutPayment(paymentId),
        'gateway.query.answer': outcome.kind,
        'gateway.result_code': outcome.kind === 'definite' ? outcome.resultCode : undefined,
      },
    })
    sent.endUnder(place)
  }
  return { daraja: sent.daraja, ended }
}

/**
 * Sees what is sent to Daraja, to which nothing of the trace is told. Its spans are made at the end, since what they
 * stand under depends on the outcome.
 */
const traceSending = (tracing: Tracing, { daraja, host }: CallOf) => {
  const seen: ((parent: Place) => void)[] = []
  const send: Daraja['send'] = async (call) => {
    const end = tracing.begin()
    const reply = await daraja.send(call)
    const endedMs = performance.now()
    const status = reply.kind === 'answered' ? reply.status : undefined
    seen.push((parent) =>
      end(
        {
          name: `${call.method} ${call.path}`,
          kind: 'client',
          place: tracing.newPlace(parent.traceId),
          parent,
          attributes: {
            'http.request.method': call.method,
            'url.template': call.path,
            'server.address': host,
            'http.response.status_code': status,
          },
          error: status === undefined ? reply.kind : errorOf(status),
        },
        endedMs,
      ),
    )
    return reply
  }
  const endUnder = (parent: Place): void => {
    for (const record of seen) record(parent)
  }
  return { daraja: { ...daraja, send }, endUnder }
}

const FIRST_ERROR = 400

const errorOf = (status: number): string | undefined => (status < FIRST_ERROR ? undefined : String(status))

const endCallback =
  (tracing: Tracing, end: EndSpan): ReturnType<CoreTraces['takingCallback']> =>
  ({ id, paymentId, keptIn }) => {
    const where =
      paymentId === null
        ? { place: tracing.newPlace(), parent: null, links: [] }
        : {
            place: tracing.placeOf(paymentId, `callback ${id}`),
            parent: tracing.placeOf(paymentId, 'request'),
            links: [tracing.placeOf(paymentId, 'push')],
          }
    end({
      name: 'POST /callbacks/stk/{token}',
      kind: 'server',
      place: where.place,
      parent: where.parent,
      links: where.links,
      attributes: {
        'http.request.method': 'POST',
        'http.route': '/callbacks/stk/{token}',
        'gateway.callback.id': id,
        'gateway.callback.kept_in': keptIn,
        ...(paymentId !== null && aboutPayment(paymentId)),
      },
    })
  }

const endSettling =
  (tracing: Tracing, end: EndSpan): ReturnType<CoreTraces['settling']> =>
  (settlements) => {
    for (const { evidence, from, decision } of settlements) {
      const { paymentId, callback } = evidence
      // It waits for the reply to its push, and comes again.
      if (from === null || decision.kind === 'wait') continue
      end({
        name: 'settle payment',
        kind: 'internal',
        place:
          decision.kind === 'move'
            ? tracing.placeOf(paymentId, `outcome ${decision.to}`)
            : tracing.newPlace(tracing.traceIdOf(paymentId)),
        parent: tracing.placeOf(paymentId, callback?.id === undefined ? 'accept' : `callback ${callback.id}`),
        attributes: {
          ...aboutPayment(paymentId),
          'gateway.settle.decision': decision.kind,
          'gateway.settle.cause': evidence.cause,
          'gateway.outcome': evidence.outcome,
          'gateway.result_code': evidence.resultCode,
          'gateway.batch.size': settlements.length,
        },
      })
    }
  }

import type { DescMethod, DescService } from '@bufbuild/protobuf'
import {
  ConnectError,
  type HandlerContext,
  type MethodImplSpec,
  type ServiceImpl,
  type ServiceImplSpec,
} from '@connectrpc/connect'
import { codeToString } from '@connectrpc/connect/protocol-connect'
import type { Place } from '../../runtime/tracing/places.ts'
import type { EndedSpan, Tracing } from '../../runtime/tracing/tracing.ts'
import { parsePlace } from '../../values/traceparent.ts'
import { aboutPayment } from '../traces.ts'
import { type Services, specsOf } from './services.ts'

/**
 * The same services, each call of which that is answered once is a span. A request for a payment begins the payment's
 * own trace, and links to what its caller named by `traceparent`; any other call goes on with its caller's trace.
 */
export const traceCalls = (services: Services, tracing: Tracing): Services => {
  const traced = Object.entries(specsOf(services)).map(([name, spec]) => [name, traceService(spec, tracing)])
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the same services, under the same names
  return Object.fromEntries(traced) as Services
}

/** The same for one service. */
export const traceService = <Service extends DescService>(
  { methods }: ServiceImplSpec,
  tracing: Tracing,
): ServiceImpl<Service> => {
  const traced = Object.values(methods).map((spec) => [spec.method.localName, traceMethod(spec, tracing)])
  // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- the same methods, under the same names
  return Object.fromEntries(traced) as ServiceImpl<Service>
}

/** Spans that others make, or that nobody looks for: a callback has the one of its stage, the status is for probes. */
const WITHOUT = new Set(['ReceiveStkCallback', 'GetStatus'])

const traceMethod = (spec: MethodImplSpec, tracing: Tracing): MethodImplSpec['impl'] => {
  if (spec.kind !== 'unary' || WITHOUT.has(spec.method.name)) return spec.impl
  const impl: typeof spec.impl = async (request, context) => {
    const end = tracing.begin()
    try {
      const answer = await spec.impl(request, context)
      end(toSpan(tracing, context, { answer }))
      return answer
    } catch (error) {
      end(toSpan(tracing, context, { error }))
      throw error
    }
  }
  return impl
}

type Ended = { answer: unknown } | { error: unknown }

const toSpan = (tracing: Tracing, context: HandlerContext, ended: Ended): EndedSpan => {
  const { method } = context
  const caller = parsePlace(context.requestHeader.get('traceparent'))
  const error = 'error' in ended ? codeToString(ConnectError.from(ended.error).code) : undefined
  return {
    ...named(method, context.protocolName),
    kind: 'server',
    ...(method.name === 'RequestPayment'
      ? placeOfRequest(tracing, caller, ended)
      : { place: tracing.newPlace(caller?.traceId), parent: caller }),
    attributes: {
      ...named(method, context.protocolName).attributes,
      'rpc.response.status_code': error ?? 'ok',
      ...(isAccepted(ended) && aboutPayment(ended.answer.paymentId)),
      'gateway.duplicate': isAccepted(ended) ? ended.answer.duplicate : undefined,
    },
    error,
  }
}

/** In the trace of the payment that it asks for, where it is one; its root, where it made it. */
const placeOfRequest = (
  tracing: Tracing,
  caller: Place | null,
  ended: Ended,
): Pick<EndedSpan, 'place' | 'parent' | 'links'> => {
  const links = caller === null ? [] : [caller]
  if (!isAccepted(ended)) return { place: tracing.newPlace(), parent: null, links }
  const { paymentId, duplicate } = ended.answer
  const place = tracing.placeOf(paymentId, 'request')
  return duplicate
    ? { place: tracing.newPlace(place.traceId), parent: place, links }
    : { place, parent: null, links }
}

const isAccepted = (ended: Ended): ended is { answer: { paymentId: bigint; duplicate: boolean } } => {
  const answer: unknown = 'answer' in ended ? ended.answer : null
  return typeof answer === 'object' && answer !== null && 'paymentId' in answer && 'duplicate' in answer
}

/** A partner's POST is called in this process by the facade; it is known by its route. */
const named = (method: DescMethod, protocolName: string): Pick<EndedSpan, 'name' | 'attributes'> => {
  const rpc = `${method.parent.typeName}/${method.name}`
  if (protocolName === 'in-process' && method.name === 'RequestPayment') {
    const route = '/api/v1/mpesa/stk_push'
    return {
      name: `POST ${route}`,
      attributes: { 'http.request.method': 'POST', 'http.route': route, 'rpc.method': rpc },
    }
  }
  return {
    name: rpc,
    attributes: { 'rpc.system.name': SYSTEMS[protocolName] ?? protocolName, 'rpc.method': rpc },
  }
}

/** As the conventions name them. */
const SYSTEMS: Readonly<Record<string, string>> = { connect: 'connectrpc' }

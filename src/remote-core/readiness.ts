import { ConnectError } from '@connectrpc/connect'
import { ErrorInfoSchema } from '../gen/google/rpc/error_details_pb.js'
import { HealthCheckResponse_ServingStatus } from '../gen/health/v1/health_pb.js'
import { PaymentService } from '../gen/mpesa/gateway/v1/payments_pb.js'
import type { Readiness } from '../runtime/operations-server.ts'
import type { CoreClients } from './clients.ts'

/** How long the core may take to say how it is, ms. */
const TIMEOUT_MS = 2_000

/**
 * The answer of `/readyz` of a facade apart from its core: ready while the core says that it serves payments, and
 * believes this facade.
 */
export const coreReadiness = async (
  clients: Pick<CoreClients, 'health' | 'payments'>,
  isStopping: boolean,
): Promise<Readiness> => {
  const { state, trouble } = await lookAt(clients)
  return {
    ready: state === 'ok' && !isStopping,
    parts: {
      core: state,
      ...(trouble !== null && { core_trouble: trouble }),
      ...(isStopping && { process: 'stopping' }),
    },
  }
}

type State = { state: 'ok' | 'away' | 'not serving' | 'refuses CORE_TOKEN'; trouble: string | null }

const lookAt = async ({ health, payments }: Pick<CoreClients, 'health' | 'payments'>): Promise<State> => {
  try {
    const asked = { service: PaymentService.typeName }
    const { status } = await health.check(asked, { timeoutMs: TIMEOUT_MS })
    if (status !== HealthCheckResponse_ServingStatus.SERVING) return { state: 'not serving', trouble: null }
  } catch (error) {
    return { state: 'away', trouble: textOf(error) }
  }
  return await payments.getPayment({}, { timeoutMs: TIMEOUT_MS }).then(
    () => ({ state: 'ok', trouble: null }),
    (error: unknown) => toState(error),
  )
}

/** The call had no API key, and its facade is looked at before that. */
const toState = (error: unknown): State => {
  const reason = error instanceof ConnectError ? error.findDetails(ErrorInfoSchema)[0]?.reason : undefined
  if (reason === 'CREDENTIALS_MISSING') return { state: 'ok', trouble: null }
  return {
    state: reason === 'FACADE_REFUSED' ? 'refuses CORE_TOKEN' : 'away',
    trouble: textOf(error),
  }
}

const textOf = (error: unknown): string => {
  const cause = error instanceof Error ? (error.cause ?? error) : error
  return cause instanceof Error ? cause.message : String(cause)
}

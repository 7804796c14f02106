import { Code, ConnectError } from '@connectrpc/connect'
import type { CallbackMetrics } from '../core/callback/callback-metrics.ts'
import type { Spool } from '../core/callback/spool.ts'
import type { CallbackSources } from '../core/callback/strangers.ts'
import { createCallbackTokens } from '../core/callback/token.ts'
import type { CoreMetrics } from '../core/metrics.ts'
import { createInProcessClients, type InProcessClients } from '../core/server/in-process.ts'
import { createDarajaCallbackService } from '../core/services/daraja-callback-service.ts'
import type { Clock } from '../runtime/clock.ts'
import type { Log } from '../runtime/log.ts'

/** Clients for the facade that can be used before there is a core. */
export type EarlyClients = {
  clients: InProcessClients
  /** From now on calls go to the core. */
  become(clients: InProcessClients): void
}

/**
 * A process that starts while Postgres is away cannot do its work, but it can keep what Daraja sends only once: callbacks go
 * to the spool, everything else is UNAVAILABLE, until there is a core.
 */
export const createEarlyClients = (parts: {
  spool: Spool
  secretKey: Uint8Array
  previousSecretKey: Uint8Array | null
  callbackSources: CallbackSources
  callbackMetrics: CallbackMetrics
  metrics: CoreMetrics
  newId: () => string
  clock: Clock
  nowMs: () => number
  log: Log
}): EarlyClients => {
  let current = createInProcessClients({
    payments: { requestPayment: unavailable, getPayment: unavailable, listPayments: unavailable },
    darajaCallbacks: createDarajaCallbackService({
      ...parts,
      receiver: {
        receive: async (callback) => {
          await parts.spool.add(callback)
          return 'spool'
        },
        drained: () => Promise.resolve(),
      },
      tokens: createCallbackTokens(parts),
      sources: parts.callbackSources,
      checks: { checkToken: unavailable },
      onReceived: () => undefined,
    }),
  })
  const clients: InProcessClients = {
    payments: {
      requestPayment: (request, options) => current.payments.requestPayment(request, options),
      getPayment: (request, options) => current.payments.getPayment(request, options),
      listPayments: (request, options) => current.payments.listPayments(request, options),
    },
    darajaCallbacks: {
      receiveStkCallback: (request, options) => current.darajaCallbacks.receiveStkCallback(request, options),
    },
  }
  return {
    clients,
    become: (core) => {
      current = core
    },
  }
}

const unavailable = (): Promise<never> =>
  Promise.reject(new ConnectError('the gateway is starting', Code.Unavailable, { 'retry-after': '1' }))

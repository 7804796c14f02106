import { type Client, createClient } from '@connectrpc/connect'
import { Health } from '../gen/health/v1/health_pb.js'
import { DarajaCallbackService } from '../gen/mpesa/gateway/v1/daraja_callbacks_pb.js'
import { PaymentService } from '../gen/mpesa/gateway/v1/payments_pb.js'
import { StatusService } from '../gen/mpesa/gateway/v1/status_pb.js'
import type { CoreConnections } from './connections.ts'
import { createCoreTransport } from './transport.ts'

/**
 * How long a call may take, ms: a core that has lost its database answers sooner. After that its caller is told to
 * repeat it.
 */
const CALL_TIMEOUT_MS = 20_000

/** What a facade apart from its core is handed, and what tells how the core is. */
export type CoreClients = {
  payments: Client<typeof PaymentService>
  darajaCallbacks: Client<typeof DarajaCallbackService>
  status: Client<typeof StatusService>
  health: Client<typeof Health>
}

/** Clients of a core behind gRPC; `token` proves to it that they are a facade's. */
export const createCoreClients = (options: { connections: CoreConnections; token: string }): CoreClients => {
  const { connections, token } = options
  const transport = createCoreTransport({ pick: connections.pick, token, timeoutMs: CALL_TIMEOUT_MS })
  return {
    payments: createClient(PaymentService, transport),
    darajaCallbacks: createClient(DarajaCallbackService, transport),
    status: createClient(StatusService, transport),
    health: createClient(Health, transport),
  }
}

import { randomBytes } from 'node:crypto'
import { createServiceToken } from '../../src/core/partners/service-token.ts'
import { type GrpcServer, startGrpcServer } from '../../src/core/server/grpc.ts'
import { createHealth } from '../../src/core/server/health.ts'
import { servicesOf } from '../../src/core/server/services.ts'
import { type CoreClients, createCoreClients } from '../../src/remote-core/clients.ts'
import { openCoreConnections } from '../../src/remote-core/connections.ts'
import type { Scope } from '../../src/values/scope.ts'
import { testActor } from './actor.ts'
import type { TestCore } from './core.ts'

/** A core behind a socket of gRPC, and clients of it as a facade apart has them. */
export type Apart = { clients: CoreClients; grpc: GrpcServer; token: string; close(): Promise<void> }

export const openApart = async (
  core: Pick<TestCore, 'core' | 'database'>,
  scopes: readonly Scope[] = ['facade:call', 'callbacks:write'],
): Promise<Apart> => {
  const health = createHealth(servicesOf(core.core.services).map(({ typeName }) => typeName))
  for (const { typeName } of servicesOf(core.core.services)) health.set(typeName, true)
  const { services } = core.core
  const protocols = { health, reflection: null }
  const grpc = await startGrpcServer({ services, protocols, host: '127.0.0.1', port: 0 })
  const { token } = await createServiceToken({
    actor: testActor,
    database: core.database,
    name: 'facade',
    scopes,
    randomBytes,
  })
  const urls = [new URL(`http://127.0.0.1:${grpc.port}`)]
  const connections = openCoreConnections({ urls, tls: { ca: null, own: null } })
  const close = async (): Promise<void> => {
    connections.close()
    health.endWatches()
    await grpc.close()
  }
  return { clients: createCoreClients({ connections, token }), grpc, token, close }
}

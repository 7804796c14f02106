import { randomBytes } from 'node:crypto'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createServiceToken } from '../../src/core/partners/service-token.ts'
import { type GrpcServer, startGrpcServer } from '../../src/core/server/grpc.ts'
import { createHealth } from '../../src/core/server/health.ts'
import type { ServerTls } from '../../src/core/server/server-tls.ts'
import { PaymentService } from '../../src/gen/mpesa/gateway/v1/payments_pb.js'
import { createCoreClients } from '../../src/remote-core/clients.ts'
import { type CoreTls, openCoreConnections } from '../../src/remote-core/connections.ts'
import { coreReadiness } from '../../src/remote-core/readiness.ts'
import { testActor } from '../support/actor.ts'
import { type Authority, type Certificate, createAuthority } from '../support/certificates.ts'
import { startTestCore, type TestCore } from '../support/core.ts'
import { freePort } from '../support/ports.ts'

let test: TestCore
let token: string
const health = createHealth([PaymentService.typeName])
beforeAll(async () => {
  test = await startTestCore()
  const scopes = ['facade:call'] as const
  const { database } = test
  const made = await createServiceToken({ actor: testActor, database, name: 'facade', scopes, randomBytes })
  token = made.token
  health.set(PaymentService.typeName, true)
})
afterAll(() => test.stop())

const startCore = (tls: ServerTls | null, port = 0): Promise<GrpcServer> =>
  startGrpcServer({
    services: test.core.services,
    protocols: { health, reflection: null },
    host: '127.0.0.1',
    port,
    tls,
  })

/** What `/readyz` of a facade with these settings says. */
const look = async (urls: readonly string[], tls: CoreTls = { ca: null, own: null }, shown = token) => {
  const connections = openCoreConnections({ urls: urls.map((url) => new URL(url)), tls })
  try {
    return await coreReadiness(createCoreClients({ connections, token: shown }), false)
  } finally {
    connections.close()
  }
}

describe('over TLS', () => {
  let authority: Authority
  let own: CoreTls['own']
  let core: GrpcServer
  const toPem = ({ cert, key }: Certificate) => ({ cert: Buffer.from(cert), key: Buffer.from(key) })

  beforeAll(async () => {
    authority = await createAuthority()
    own = toPem(await authority.issue({ hosts: [] }))
    const cert = await authority.issue({ hosts: ['127.0.0.1'] })
    core = await startCore({ ...toPem(cert), clientCa: Buffer.from(authority.cert) })
  })
  afterAll(() => core.close())

  it('a core is believed by who signed it and what it is called, an address too', async () => {
    const tls = { ca: Buffer.from(authority.cert), own }
    expect(await look([`https://127.0.0.1:${core.port}`], tls)).toEqual({
      ready: true,
      parts: { core: 'ok' },
    })
    expect(await look([`https://localhost:${core.port}`], tls)).toMatchObject({
      ready: false,
      parts: { core: 'away', core_trouble: expect.stringContaining('ERR_TLS_CERT_ALTNAME_INVALID') },
    })
    const other = await createAuthority()
    expect(
      await look([`https://127.0.0.1:${core.port}`], { ca: Buffer.from(other.cert), own }),
    ).toMatchObject({ ready: false, parts: { core: 'away' } })
  })

  it('a core that asks for certificates lets in nobody without one', async () => {
    const tls = { ca: Buffer.from(authority.cert), own: null }
    expect((await look([`https://127.0.0.1:${core.port}`], tls)).ready).toBe(false)
  })
})

describe('in plaintext', () => {
  it('calls go to whichever of several cores can be reached', async () => {
    const core = await startCore(null)
    const urls = [`http://127.0.0.1:${await freePort()}`, `http://127.0.0.1:${core.port}`]
    const connections = openCoreConnections({
      urls: urls.map((url) => new URL(url)),
      tls: { ca: null, own: null },
    })
    const clients = createCoreClients({ connections, token })
    // The one that is away is found out by the first call that it gets.
    await Promise.allSettled([1, 2].map(() => clients.status.getStatus({})))
    for (let count = 0; count < 6; count += 1) await clients.status.getStatus({})
    connections.close()
    await core.close()
  })

  it('a token that the core refuses is told to operators, and makes the facade unready', async () => {
    const core = await startCore(null)
    expect(await look([`http://127.0.0.1:${core.port}`], undefined, 'mps_wrong')).toMatchObject({
      ready: false,
      parts: {
        core: 'refuses CORE_TOKEN',
        core_trouble: expect.stringContaining('which proves a facade, is unknown'),
      },
    })
    await core.close()
  })
})

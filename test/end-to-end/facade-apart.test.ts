import { randomBytes } from 'node:crypto'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createServiceToken } from '../../src/core/partners/service-token.ts'
import { testActor } from '../support/actor.ts'
import { createAuthority } from '../support/certificates.ts'
import { eventually } from '../support/eventually.ts'
import { startTestGateway, type TestGateway } from '../support/gateway.ts'
import { beginGatewayProcess, type GatewayProcess, startGatewayProcess } from '../support/gateway-process.ts'
import { deliveriesOf } from '../support/outside-world.ts'
import { lastingPort } from '../support/ports.ts'
import { GATEWAY_SOURCES } from '../support/tested-gateway.ts'

type Answer = { status: number; retryAfter: string | null; text: string }

describe('a facade, its core and a dispatcher as separate processes', () => {
  let gateway: TestGateway
  let facade: GatewayProcess
  let folder: string
  let grpc: Record<string, string>

  beforeAll(async () => {
    folder = await mkdtemp(join(tmpdir(), 'gateway-apart-'))
    const authority = await createAuthority()
    const [core, own] = [
      await authority.issue({ hosts: ['127.0.0.1'] }),
      await authority.issue({ hosts: [] }),
    ]
    const files = { ca: authority.cert, cert: core.cert, key: core.key, own: own.cert, ownKey: own.key }
    for (const [name, text] of Object.entries(files)) await writeFile(join(folder, name), text)
    const port = String(await lastingPort())
    grpc = {
      GRPC_PORT: port,
      GRPC_TLS_CERT: join(folder, 'cert'),
      GRPC_TLS_KEY: join(folder, 'key'),
      GRPC_TLS_CLIENT_CA: join(folder, 'ca'),
    }
    gateway = await startTestGateway({ serve: 1, dispatch: 1, settings: grpc })
    const { token } = await createServiceToken({
      actor: testActor,
      database: gateway.database,
      name: 'facade',
      scopes: ['facade:call', 'callbacks:write'],
      randomBytes,
    })
    facade = await startGatewayProcess(
      'serve --facade-only',
      {
        CORE_URL: `https://127.0.0.1:${port}`,
        CORE_TOKEN: token,
        CORE_TLS_CA: join(folder, 'ca'),
        CORE_TLS_CERT: join(folder, 'own'),
        CORE_TLS_KEY: join(folder, 'ownKey'),
        PUBLIC_URL: gateway.httpUrl,
        HTTP_PORT: '0',
        OPS_PORT: '0',
      },
      GATEWAY_SOURCES,
    )
  })
  afterAll(async () => {
    await facade.end('SIGKILL')
    await gateway.close()
    await rm(folder, { recursive: true })
  })

  const ask = async (url: string, init: RequestInit = {}): Promise<Answer> => {
    const answer = await fetch(url, init)
    return {
      status: answer.status,
      retryAfter: answer.headers.get('retry-after'),
      text: await answer.text(),
    }
  }

  const push = (key: string): Promise<Answer> =>
    ask(`${facade.ready['http_url']}/api/v1/mpesa/stk_push`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', 'x-api-key': gateway.apiKey, 'x-idempotency-key': key },
      body: JSON.stringify({
        phone: '254712345678',
        amount: 150,
        reference: 'INV-2025-001',
        callback_url: `${gateway.world.receiver.url}/payment_callback`,
      }),
    })

  const readiness = () => ask(`${facade.ready['ops_url']}/readyz`)

  it('counts the errors in its log, as every process does', async () => {
    const { text } = await ask(`${facade.ready['ops_url']}/metrics`)
    expect(text).toContain('# TYPE gateway_log_errors_total counter')
  })

  it('carry a payment to its delivery; Daraja calls back where a spool is', async () => {
    const { text } = await push('first')
    const { transaction_id: id } = JSON.parse(text)
    expect(text).toBe(
      `{"status":"success","transaction_id":${id},"message":"STK Push accepted for processing"}`,
    )
    await eventually(() => expect(deliveriesOf(gateway.world.receiver, id)).toHaveLength(1))
    expect(JSON.parse((await readiness()).text)).toEqual({ ready: true, core: 'ok' })
  })

  it('the facade answers 503 while the core is away, and recovers by itself when it is back', async () => {
    await gateway.serve[0]?.end('SIGKILL')
    await eventually(async () => expect(await push('away')).toMatchObject({ status: 503, retryAfter: '1' }))
    const callback = { method: 'POST', body: '{}' }
    expect(await ask(`${facade.ready['http_url']}/callbacks/stk/any`, callback)).toMatchObject({
      status: 503,
      retryAfter: '1',
    })
    const { status, text } = await readiness()
    expect(status).toBe(503)
    expect(JSON.parse(text)).toMatchObject({ ready: false, core: 'away' })
    gateway.serve.splice(0, 1, await gateway.start('serve'))
    await eventually(async () => expect((await push('back')).status).toBe(200))
    await eventually(async () => expect((await readiness()).status).toBe(200))
  })

  it('the facade ends cleanly, and has logged no error and no secret', async () => {
    expect(await facade.end('SIGTERM')).toBe(0)
    expect(facade.log()).not.toMatch(/"level":"(?:error|fatal)"/)
    expect(facade.log()).not.toContain('mps_')
  })
})

it('serve --facade-only names every setting that is missing or wrong, and needs no other', async () => {
  const starting = beginGatewayProcess('serve --facade-only', { CORE_URL: 'core:9090' }, GATEWAY_SOURCES)
  await expect(starting.ready).rejects.toThrow('ended with 2')
  const lines = starting.log().trim().split('\n')
  expect(lines).toEqual([
    expect.stringMatching(/^PUBLIC_URL is required: /),
    'CORE_URL must be URLs separated by commas, each of a host and a port only, like "https://core:9090", not "core:9090"',
    expect.stringMatching(/^CORE_TOKEN is required: /),
  ])
})

import { once } from 'node:events'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { createServer, type Server } from 'node:https'
import type { AddressInfo } from 'node:net'
import { getCACertificates, setDefaultCACertificates } from 'node:tls'
import { request as send } from 'undici'
import { afterEach, describe, expect, it } from 'vitest'
import { createAuthority } from '../../support/certificates.ts'
import { startTestCore, type TestCore, type TestCoreOverrides } from '../../support/core.ts'
import {
  OAUTH_PATH,
  type OwnAnswer,
  openDarajaRelay,
  PUSH_PATH,
  QUERY_PATH,
} from '../../support/daraja-relay.ts'
import { eventually } from '../../support/eventually.ts'
import { holdSockets } from '../../support/held-sockets.ts'
import { readBodies, readMoves, readPayment } from '../../support/payments.ts'
import { paymentRequest } from '../../support/requests.ts'

const closing: (() => unknown)[] = []
afterEach(async () => {
  for (const close of closing.splice(0).toReversed()) await close()
})

const startCore = async (config: TestCoreOverrides['config']): Promise<TestCore> => {
  const test = await startTestCore({ config })
  closing.push(() => test.stop())
  return test
}

const ask = async (test: TestCore, msisdn = '254712345678'): Promise<bigint> => {
  const request = paymentRequest({ msisdn })
  return (await test.clients.payments.requestPayment(request, { headers: test.headers })).paymentId
}

/** What never comes. */
const NEVER = new Promise<never>(() => undefined)

const openRelay = async (
  core: () => TestCore,
  answer: (call: { path: string }) => OwnAnswer | undefined | Promise<OwnAnswer | undefined>,
) => {
  const relay = await openDarajaRelay({ target: () => core().simulator.url, answer })
  closing.push(() => relay.close())
  return relay
}

describe('a push whose connection fails once it was written', () => {
  it.each(['EHOSTUNREACH', 'ENETUNREACH', 'ECONNREFUSED'])('is never made again: %s', async (code) => {
    const relay = await openRelay(
      () => test,
      ({ path }) => (path === PUSH_PATH ? NEVER : undefined),
    )
    const sockets = holdSockets(PUSH_PATH)
    closing.push(() => sockets.release())
    const test: TestCore = await startCore({ daraja: { baseUrl: relay.url } })
    const id = await ask(test)
    await eventually(() => expect(relay.callsTo(PUSH_PATH)).toHaveLength(1))
    sockets.cut(Object.assign(new Error(`read ${code}`), { code, syscall: 'read' }))
    await eventually(async () => {
      expect(await readPayment(test.database, id)).toMatchObject({ state: 'unconfirmed' })
    })
    expect(await readMoves(test.database, id)).toEqual([
      'accepted>submitting taken_for_submission',
      'submitting>unconfirmed push_outcome_unknown',
    ])
    expect(relay.callsTo(PUSH_PATH)).toHaveLength(1)
  })
})

describe('queries that Daraja leaves hanging', () => {
  it('hold up no push', async () => {
    const hanging = Promise.withResolvers<OwnAnswer>()
    const relay = await openRelay(
      () => test,
      ({ path }) => (path === QUERY_PATH ? hanging.promise : undefined),
    )
    const test: TestCore = await startCore({
      daraja: { baseUrl: relay.url, timeoutMs: 60_000 },
      submit: { concurrency: 8 },
      reconcile: { afterMs: 1 },
    })
    closing.push(() => hanging.resolve('cut'))
    // They pay, and Daraja never calls back: more queries at once than there are connections for pushes.
    await Promise.all(Array.from({ length: 100 }, () => ask(test, '254700000022')))
    await eventually(() => expect(relay.callsTo(QUERY_PATH).length).toBeGreaterThanOrEqual(24))
    const ids = await Promise.all(Array.from({ length: 10 }, () => ask(test)))
    await eventually(async () => {
      for (const id of ids)
        expect(await readMoves(test.database, id)).toContain('submitting>submitted push_accepted')
    })
  })
})

describe('a Daraja whose certificate is not trusted any more', () => {
  /** A simulator behind TLS; `trusted` changes its certificate. */
  const openTls = async (target: () => string): Promise<{ server: Server; url: string; paths: string[] }> => {
    const paths: string[] = []
    const passOn = async (incoming: IncomingMessage, reply: ServerResponse): Promise<void> => {
      paths.push((incoming.url ?? '').replace(/\?.*$/, ''))
      const body = Buffer.concat((await incoming.toArray()) as Buffer[])
      const { authorization = '' } = incoming.headers
      const answer = await send(target() + (incoming.url ?? ''), {
        method: incoming.method === 'POST' ? 'POST' : 'GET',
        headers: { authorization, 'content-type': 'application/json' },
        body: incoming.method === 'POST' ? body : null,
      })
      // Each call makes a connection of its own.
      reply.writeHead(answer.statusCode, { connection: 'close' }).end(await answer.body.text())
    }
    const server = createServer((incoming, reply) => {
      passOn(incoming, reply).catch(() => incoming.socket.destroy())
    })
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    closing.push(() => {
      server.close()
      server.closeAllConnections()
    })
    return { server, url: `https://127.0.0.1:${(server.address() as AddressInfo).port}`, paths }
  }

  const trust = (certificate: string): void => {
    const before = getCACertificates('default')
    setDefaultCACertificates([...before, certificate])
    closing.push(() => setDefaultCACertificates(before))
  }

  it('is asked again until the deadline, with a token that is still good, and then nobody was prompted', async () => {
    const [authority, stranger] = [await createAuthority(), await createAuthority()]
    trust(authority.cert)
    const tls = await openTls(() => test.simulator.url)
    tls.server.setSecureContext(await authority.issue({ hosts: ['127.0.0.1'] }))
    const test: TestCore = await startCore({
      daraja: { baseUrl: tls.url },
      submit: { ttlMs: 4_000 },
    })
    const before = await ask(test)
    await eventually(async () => {
      expect(await readMoves(test.database, before)).toContain('submitting>submitted push_accepted')
    })
    tls.server.setSecureContext(await stranger.issue({ hosts: ['127.0.0.1'] }))
    const id = await ask(test)
    await eventually(async () => {
      expect(await readPayment(test.database, id)).toMatchObject({
        state: 'failed',
        result_code: 'NOT_PROMPTED',
      })
    })
    expect(await readMoves(test.database, id)).toContain('submitting>accepted push_to_be_repeated')
    expect(await readBodies(test.database, id)).toMatchObject([
      { status: 'failed', result_code: 'NOT_PROMPTED' },
    ])
    expect(tls.paths).toEqual([OAUTH_PATH, PUSH_PATH])
  })
})

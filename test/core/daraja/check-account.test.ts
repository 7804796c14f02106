import { once } from 'node:events'
import { createServer, type RequestListener } from 'node:http'
import { createServer as createHttpsServer } from 'node:https'
import type { AddressInfo } from 'node:net'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { checkAccount } from '../../../src/core/daraja/check-account.ts'
import { createDarajaClient, type SendToDaraja } from '../../../src/core/daraja/client.ts'
import { createAuthority, selfSign } from '../../support/certificates.ts'
import { freePort } from '../../support/ports.ts'
import { misbehave, startTestSimulator } from '../../support/simulator.ts'

const account = {
  consumerKey: 'key',
  consumerSecret: 'hush-hush',
  shortcode: '174379',
  passkey: 'passkey',
  transactionType: 'CustomerPayBillOnline',
  partyB: '174379',
} as const

const closing: (() => unknown)[] = []
afterEach(async () => {
  for (const close of closing.splice(0)) await close()
})

/** What a check says of the account at this place; null: all is well. */
const problemAt = async (baseUrl: string): Promise<string | null> => {
  const client = createDarajaClient({ baseUrl, timeoutMs: 1_000, connections: 1 })
  const { problem } = await checkAccount({ client, account, baseUrl })
  return problem
}

/** Somebody who stands where Daraja should be. */
const serveInstead = async (
  listener: RequestListener,
  certificate?: { cert: string; key: string },
): Promise<string> => {
  const server = certificate ? createHttpsServer(certificate, listener) : createServer(listener)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  closing.push(() => {
    server.close()
    server.closeAllConnections()
  })
  const { port } = server.address() as AddressInfo
  return `${certificate ? 'https' : 'http'}://127.0.0.1:${port}`
}

const answering = (status: number, body: string): RequestListener => {
  return (_request, response) => response.writeHead(status).end(body)
}

describe('the check of an account', () => {
  it('is content when Daraja gives a token', async () => {
    const simulator = await startTestSimulator()
    closing.push(() => simulator.close())
    expect(await problemAt(simulator.url)).toBeNull()
  })

  it('closes its client also when it throws', async () => {
    const client = {
      send: vi.fn<SendToDaraja>().mockRejectedValue(new Error('a defect')),
      close: vi.fn<() => Promise<void>>().mockResolvedValue(undefined),
    }
    await expect(checkAccount({ client, account, baseUrl: 'http://127.0.0.1' })).rejects.toThrow('a defect')
    expect(client.close).toHaveBeenCalledOnce()
  })

  it.each([
    [
      'credentials that the sandbox refuses',
      400,
      '{"errorCode":"400.008.01","errorMessage":"Invalid Authentication passed"}',
    ],
    ['credentials that production refuses', 400, ''],
    ['credentials that a gateway refuses', 401, '{"fault":{}}'],
  ])('says that key and secret are wrong: %s', async (_what, status, body) => {
    const problem = await problemAt(await serveInstead(answering(status, body)))
    expect(problem).toMatch(/does not know this consumer key with this consumer secret.*portal/)
    expect(problem).not.toContain('hush')
  })

  it.each([
    [
      503,
      '<html>Request unsuccessful. Incapsula incident ID: 1</html>',
      /the edge .* refused this machine \(HTTP 503/,
    ],
    [429, '', /too many requests/],
    [200, '{"hello":"world"}', /answered without a token: is DARAJA_BASE_URL Daraja/],
    [404, 'not found', /HTTP 404: is DARAJA_BASE_URL right/],
    [
      500,
      '{"errorCode":"500.003.1001","errorMessage":"Internal server error"}',
      /500\.003\.1001 Internal server error/,
    ],
  ])('says what an answer of %i means', async (status, body, words) => {
    expect(await problemAt(await serveInstead(answering(status, body)))).toMatch(words)
  })

  it('says that a page of HTML from the edge is not about the account', async () => {
    const simulator = await startTestSimulator()
    closing.push(() => simulator.close())
    await misbehave(simulator, { 'token-html-503': 1 })
    expect(await problemAt(simulator.url)).toMatch(/It is not about the account/)
  })

  it('says that nobody listens, that a name does not resolve, that no answer came', async () => {
    expect(await problemAt(`http://127.0.0.1:${await freePort()}`)).toMatch(/nobody listens at 127/)
    expect(await problemAt('http://daraja.invalid')).toMatch(/the name daraja\.invalid cannot be resolved/)
    expect(await problemAt(await serveInstead(() => undefined))).toMatch(/did not answer in time/)
    expect(await problemAt(await serveInstead((request) => request.socket.destroy()))).toMatch(/broke/)
  })

  it('says what is wrong with TLS', async () => {
    const authority = await createAuthority()
    const self = await selfSign({ hosts: ['127.0.0.1'] })
    const strange = await authority.issue({ hosts: ['127.0.0.1'] })
    for (const certificate of [self, strange]) {
      expect(await problemAt(await serveInstead(answering(200, ''), certificate))).toMatch(/is not trusted/)
    }
    const plain = await serveInstead(answering(200, ''))
    expect(await problemAt(plain.replace('http:', 'https:'))).toMatch(/does not speak TLS/)
  })
})

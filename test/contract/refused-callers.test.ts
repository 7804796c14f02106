import { createClient } from '@connectrpc/connect'
import { Registry } from 'prom-client'
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest'
import { PaymentService } from '../../src/gen/mpesa/gateway/v1/payments_pb.js'
import { createWrongSecrets } from '../../src/runtime/count-wrong-secrets.ts'
import { createLog } from '../../src/runtime/log.ts'
import { createNoteRefused } from '../../src/runtime/refused-callers.ts'
import { openFacade, type TestFacade } from '../facade/harness.ts'
import { startTransports, type Transports } from '../support/transports.ts'
import { makeCallers } from './callers.ts'

let test: TestFacade
let transports: Transports
let callers: Record<string, Record<string, string>>
const registry = new Registry()
const lines: string[] = []
const nowMs = (): number => performance.now()

beforeAll(async () => {
  const log = createLog({ name: 'test', level: 'info', to: { write: (line) => lines.push(line) } })
  const noteRefused = createNoteRefused({ registry, log, nowMs })
  const wrongSecrets = createWrongSecrets({ perMinute: 50, nowMs })
  test = await openFacade({ noteRefused, wrongSecrets }, { noteRefused, wrongSecrets })
  transports = await startTransports(test)
  callers = await makeCallers(test)
})
afterAll(async () => {
  await transports.close()
  await test.stop()
})
beforeEach(() => void lines.splice(0))

const overRest = (headers: Record<string, string>) =>
  fetch(`${test.url}/api/v1/mpesa/transactions`, { headers })

const overGrpc = (headers: Record<string, string>): Promise<unknown> =>
  createClient(PaymentService, transports.over.gRPC)
    .getPayment({ paymentId: 1n }, { headers })
    .catch(() => undefined)

const noted = (): Record<string, unknown>[] => lines.map((line) => JSON.parse(line))

/** No caller's key or token, nor more of it than operators are shown. */
const expectNoSecret = (headers: Record<string, string>): void => {
  const secret = headers['x-api-key'] ?? headers['authorization']?.slice('Bearer '.length) ?? 'none'
  expect(lines.join('')).not.toContain(secret.slice(0, 20))
}

const KEYS = [
  ['no key', 'credentials_missing'],
  ['mistyped key', 'api_key_unknown'],
  ['invented key', 'api_key_unknown'],
  ['revoked key', 'api_key_revoked'],
  ['expired key', 'api_key_expired'],
  ['disabled partner', 'partner_disabled'],
] as const

const TOKENS = [
  ['invented token', 'token_unknown'],
  ['revoked token', 'token_revoked'],
  ['partners:manage', 'scope_missing'],
] as const

describe('who is refused for a key, a token or a scope has a line, without a secret, and is counted', () => {
  it.each(KEYS)('over REST: %s', async (name, reason) => {
    const headers = callers[name] ?? {}
    await overRest(headers)
    expect(noted()).toMatchObject([
      { event: 'caller_refused', level: 'info', reason, from: '127.0.0.1', request_id: expect.any(String) },
    ])
    expectNoSecret(headers)
  })

  it.each([...KEYS, ...TOKENS])('over gRPC: %s', async (name, reason) => {
    const headers = callers[name] ?? {}
    await overGrpc(headers)
    expect(noted()).toMatchObject([{ event: 'caller_refused', level: 'info', reason, method: 'GetPayment' }])
    expectNoSecret(headers)
    expect(await registry.metrics()).toMatch(
      new RegExp(`gateway_callers_refused_total\\{reason="${reason}"\\} [1-9]`),
    )
  })

  it('and names whose it is, where that is known', async () => {
    await overGrpc(callers['revoked key'] ?? {})
    expect(noted()).toMatchObject([
      { partner_id: Number(test.partnerId), key: expect.stringMatching(/^mpg_/) },
    ])
    lines.splice(0)
    await overGrpc(callers['partners:manage'] ?? {})
    expect(noted()).toMatchObject([{ token: 'partners:manage' }])
  })

  it('and nobody who is let in has one', async () => {
    expect((await overRest(callers['own partner'] ?? {})).status).toBe(200)
    expect(noted()).toEqual([])
  })

  it('and an address that is made to wait has one for each request', async () => {
    for (let count = 0; count < 50; count += 1) await overGrpc(callers['mistyped key'] ?? {})
    lines.splice(0)
    await overGrpc(callers['mistyped key'] ?? {})
    expect(noted()).toMatchObject([{ reason: 'too_many_wrong_credentials' }])
  })
})

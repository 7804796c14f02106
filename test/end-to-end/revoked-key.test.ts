import { randomBytes } from 'node:crypto'
import { createClient } from '@connectrpc/connect'
import { createConnectTransport } from '@connectrpc/connect-node'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { createServiceToken } from '../../src/core/partners/service-token.ts'
import { PartnerService } from '../../src/gen/mpesa/gateway/v1/partners_pb.js'
import { testActor } from '../support/actor.ts'
import { eventually } from '../support/eventually.ts'
import { startTestGateway, type TestGateway } from '../support/gateway.ts'

let gateway: TestGateway
beforeAll(async () => {
  gateway = await startTestGateway({ serve: 2 })
})
afterAll(() => gateway.close())

const statusAt = async (process: number, apiKey: string): Promise<number> => {
  const url = gateway.serve[process]?.ready['http_url']
  const answer = await fetch(`${url}/api/v1/mpesa/transactions`, { headers: { 'X-API-KEY': apiKey } })
  await answer.body?.cancel()
  return answer.status
}

it('a key that is revoked at one process is refused by every process, and its successor is let in', async () => {
  const { token } = await createServiceToken({
    actor: testActor,
    database: gateway.database,
    name: 'console',
    scopes: ['partners:manage'],
    randomBytes,
  })
  const partners = createClient(
    PartnerService,
    createConnectTransport({ baseUrl: gateway.serve[0]?.ready['connect_url'] ?? '', httpVersion: '1.1' }),
  )
  const headers = { authorization: `Bearer ${token}`, 'x-operator': 'amina' }
  const { keys } = await partners.listKeys({ partnerId: 1n }, { headers })
  const keyId = keys[0]?.keyId ?? 0n
  const successor = await partners.rotateKey({ keyId, overlapSeconds: 60 }, { headers })
  const both = (apiKey: string) => Promise.all([statusAt(0, apiKey), statusAt(1, apiKey)])
  expect(await both(gateway.apiKey)).toEqual([200, 200])
  await partners.revokeKey({ keyId }, { headers })
  await eventually(async () => expect(await both(gateway.apiKey)).toEqual([403, 403]))
  expect(await both(successor.apiKey)).toEqual([200, 200])
  const lines = await gateway.database
    .selectFrom('audit')
    .select(['action', 'actor_kind', 'actor_name', 'operator', 'source'])
    .where('actor_kind', '=', 'service')
    .orderBy('id')
    .execute()
  const by = { actor_kind: 'service', actor_name: 'console', operator: 'amina', source: '127.0.0.1' }
  expect(lines).toEqual([
    { action: 'rotated', ...by },
    { action: 'revoked', ...by },
  ])
})

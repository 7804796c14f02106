import { setTimeout as pause } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { startTestGateway } from '../../support/gateway.ts'
import { type OwnServices, startOwnServices } from '../services.ts'
import { judgeClients, runHistory } from './run-history.ts'

/** How much clients call; the whole takes `npm run test:faults -- histories --count 50 --seconds 20`. */
const CALM = { calls: 800, mostMs: 30_000 }
const FAULTS_SECONDS = 5

describe('the public API of two processes, as concurrent clients see it', () => {
  it('keeps every promise in calm', async () => {
    await using open = new AsyncDisposableStack()
    const gateway = open.adopt(await startTestGateway({ serve: 2 }), (one) => one.close())
    const urls = gateway.serve.map(({ ready }) => ready['http_url'] ?? '')
    let asked = 0
    const access = {
      database: gateway.database,
      apiKey: gateway.apiKey,
      httpUrl: () => urls[(asked += 1) % 2] ?? '',
      callbackUrl: `${gateway.world.receiver.url}/callback`,
    }
    const result = await judgeClients({
      access,
      seed: 1,
      calls: CALM.calls,
      until: pause(CALM.mostMs, undefined, { ref: false }),
    })
    expect(result.problems.slice(0, 10)).toEqual([])
    expect(result.payments).toBeGreaterThan(10)
  }, 90_000)

  describe('while processes, Postgres, JetStream and connections fail', () => {
    let services: OwnServices
    beforeAll(async () => {
      services = await startOwnServices()
    }, 120_000)
    afterAll(() => services.close(), 60_000)

    it('keeps every promise', async () => {
      const result = await runHistory({ services, seed: 2, seconds: FAULTS_SECONDS })
      expect(result.problems.slice(0, 10)).toEqual([])
      expect(result.payments).toBeGreaterThan(10)
    }, 150_000)
  })
})

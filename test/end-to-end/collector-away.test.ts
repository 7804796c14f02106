import { afterEach, beforeEach, expect, it } from 'vitest'
import { eventually } from '../support/eventually.ts'
import { startTestGateway, type TestGateway } from '../support/gateway.ts'
import { type OtlpReceiver, startOtlpReceiver } from '../support/otlp-receiver.ts'
import { deliveriesOf } from '../support/outside-world.ts'
import { freePort } from '../support/ports.ts'

/** What the processes give the collector, ms: a request that hangs may not keep them for so long. */
const TIMEOUT_MS = 600_000

const PATIENCE_MS = 120_000

let collector: OtlpReceiver
let gateway: TestGateway | undefined
beforeEach(async () => {
  collector = await startOtlpReceiver()
})
afterEach(async () => {
  await gateway?.close()
  gateway = undefined
  await collector.close()
})

const start = async (options: Parameters<typeof startTestGateway>[0]): Promise<TestGateway> => {
  const settings = {
    ...collector.settings,
    OTEL_EXPORTER_OTLP_TIMEOUT: String(TIMEOUT_MS),
    ...options?.settings,
  }
  gateway = await startTestGateway({ ...options, settings })
  return gateway
}

const pay = async ({ httpUrl, apiKey, world }: TestGateway): Promise<void> => {
  const answer = await fetch(`${httpUrl}/api/v1/mpesa/stk_push`, {
    method: 'POST',
    headers: { 'x-api-key': apiKey, 'content-type': 'application/json' },
    body: JSON.stringify({ phone: '254712345678', amount: 150, callback_url: `${world.receiver.url}/paid` }),
  })
  const { transaction_id: id } = (await answer.json()) as { transaction_id: number }
  await eventually(() => expect(deliveriesOf(world.receiver, id)).toHaveLength(1))
}

const stoppedLine = (log: string): Record<string, unknown> => {
  const line = log.split('\n').find((one) => one.includes('"event":"stopped"'))
  return JSON.parse(line ?? '{}') as Record<string, unknown>
}

it(
  'a collector that never answers, or is not there, delays no payment and keeps no process that is asked to stop',
  async () => {
    collector.behave('hanging')
    const started = await start({ serve: 1 })
    const nowhere = { OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${await freePort()}` }
    const dispatch = await started.start('dispatch', nowhere)
    await pay(started)
    await eventually(() => expect(collector.requests.length).toBeGreaterThan(0))
    for (const one of [...started.serve, dispatch]) {
      expect(await one.end('SIGTERM')).toBe(0)
      expect(stoppedLine(one.log())['took_ms']).toBeLessThan(TIMEOUT_MS)
    }
  },
  PATIENCE_MS,
)

it(
  'what was not sent yet is sent when a process is asked to stop',
  async () => {
    const started = await start({ serve: 1, dispatch: 1, settings: { OTEL_BSP_SCHEDULE_DELAY: '60000' } })
    await pay(started)
    await eventually(() => expect(started.dispatch[0]?.log()).toContain('delivery_attempted'))
    expect(collector.requests).toEqual([])
    for (const one of [...started.serve, ...started.dispatch]) expect(await one.end('SIGTERM')).toBe(0)
    const names = collector.spans().map(({ name }) => name)
    expect(names).toEqual(expect.arrayContaining(['accept payment', 'settle payment', 'POST']))
  },
  PATIENCE_MS,
)

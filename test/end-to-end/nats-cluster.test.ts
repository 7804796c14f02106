import type { StreamInfo } from 'nats'
import { Agent, request } from 'undici'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openDeliveryQueue } from '../../src/queue/delivery-queue.ts'
import { createLog } from '../../src/runtime/log.ts'
import { type OwnNatsCluster, startNatsCluster } from '../queue/own-nats-cluster.ts'
import { eventually } from '../support/eventually.ts'
import { startTestGateway, type TestGateway } from '../support/gateway.ts'
import { countDeliveries, countPrompts } from '../support/outside-world.ts'
import { quietLog } from '../support/quiet-log.ts'

const STREAM = 'cluster'

/** How many payments; `CLUSTER_PAYMENTS` makes it more. */
const PAYMENTS = Number(process.env['CLUSTER_PAYMENTS'] ?? 300)

/** Requests under way at once. */
const CLIENTS = 16

/** How long servers may take to choose another leader, or to come back, on a loaded machine, ms. */
const PATIENCE_MS = 60_000

describe('three NATS servers that keep the stream together, two serve and three dispatch', () => {
  let cluster: OwnNatsCluster
  let gateway: TestGateway
  let agent: Agent

  beforeAll(async () => {
    cluster = await startNatsCluster()
    // A stream from before, which one server keeps: the gateway has it kept by three.
    const before = openDeliveryQueue({ natsUrl: cluster.url, stream: STREAM, name: 'test', log: quietLog })
    await eventually(() => expect(before.state()).toBe('ok'), PATIENCE_MS)
    expect((await cluster.streamInfo(STREAM)).config.num_replicas).toBe(1)
    await before.close()
    gateway = await startTestGateway({
      serve: 2,
      dispatch: 3,
      stream: null,
      settings: { NATS_URL: cluster.url, NATS_STREAM: STREAM, NATS_STREAM_REPLICAS: '3' },
    })
    agent = new Agent({ connections: CLIENTS })
  }, 2 * PATIENCE_MS)
  afterAll(async () => {
    await agent?.close()
    await gateway?.close()
    await cluster?.drop()
  })

  const push = async (number: number): Promise<number> => {
    const { http_url: url = '' } = gateway.serve[number % gateway.serve.length]?.ready ?? {}
    const answer = await request(`${url}/api/v1/mpesa/stk_push`, {
      method: 'POST',
      dispatcher: agent,
      headers: { 'content-type': 'application/json', 'x-api-key': gateway.apiKey },
      body: JSON.stringify({
        phone: '254712345678',
        amount: 150,
        reference: `INV-${number}`,
        callback_url: `${gateway.world.receiver.url}/payment_callback`,
      }),
    })
    expect(answer.statusCode).toBe(200)
    const { transaction_id: id } = (await answer.body.json()) as { transaction_id: number }
    return id
  }

  /** Once all three keep the stream, and have what was published. */
  const wholeStream = (): Promise<StreamInfo> =>
    eventually(async () => {
      const info = await cluster.streamInfo(STREAM)
      expect(info.config.num_replicas).toBe(3)
      expect(info.cluster?.replicas?.map(({ current }) => current)).toEqual([true, true])
      return info
    }, PATIENCE_MS)

  /** Once another server leads the stream. */
  const ledByOther = (leader: string): Promise<StreamInfo> =>
    eventually(async () => {
      const info = await cluster.streamInfo(STREAM)
      expect(info.cluster?.leader ?? '').not.toBe('')
      expect(info.cluster?.leader).not.toBe(leader)
      return info
    }, PATIENCE_MS)

  it('go on without the server that leads the stream, and take it back: nothing is lost or done twice', async () => {
    const leader = (await wholeStream()).cluster?.leader ?? ''
    const ids: number[] = []
    const ask = async (until: number): Promise<void> => {
      const next = async (): Promise<void> => {
        for (let number = ids.length; number < until; number = ids.length) {
          ids.push(Number.NaN)
          ids[number] = await push(number)
        }
      }
      await Promise.all(Array.from({ length: CLIENTS }, next))
    }

    // One payment alone may be delivered before it is published.
    const askUntilPublished = (beyond: number): Promise<void> =>
      eventually(async () => {
        await ask(ids.length + 1)
        const { state } = await cluster.streamInfo(STREAM)
        expect(state.last_seq).toBeGreaterThan(beyond)
      }, PATIENCE_MS)

    await ask(PAYMENTS / 3)
    await askUntilPublished(0)
    const asking = ask((PAYMENTS * 2) / 3)
    await cluster.servers.get(leader)?.stop()
    await asking
    const { state } = await ledByOther(leader)
    await askUntilPublished(state.last_seq)

    await cluster.servers.get(leader)?.start()
    await ask(Math.max(PAYMENTS, ids.length + CLIENTS))
    await wholeStream()

    const deliveredTimes = (): number[] => {
      const counts = countDeliveries(gateway.world.receiver)
      return ids.map((id) => counts.get(id) ?? 0)
    }
    await eventually(() => expect(deliveredTimes()).not.toContain(0), PATIENCE_MS)
    await eventually(async () => {
      expect(await gateway.database.selectFrom('to_deliver').select('delivery_id').execute()).toEqual([])
    })
    expect(new Set(ids).size).toBe(ids.length)
    const prompts = await countPrompts(gateway.world)
    expect(new Set(ids.map((id) => prompts.get(id)))).toEqual(new Set([1]))
    expect(new Set(deliveredTimes())).toEqual(new Set([1]))
  }, 300_000)

  it('keep the stream as it is for a process that asks for more servers than there are', async () => {
    const lines: unknown[] = []
    const to = { write: (line: string) => void lines.push(JSON.parse(line)) }
    const log = createLog({ name: 'test', level: 'warn', to })
    const queue = openDeliveryQueue({ natsUrl: cluster.url, stream: STREAM, name: 'test', replicas: 5, log })
    await eventually(() => expect(queue.state()).toBe('ok'), PATIENCE_MS)
    expect(lines).toContainEqual(expect.objectContaining({ event: 'queue_replicas_refused', replicas: 5 }))
    expect((await cluster.streamInfo(STREAM)).config.num_replicas).toBe(3)
    await queue.close()
  })
})

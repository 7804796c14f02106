import { randomBytes } from 'node:crypto'
import { Webhook } from 'standardwebhooks'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createKey, listKeys } from '../../src/core/partners/api-key.ts'
import { testActor } from '../support/actor.ts'
import { eventually } from '../support/eventually.ts'
import { startTestGateway, type TestGateway } from '../support/gateway.ts'
import type { GatewayProcess } from '../support/gateway-process.ts'
import { addPartner } from '../support/partner.ts'
import type { Received, Receiver } from '../support/receiver.ts'
import { wrongClock } from '../support/wrong-clocks.ts'

const MINUTE_MS = 60_000

/** Fewer than the failures that open an endpoint's breaker: each is attempted a first time at once. */
const PAYMENTS = 4

/** How much later an endpoint that is busy wants to be asked again, ms: more than the schedule's pause. */
const BUSY_MS = 4_000

type Delivered = { at: Date; received: Received }
type Asked = { key: string; transactionId: number; status: string }

const SETTINGS = {
  RECONCILE_AFTER_MS: '2000',
  DELIVERY_SCHEDULE: '0s,1s,1s,1s,1s',
  DARAJA_PUSHES_PER_SECOND: '20',
}

describe('processes whose clocks are ten minutes apart, and jump', () => {
  let gateway: TestGateway
  let processes: GatewayProcess[] = []
  let receiver: Receiver
  let partner: { partnerId: bigint; apiKey: string; signingSecret: string }
  let began: Date
  let asked: Asked[]
  /** What each `webhook-id` was delivered by, in its order, and when the endpoint wanted to be asked again. */
  const deliveries = new Map<string, Delivered[]>()
  const notBefore = new Map<string, Date>()

  const ask = async (serve: GatewayProcess | undefined, key: string): Promise<Asked> => {
    const answer = await fetch(`${serve?.ready['http_url']}/api/v1/mpesa/stk_push`, {
      method: 'POST',
      headers: {
        'content-type': 'application/json',
        'x-api-key': partner.apiKey,
        'x-idempotency-key': key,
      },
      body: JSON.stringify({ phone: '254712345678', amount: 150, callback_url: `${receiver.url}/outcome` }),
    })
    expect(answer.status).toBe(200)
    const { transaction_id: transactionId, status } = (await answer.json()) as {
      transaction_id: number
      status: string
    }
    return { key, transactionId, status }
  }

  beforeAll(async () => {
    began = new Date()
    gateway = await startTestGateway({ settings: SETTINGS })
    receiver = gateway.world.receiver
    receiver.behave((received, response) => {
      const id = received.headers['webhook-id'] ?? ''
      const before = deliveries.get(id) ?? []
      const at = new Date()
      deliveries.set(id, [...before, { at, received }])
      if (before.length > 0) return response.writeHead(200).end()
      // To the second, as HTTP writes dates.
      const until = new Date(Math.ceil((at.getTime() + BUSY_MS) / 1000) * 1000)
      notBefore.set(id, until)
      return response.writeHead(503, { 'retry-after': until.toUTCString() }).end()
    })
    partner = await addPartner(gateway.database, { name: 'Duka la Otieno' })
    const start = (command: 'serve' | 'dispatch', port: string, ...errors: [number, number][]) =>
      gateway.start(command, { HTTP_PORT: port, ...wrongClock(...errors) })
    processes = await Promise.all([
      start('serve', gateway.settings['HTTP_PORT'] ?? '', [0, 10 * MINUTE_MS]),
      start('serve', '0', [0, 0], [3_000, 10 * MINUTE_MS], [5_000, -10 * MINUTE_MS]),
      start('dispatch', '0', [0, -10 * MINUTE_MS]),
      start('dispatch', '0', [0, 10 * MINUTE_MS], [6_000, -10 * MINUTE_MS], [9_000, 20 * MINUTE_MS]),
    ])
    const keys = Array.from({ length: PAYMENTS }, (_one, index) => `key-${index}`)
    asked = await Promise.all(keys.map((key, index) => ask(processes[index % 2], key)))
    await eventually(() => expect(deliveries.size).toBe(PAYMENTS))
  }, 120_000)
  afterAll(async () => {
    await gateway.close()
  }, 60_000)

  it('answer a key that is repeated with the first payment, through either', async () => {
    expect(asked.map(({ status }) => status)).toEqual(asked.map(() => 'success'))
    for (const { key, transactionId } of asked.slice(0, 4)) {
      for (const serve of processes.slice(0, 2))
        expect(await ask(serve, key)).toEqual({ key, transactionId, status: 'duplicate' })
    }
  })

  it('prompt each payer once, with a timestamp of now', async () => {
    const prompts = await gateway.world.prompts()
    expect(new Set(prompts.map(({ callback_url: url }) => url)).size).toBe(PAYMENTS)
    expect(prompts).toHaveLength(PAYMENTS)
    expect(prompts.flatMap(({ warnings }) => warnings)).toEqual([])
  })

  it('sign what they deliver with a timestamp that the partner takes', () => {
    const webhook = new Webhook(partner.signingSecret)
    for (const { received } of [...deliveries.values()].flat()) {
      const { 'webhook-id': id = '', 'webhook-timestamp': timestamp = '' } = received.headers
      const signature = received.headers['webhook-signature'] ?? ''
      const headers = { 'webhook-id': id, 'webhook-timestamp': timestamp, 'webhook-signature': signature }
      expect(webhook.verify(received.body, headers)).toMatchObject({ status: 'successful' })
    }
  })

  it('ask an endpoint again when it wants to be asked, and not before', async () => {
    await eventually(() => {
      for (const times of deliveries.values()) expect(times.length).toBeGreaterThan(1)
    })
    for (const [id, [, second]] of deliveries)
      expect(second?.at.getTime()).toBeGreaterThanOrEqual(notBefore.get(id)?.getTime() ?? Infinity)
  })

  it('write instants down by one clock, that of Postgres', async () => {
    const payments = await gateway.database
      .selectFrom('payments')
      .select(['created_at', 'submit_by'])
      .execute()
    const moves = await gateway.database.selectFrom('payment_history').select('at').execute()
    const ended = Date.now()
    for (const at of [...payments.map((one) => one.created_at), ...moves.map((one) => one.at)]) {
      expect(at.getTime()).toBeGreaterThanOrEqual(began.getTime() - 1_000)
      expect(at.getTime()).toBeLessThanOrEqual(ended + 1_000)
    }
  })

  it('let in with a key that is good for some minutes, and not with one that was', async () => {
    const { database } = gateway
    const make = (lifeMs: number) =>
      createKey({
        database,
        partnerId: partner.partnerId,
        name: 'till',
        isTest: false,
        lifeMs,
        actor: testActor,
        randomBytes,
      })
    const statusWith = async (serve: GatewayProcess | undefined, apiKey: string): Promise<number> => {
      const answer = await fetch(`${serve?.ready['http_url']}/api/v1/mpesa/transactions?limit=1`, {
        headers: { 'x-api-key': apiKey },
      })
      return answer.status
    }
    const [good, over] = [await make(5 * MINUTE_MS), await make(1)]
    if (good.kind !== 'made' || over.kind !== 'made') throw new Error('no key')
    for (const serve of processes.slice(0, 2)) {
      expect(await statusWith(serve, good.apiKey)).toBe(200)
      await eventually(async () => expect(await statusWith(serve, over.apiKey)).toBe(403))
    }
  })

  it('say of keys when they were used last', async () => {
    for (const serve of processes.splice(0, 2)) await serve.end()
    const keys = await listKeys(gateway.database, partner.partnerId)
    const used = keys?.flatMap(({ lastUsedAt }) => (lastUsedAt === null ? [] : [lastUsedAt.getTime()])) ?? []
    expect(used).toHaveLength(2)
    for (const at of used) {
      expect(at).toBeGreaterThanOrEqual(began.getTime() - 1_000)
      expect(at).toBeLessThanOrEqual(Date.now() + 1_000)
    }
  })
})

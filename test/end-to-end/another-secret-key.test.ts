import { randomUUID } from 'node:crypto'
import { request } from 'node:http'
import { text } from 'node:stream/consumers'
import { setTimeout as pause } from 'node:timers/promises'
import { sql } from 'kysely'
import { Webhook } from 'standardwebhooks'
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest'
import { setAccount } from '../../src/core/partners/partner-account.ts'
import { testActor } from '../support/actor.ts'
import { type Balancer, openBalancer } from '../support/balancer.ts'
import { typeCommand } from '../support/command.ts'
import { eventually } from '../support/eventually.ts'
import { startTestGateway, type TestGateway } from '../support/gateway.ts'
import type { GatewayProcess } from '../support/gateway-process.ts'
import { addPartner } from '../support/partner.ts'
import type { Received } from '../support/receiver.ts'
import { TEST_SECRET_KEY, testVault } from '../support/vault.ts'

const OLD = TEST_SECRET_KEY
const NEW = 'cd'.repeat(32)

/** How often a payment is asked for, ms. */
const EVERY_MS = 250

const ACCOUNT = {
  consumerKey: 'key',
  consumerSecret: 'secret',
  passkey: 'passkey',
  shortcode: '600111',
  transactionType: 'CustomerPayBillOnline',
  partyB: '600111',
} as const

type Answer = { status: number; body: string }

describe('another SECRET_KEY, while payments come in', () => {
  let gateway: TestGateway
  let balancer: Balancer
  /** Partners by their API key, with what their deliveries are signed with. */
  const partners: { apiKey: string; partnerId: bigint; signingSecret: string }[] = []
  const answers: Answer[] = []
  const logs: (() => string)[] = []

  beforeAll(async () => {
    balancer = await openBalancer()
    gateway = await startTestGateway({
      serve: 1,
      dispatch: 1,
      settings: { PUBLIC_URL: balancer.url, RECONCILE_AFTER_MS: '500' },
    })
    logs.push(...[...gateway.serve, ...gateway.dispatch].map((process) => () => process.log()))
    balancer.leadTo([Number(new URL(gateway.httpUrl).port)])
    const { database } = gateway
    for (const name of ['Default', 'Own']) {
      partners.push(await addPartner(database, { name }))
    }
    await setAccount({
      actor: testActor,
      database,
      vault: testVault,
      partnerId: partners[1]?.partnerId ?? 0n,
      account: ACCOUNT,
      features: { uniqueReference: false, pull: null },
    })
  })
  afterAll(async () => {
    await gateway.close()
    balancer.close()
  })

  /** Asks for payments of both partners in turn, over new connections, until it is stopped; resolves when all are answered. */
  const startLoad = (): (() => Promise<void>) => {
    let isStopped = false
    const asked: Promise<unknown>[] = []
    const run = async (): Promise<void> => {
      for (let count = 0; !isStopped; count += 1) {
        const { apiKey = '' } = partners[count % 2] ?? {}
        asked.push(ask(apiKey).then((answer) => answers.push(answer)))
        await pause(EVERY_MS)
      }
    }
    const running = run()
    return async () => {
      isStopped = true
      await running
      await Promise.all(asked)
    }
  }

  /** A gateway that has too much to do says so: whoever asked repeats it with the same key, as partners are told to. */
  const ask = async (apiKey: string): Promise<Answer> => {
    const idempotencyKey = randomUUID()
    for (;;) {
      const answer = await askOnce(apiKey, idempotencyKey)
      if (answer.status !== 503) return answer
      await pause(EVERY_MS)
    }
  }

  const askOnce = (apiKey: string, idempotencyKey: string): Promise<Answer> =>
    new Promise((resolve) => {
      const body = JSON.stringify({
        phone: '254712345678',
        amount: 10,
        callback_url: `${gateway.world.receiver.url}/callback`,
      })
      const headers = {
        'content-type': 'application/json',
        'x-api-key': apiKey,
        'x-idempotency-key': idempotencyKey,
      }
      const path = `${balancer.url}/api/v1/mpesa/stk_push`
      const fail = (error: Error): void => resolve({ status: 0, body: error.message })
      request(path, { method: 'POST', headers, agent: false }, (response) => {
        text(response).then((answer) => resolve({ status: response.statusCode ?? 0, body: answer }), fail)
      })
        .on('error', fail)
        .end(body)
    })

  /** Puts new processes in the place of those that run, as a gateway without downtime does. */
  const replaceWith = async (keys: Record<string, string>): Promise<void> => {
    const next = { ...keys, HTTP_PORT: '0' }
    const [serve, dispatch] = await Promise.all([
      gateway.start('serve', next),
      gateway.start('dispatch', next),
    ])
    logs.push(
      () => serve.log(),
      () => dispatch.log(),
    )
    const port = Number(new URL(serve.ready['http_url'] ?? '').port)
    // For a while both are there: what one makes, the other must understand.
    balancer.leadTo([port, ...currentPorts()])
    const before = answers.length
    await eventually(() => expect(answers.length).toBeGreaterThan(before + 10))
    balancer.leadTo([port])
    const old = [...gateway.serve.splice(0), ...gateway.dispatch.splice(0)]
    gateway.serve.push(serve)
    gateway.dispatch.push(dispatch)
    expect(await Promise.all(old.map((process) => process.end('SIGTERM')))).toEqual(old.map(() => 0))
  }

  const currentPorts = (): number[] =>
    gateway.serve.map((process: GatewayProcess) => Number(new URL(process.ready['http_url'] ?? '').port))

  it('takes its place with no request failed, and every outcome delivered and signed', async () => {
    const stopLoad = startLoad()
    await replaceWith({ SECRET_KEY: OLD, SECRET_KEY_PREVIOUS: NEW })
    await replaceWith({ SECRET_KEY: NEW, SECRET_KEY_PREVIOUS: OLD })
    const keys = { SECRET_KEY: NEW, SECRET_KEY_PREVIOUS: OLD }
    const rotated = await typeCommand(['secrets', 'rotate', '--json'], { ...gateway.settings, ...keys })
    const before = answers.length
    await eventually(() => expect(answers.length).toBeGreaterThan(before + 10))
    await stopLoad()
    await untilAllEnded()
    await replaceAtRest({ SECRET_KEY: NEW, SECRET_KEY_PREVIOUS: '' })

    // Of three partners, the gateway's own among them: a signing secret each, and three secrets of one account.
    expect(JSON.parse(rotated.stdout)).toEqual({ resealed: 6, current: 0, unreadable: [] })
    expect(answers.filter(({ status }) => status !== 200)).toEqual([])
    const { received } = gateway.world.receiver
    expect(new Set(received.map(idOf)).size).toBe(answers.length)
    expect(received.filter((one) => !isSigned(one))).toEqual([])
    const all = logs.map((log) => log()).join('')
    expect(all).not.toMatch(
      /"event":"(?:callback_of_unknown_token|signing_secret_unreadable|account_unreadable|defect)"/,
    )
    expect(answers.length).toBeGreaterThan(30)
  }, 300_000)

  it('is then enough by itself', async () => {
    const before = gateway.world.receiver.received.length
    const answer = await ask(partners[1]?.apiKey ?? '')
    expect(answer.status).toBe(200)
    await eventually(() => expect(gateway.world.receiver.received.length).toBe(before + 1))
    expect(gateway.world.receiver.received.every(isSigned)).toBe(true)
  })

  /** The key before is let go when no payment of its time is open any more. */
  const replaceAtRest = async (keys: Record<string, string>): Promise<void> => {
    const stopLoad = startLoad()
    await replaceWith(keys)
    await stopLoad()
    await untilAllEnded()
  }

  const untilAllEnded = (): Promise<void> =>
    vi.waitFor(async () => expect(await openPayments()).toBe(0), { timeout: 60_000, interval: 50 })

  const openPayments = async (): Promise<number> => {
    const { rows } = await sql<{ count: number }>`
      SELECT (SELECT count(*) FROM payments WHERE state NOT IN ('successful', 'failed'))::integer
           + (SELECT count(*) FROM to_deliver)::integer AS count
    `.execute(gateway.database)
    return rows[0]?.count ?? -1
  }

  const idOf = ({ body }: Received): number => (JSON.parse(body) as { transaction_id: number }).transaction_id

  const isSigned = ({ headers, body }: Received): boolean =>
    partners.some(({ signingSecret }) => {
      try {
        new Webhook(signingSecret).verify(body, headers)
        return true
      } catch {
        return false
      }
    })
})

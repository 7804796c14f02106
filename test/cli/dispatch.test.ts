import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { sql } from 'kysely'
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, inject, it } from 'vitest'
import type { Database } from '../../src/database/connect.ts'
import { createAuthority } from '../support/certificates.ts'
import { type OpenDatabase, openTestDatabase } from '../support/database.ts'
import { addDelivery, readAttempts, readDelivery } from '../support/deliveries.ts'
import { eventually } from '../support/eventually.ts'
import { type GatewayProcess, startGatewayProcess } from '../support/gateway-process.ts'
import { createPosterHarness } from '../support/poster.ts'
import { answerWith, type Receiver, startReceiver } from '../support/receiver.ts'
import { dispatchSettings } from '../support/settings.ts'

let testDatabase: OpenDatabase
let database: Database
let receiver: Receiver
const running: GatewayProcess[] = []

beforeAll(async () => {
  testDatabase = await openTestDatabase()
  database = testDatabase.database
})
afterAll(() => testDatabase.close())
beforeEach(async () => {
  receiver = await startReceiver()
})
afterEach(async () => {
  await Promise.all(running.splice(0).map((one) => one.end('SIGKILL')))
  await receiver.close()
})

const dispatch = async (given: Record<string, string> = {}): Promise<GatewayProcess> => {
  const settings = { ...dispatchSettings({ databaseUrl: testDatabase.url }), ...given }
  const started = await startGatewayProcess('dispatch', settings)
  running.push(started)
  return started
}

const readiness = async (process: GatewayProcess) => {
  const answer = await fetch(`${process.ready['ops_url']}/readyz`)
  return { status: answer.status, body: await answer.json() }
}

const untilDelivered = (id: bigint): Promise<void> =>
  eventually(async () => expect((await readDelivery(database, id)).state).toBe('delivered'))

describe('gateway dispatch', () => {
  it('delivers without NATS, says so, and ends cleanly', async () => {
    const process = await dispatch()
    expect(process.ready).toEqual({
      ready: true,
      process: 'dispatch',
      ops_url: expect.stringMatching(/^http:\/\/127\.0\.0\.1:\d+$/),
      queue: 'none',
    })
    await untilDelivered(await addDelivery(database, receiver.url))
    expect(await readiness(process)).toEqual({
      status: 200,
      body: { ready: true, database: 'ok', queue: 'none' },
    })
    const metrics = await (await fetch(`${process.ready['ops_url']}/metrics`)).text()
    expect(metrics).toContain('gateway_delivery_attempts_total{outcome="delivered",error_class="none"} 1')
    expect(await process.end('SIGTERM')).toBe(0)
  })

  it('starts and delivers while NATS is away, and is ready all the same', async () => {
    const process = await dispatch({ NATS_URL: 'nats://user:hush@127.0.0.1:1' })
    expect(process.ready['queue']).toBe('away')
    await untilDelivered(await addDelivery(database, receiver.url))
    expect(await readiness(process)).toMatchObject({ status: 200, body: { ready: true, queue: 'away' } })
    expect(await process.end('SIGINT')).toBe(0)
    expect(process.log()).not.toContain('hush')
  })

  it('asks the name servers it is given, and trusts the authorities that Node is given', async () => {
    const endpoints = createPosterHarness()
    const folder = await mkdtemp(join(tmpdir(), 'gateway-test-'))
    try {
      const authority = await createAuthority()
      const nameServer = await endpoints.nameServer()
      nameServer.answer('shop.co.ke', ['127.0.0.1'])
      const port = await endpoints.tlsServer(await authority.issue({ hosts: ['shop.co.ke'] }))
      await writeFile(join(folder, 'authority.pem'), authority.cert)
      await dispatch({
        DELIVERY_NAME_SERVERS: nameServer.address,
        NODE_EXTRA_CA_CERTS: join(folder, 'authority.pem'),
      })
      await untilDelivered(await addDelivery(database, `https://shop.co.ke:${port}/`))
      expect(nameServer.queries.toSorted()).toEqual(['A shop.co.ke', 'AAAA shop.co.ke'])
    } finally {
      await endpoints.stop()
      await rm(folder, { recursive: true })
    }
  })

  it('finishes the attempts under way before it ends', async () => {
    let answer = (): void => undefined
    receiver.behave((received, response) => {
      answer = () => answerWith(200)(received, response)
    })
    const process = await dispatch()
    const id = await addDelivery(database, receiver.url)
    await eventually(() => expect(receiver.received).toHaveLength(1))
    const ended = process.end('SIGTERM')
    await eventually(async () => expect((await readiness(process)).status).toBe(503))
    answer()
    expect(await ended).toBe(0)
    expect(await readDelivery(database, id)).toMatchObject({ state: 'delivered', attempts: 1 })
  })

  it('killed during an attempt: another sends it again under its id, and the first stays unknown', async () => {
    receiver.behave((received, response) => {
      if (received.headers['webhook-attempt'] === '2') answerWith(200)(received, response)
    })
    const first = await dispatch()
    const id = await addDelivery(database, receiver.url)
    await eventually(() => expect(receiver.received).toHaveLength(1))
    expect(await first.end('SIGKILL')).toBe('SIGKILL')
    await sql`UPDATE to_deliver SET leased_until = now() WHERE delivery_id = ${id}`.execute(database)
    await dispatch()
    await untilDelivered(id)
    expect(receiver.received.map((one) => one.headers['webhook-attempt'])).toEqual(['1', '2'])
    expect(new Set(receiver.received.map((one) => one.headers['webhook-id'])).size).toBe(1)
    expect((await readAttempts(database, id)).map((one) => one.status)).toEqual([null, 200])
  })

  it('ends with code 1 when it meets a defect, instead of living on half dead', async () => {
    const process = await dispatch()
    await sql`ALTER TABLE to_deliver RENAME COLUMN leased_until TO renamed`.execute(database)
    try {
      // A signal that asks for nothing: the process ends by itself.
      expect(await process.end('SIGCONT')).toBe(1)
      expect(process.log()).toContain('"event":"defect"')
    } finally {
      await sql`ALTER TABLE to_deliver RENAME COLUMN renamed TO leased_until`.execute(database)
    }
  })

  it('reports what is wrong with its settings, all at once, and shows no secret', async () => {
    const failed = dispatch({
      DATABASE_URL: 'mysql://user:hush@127.0.0.1/x',
      DELIVERY_SCHEDULE: 'soon',
      DELIVERY_CONCURRENCY: '0',
      SECRET_KEY: 'hush',
    })
    await expect(failed).rejects.toThrow(/^ended with 2:/)
    await expect(failed).rejects.toThrow(
      /DATABASE_URL must[^]*DELIVERY_SCHEDULE must[^]*DELIVERY_CONCURRENCY must/,
    )
    await expect(failed).rejects.not.toThrow('hush')
  })

  it('asks for the migration when the schema is not there', async () => {
    await expect(dispatch({ DATABASE_URL: inject('databaseUrl') })).rejects.toThrow(
      'ended with 2:\nthe database does not have the current schema: run `gateway migrate` first',
    )
  })

  it('says so when its port is taken', async () => {
    await expect(dispatch({ OPS_PORT: String(receiver.port) })).rejects.toThrow(
      /^ended with 1:[^]*another process listens there/,
    )
  })
})
